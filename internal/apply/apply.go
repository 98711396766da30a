package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/status"
)

// ownerAnnotation names the owner of a child, so that a child whose owner
// reference was taken away is known again.
const ownerAnnotation = "deskfleet.dev/owner"

// Values of "change" in the log line of a child that was written.
const (
	created = "created"
	updated = "updated"
)

// Applier writes children.
type Applier struct {
	client client.Client
	scheme *runtime.Scheme
	// live reads past the cache: the cache selects by our label, so an object of the same name that is not ours
	// is invisible in it.
	live     client.Reader
	comparer comparer
	log      *slog.Logger
}

// New makes an Applier; live must read from the API server, not from a cache.
func New(c client.Client, live client.Reader, scheme *runtime.Scheme, log *slog.Logger) *Applier {
	return &Applier{client: c, scheme: scheme, live: live, comparer: newComparer(scheme), log: log}
}

// Owner is the object that children belong to.
type Owner struct {
	Kind   string
	Object client.Object
}

func (o Owner) annotation() string { return o.Kind + "/" + o.Object.GetName() }

// Apply brings the children of an owner to what is wanted, and deletes what the
// owner has of these kinds and does not want. Keep names children that are
// written by other means and must not be deleted. Every child is tried; the
// errors are joined. Afterwards live holds what the API server answered: who
// judges by it whether a child is available judges the child as it is now.
func (a *Applier) Apply(ctx context.Context, owner Owner, kinds []Kind, live Live, wanted []*unstructured.Unstructured, keep ...Key) error {
	order := map[string]int{}
	for i, k := range kinds {
		order[k.GroupVersionKind.Kind] = i + 1
	}
	wanted = slices.Clone(wanted)
	slices.SortStableFunc(wanted, func(x, y *unstructured.Unstructured) int {
		return cmp.Compare(order[x.GetKind()], order[y.GetKind()])
	})
	var errs []error
	want := map[Key]bool{}
	for _, k := range keep {
		want[k] = true
	}
	failed := map[string]bool{}
	for _, w := range wanted {
		want[Key{Kind: w.GetKind(), Name: w.GetName()}] = true
		if err := a.one(ctx, owner, live, w); err != nil {
			errs = append(errs, err)
			failed[w.GetKind()] = true
		}
	}
	for _, k := range kinds {
		// What is not wanted any more is still needed where what replaces it could not be written: the old
		// configuration names the old knowledge content.
		if !failed[k.GroupVersionKind.Kind] {
			errs = append(errs, a.prune(ctx, k, live, want))
		}
	}
	return errors.Join(errs...)
}

func (a *Applier) one(ctx context.Context, owner Owner, live Live, wanted *unstructured.Unstructured) error {
	wanted = wanted.DeepCopy()
	annotations := wanted.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[ownerAnnotation] = owner.annotation()
	wanted.SetAnnotations(annotations)

	current := live[Key{Kind: wanted.GetKind(), Name: wanted.GetName()}]
	change, fields := updated, "all"
	if current == nil {
		var err error
		if current, err = a.guard(ctx, owner, wanted); err != nil {
			return err
		}
	}
	if current == nil {
		change = created
	} else {
		var err error
		if fields, err = a.comparer.difference(wanted, current, v1alpha1.FieldOwner); err != nil || fields == "" {
			return err
		}
		wanted.SetUID(current.GetUID())
	}
	if err := a.write(ctx, wanted, v1alpha1.FieldOwner, live); err != nil {
		return fmt.Errorf("apply %s %s: %w", wanted.GetKind(), wanted.GetName(), err)
	}
	a.log.InfoContext(ctx, "child applied", "change", change, "kind", wanted.GetKind(), "namespace", wanted.GetNamespace(), "name", wanted.GetName(), "owner", owner.annotation(), "fields", fields)
	return nil
}

// write applies one object and keeps the API server's answer in live. An object
// with a UID is only updated, never made: where the one that was looked at is
// gone, and perhaps another of its name is there, the API server answers with a
// conflict.
func (a *Applier) write(ctx context.Context, object *unstructured.Unstructured, fieldOwner string, live Live) error {
	err := a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(fieldOwner), client.ForceOwnership)
	if isAnother(err) {
		resource := schema.GroupResource{Group: object.GroupVersionKind().Group, Resource: object.GetKind()}
		return apierrors.NewConflict(resource, object.GetName(), errors.New("another object has this name by now"))
	}
	if err != nil {
		return err
	}
	child, err := a.typed(object)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	live[Key{Kind: object.GetKind(), Name: object.GetName()}] = child
	return nil
}

// isAnother reports whether the API server refused a write because the object has
// another UID: it says that the UID may not be changed.
func isAnother(err error) bool {
	cause, is := apierrors.StatusCause(err, metav1.CauseTypeFieldValueInvalid)
	return is && cause.Field == "metadata.uid"
}

// typed converts an object to its type, as the cache holds it; one of a kind that
// the scheme does not know stays as it is.
func (a *Applier) typed(object *unstructured.Unstructured) (client.Object, error) {
	if !a.scheme.Recognizes(object.GroupVersionKind()) {
		return object, nil
	}
	typed, err := a.scheme.New(object.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
		return nil, err
	}
	child, ok := typed.(client.Object)
	if !ok {
		return nil, fmt.Errorf("%T is no object", typed)
	}
	return child, nil
}

// Secret makes or updates a generated Secret. It is created and updated, not
// applied: two reconciles that both find it missing must not both win, each with
// keys of its own.
func (a *Applier) Secret(ctx context.Context, owner Owner, secret client.Object, exists bool) error {
	annotations := maps.Clone(secret.GetAnnotations()) // others may have annotated it too
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[ownerAnnotation] = owner.annotation()
	secret.SetAnnotations(annotations)
	if exists {
		if err := a.client.Update(ctx, secret, client.FieldOwner(v1alpha1.FieldOwner)); err != nil {
			return fmt.Errorf("update Secret %s: %w", secret.GetName(), err)
		}
		a.log.InfoContext(ctx, "child applied", "change", updated, "kind", "Secret", "namespace", secret.GetNamespace(), "name", secret.GetName(), "owner", owner.annotation())
		return nil
	}
	err := a.client.Create(ctx, secret, client.FieldOwner(v1alpha1.FieldOwner))
	if apierrors.IsAlreadyExists(err) {
		return a.unseenSecret(ctx, owner, secret)
	}
	if err != nil {
		return fmt.Errorf("create Secret %s: %w", secret.GetName(), err)
	}
	a.log.InfoContext(ctx, "child applied", "change", created, "kind", "Secret", "namespace", secret.GetNamespace(), "name", secret.GetName(), "owner", owner.annotation())
	return nil
}

// unseenSecret deals with a generated Secret that exists although the cache does
// not show it: it is not ours, or it lost our labels, or it was made a moment ago.
func (a *Applier) unseenSecret(ctx context.Context, owner Owner, wanted client.Object) error {
	there := &metav1.PartialObjectMetadata{}
	there.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Secret"})
	if err := a.live.Get(ctx, client.ObjectKeyFromObject(wanted), there); err != nil {
		return fmt.Errorf("read Secret %s: %w", wanted.GetName(), err)
	}
	if err := ours(owner, there, "Secret"); err != nil {
		return err
	}
	if there.GetLabels()[v1alpha1.LabelManagedBy] != v1alpha1.ManagedByDeskfleet || metav1.GetControllerOf(there) == nil {
		before := there.DeepCopy()
		there.SetLabels(wanted.GetLabels())
		there.SetOwnerReferences(wanted.GetOwnerReferences())
		if err := a.client.Patch(ctx, there, client.MergeFrom(before), client.FieldOwner(v1alpha1.FieldOwner)); err != nil {
			return fmt.Errorf("mark Secret %s as ours again: %w", wanted.GetName(), err)
		}
	}
	return status.Progress("Secret %s exists and is not in the cache yet", wanted.GetName())
}

// guard looks past the cache for an object that has the child's name. It is nil
// when there is none, and an error when it is not ours.
func (a *Applier) guard(ctx context.Context, owner Owner, wanted *unstructured.Unstructured) (client.Object, error) {
	there := &unstructured.Unstructured{}
	there.SetGroupVersionKind(wanted.GroupVersionKind())
	switch err := a.live.Get(ctx, client.ObjectKeyFromObject(wanted), there); {
	case apierrors.IsNotFound(err):
		return nil, nil
	case meta.IsNoMatchError(err):
		return nil, &status.WaitingError{
			Reason:  v1alpha1.ReasonReferenceMissing,
			Message: fmt.Sprintf("the cluster has no kind %s: install it, or change spec.exposure.type", wanted.GroupVersionKind().GroupKind()),
		}
	case err != nil:
		return nil, fmt.Errorf("read %s %s: %w", wanted.GetKind(), wanted.GetName(), err)
	}
	if err := ours(owner, there, wanted.GetKind()); err != nil {
		return nil, err
	}
	return a.typed(there)
}

// ours decides whether an existing object of a child's name may be written:
//
//	controller         owner annotation  then
//	this owner         any               ours
//	none               this owner        ours: its reference was taken away by hand or by an orphaning delete
//	former, same name  this owner        wait: the garbage collector is about to delete it
//	anything else      any               NameConflict
func ours(owner Owner, there client.Object, kind string) error {
	controller := metav1.GetControllerOf(there)
	marked := there.GetAnnotations()[ownerAnnotation] == owner.annotation()
	switch {
	case controller != nil && controller.UID == owner.Object.GetUID():
		return nil
	case controller == nil && marked:
		return nil
	case marked && controller.Kind == owner.Kind && controller.Name == owner.Object.GetName():
		return status.Progress("%s %s of the former %s is being deleted", kind, there.GetName(), owner.annotation())
	}
	holder := "nobody"
	if controller != nil {
		holder = controller.Kind + " " + controller.Name
	}
	return &status.TerminalError{
		Reason: v1alpha1.ReasonNameConflict,
		Message: fmt.Sprintf("%s %s exists and is not ours (it belongs to %s): delete or rename it, or choose another name for this object",
			kind, there.GetName(), holder),
		After: foreignRetry,
	}
}

// foreignRetry is how often an object that stands in our way is looked at again:
// no watch of ours sees that it goes.
const foreignRetry = time.Minute

// prune deletes the owner's children of a kind that are not wanted.
func (a *Applier) prune(ctx context.Context, k Kind, live Live, want map[Key]bool) error {
	var errs []error
	for key, object := range live {
		if key.Kind != k.GroupVersionKind.Kind || want[key] || object.GetDeletionTimestamp() != nil {
			continue
		}
		uid, version := object.GetUID(), object.GetResourceVersion()
		// The preconditions keep us from deleting a successor that has been made since, or one that changed hands.
		err := a.client.Delete(ctx, object, client.Preconditions{UID: &uid, ResourceVersion: &version}, client.PropagationPolicy(metav1.DeletePropagationBackground))
		if client.IgnoreNotFound(err) != nil {
			errs = append(errs, fmt.Errorf("delete %s %s: %w", key.Kind, key.Name, err))
			continue
		}
		delete(live, key)
		a.log.InfoContext(ctx, "child deleted", "kind", key.Kind, "namespace", object.GetNamespace(), "name", key.Name)
	}
	return errors.Join(errs...)
}

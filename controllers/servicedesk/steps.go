package servicedesk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/apply"
	"github.com/deskfleet/deskfleet/internal/capacity"
	"github.com/deskfleet/deskfleet/internal/credentials"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/status"
)

// secrets makes what is missing of the generated Secrets. It comes before the
// plan: the configuration names the public halves, which must be those of keys
// that are stored.
func (s *scope) secrets(ctx context.Context) error {
	wanted := render.SecretsOf(s.desk.Namespace, s.desk.Name, &s.desk.Spec)
	existing := credentials.Set{}
	for _, w := range wanted {
		if secret := apply.Get[*corev1.Secret](s.live, "Secret", w.Name); secret != nil {
			existing[w.Name] = secret.Data
		}
	}
	result, err := credentials.Ensure(wanted, existing, s.Now())
	if err != nil {
		return &status.TerminalError{Reason: v1alpha1.ReasonInvalidSpec, Message: err.Error()}
	}
	s.credentials, s.input.Users = result, result.Users
	var errs []error
	for _, w := range wanted {
		current := apply.Get[*corev1.Secret](s.live, "Secret", w.Name)
		if slices.Contains(result.Changed, w.Name) || (current != nil && !marked(current, w.Labels)) {
			errs = append(errs, s.Applier.Secret(ctx, s.owner, s.secret(&w, current), current != nil))
		}
	}
	return errors.Join(errs...)
}

// marked reports whether a Secret still has all of our labels.
func marked(secret *corev1.Secret, labels map[string]string) bool {
	for key, value := range labels {
		if secret.Labels[key] != value {
			return false
		}
	}
	return true
}

func (s *scope) secret(w *render.Secret, current *corev1.Secret) *corev1.Secret {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.desk.Namespace, Name: w.Name}}
	if current != nil {
		secret = current.DeepCopy()
	}
	if secret.Labels == nil {
		secret.Labels = map[string]string{}
	}
	maps.Copy(secret.Labels, w.Labels)
	secret.Data = s.credentials.Set[w.Name]
	secret.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(s.desk, v1alpha1.SchemeGroupVersion.WithKind(v1alpha1.KindServiceDesk))}
	return secret
}

// plan decides what the desk's children are.
func (s *scope) plan(context.Context) error {
	planned, revision, problems, err := plan.Desk(&s.input)
	if err != nil {
		return fmt.Errorf("plan desk %s: %w", s.desk.Name, err)
	}
	s.planned, s.revision, s.problems = planned, revision, problems
	return nil
}

// apply brings the children to the plan.
func (s *scope) apply(ctx context.Context) error {
	if s.planned == nil {
		return nil // the problems say why
	}
	children := s.Settings.Children(s.planned)
	for _, child := range children {
		if kind := child.GetKind(); kind == "Deployment" || kind == "StatefulSet" {
			s.wanted++
		}
	}
	keep := make([]apply.Key, 0, len(s.credentials.Set))
	for name := range s.credentials.Set {
		keep = append(keep, apply.Key{Kind: "Secret", Name: name})
	}
	if err := s.roles(ctx); err != nil {
		return err // without its own owner a number would fall to one with the next line
	}
	if err := s.Applier.Apply(ctx, s.owner, s.kinds, s.live, children, keep...); err != nil {
		return errors.Join(err, s.configured())
	}
	return errors.Join(s.roles(ctx), s.configured())
}

// configured remembers the configuration that the desk's ConfigMap has now, and
// lets the link hand it to the desk.
func (s *scope) configured() error {
	document := liveDocument(s.live, s.desk.Name)
	if document == nil {
		return nil // it could not be written
	}
	stamp, err := plan.StampOf(document)
	if err != nil {
		return err
	}
	data := apply.Get[*corev1.ConfigMap](s.live, "ConfigMap", render.ConfigMapName(s.desk.Name)).Data[runtimeconfig.FileName]
	s.Link.Loop.Configured(s.desk.Namespace, s.desk.Name, capacity.Configuration{
		Revision: runtimeconfig.Revision([]byte(data)), Generation: stamp.Generation, Content: stamp.Content,
	})
	return nil
}

// report sets the desk's own status fields, as far as they are known.
func (s *scope) report() {
	if s.planned == nil {
		return
	}
	children := make([]client.Object, 0, len(s.live))
	for _, child := range s.live {
		children = append(children, child)
	}
	s.available = status.Count(children)
	s.rest = s.growing()
	s.reportRoles()
	endpoints := render.Endpoints(s.desk.Namespace, s.desk.Name, &s.desk.Spec)
	s.desk.Status.Endpoints = &endpoints
	s.desk.Status.ConfigurationRevision = s.revision
	s.desk.Status.Workloads = fmt.Sprintf("%d/%d", s.available.Available, s.wanted)
}

// verdict joins what is wrong with the desk and what is not available yet.
func (s *scope) verdict() error {
	if s.planned == nil {
		return status.FromProblems(s.problems)
	}
	return errors.Join(status.FromProblems(s.problems), s.available.Err(s.wanted))
}

// renewal is when the next certificate is due.
func (s *scope) renewal() ctrl.Result {
	again := ctrl.Result{RequeueAfter: s.rest}
	if s.credentials == nil || s.credentials.RenewAt.IsZero() {
		return again
	}
	// At least a moment: 0 would mean never, and the time may have come since it was looked at.
	return status.Sooner(again, ctrl.Result{RequeueAfter: max(time.Second, s.credentials.RenewAt.Sub(s.Now()))})
}

package config_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/controllers"
	"github.com/deskfleet/deskfleet/controllers/link"
	"github.com/deskfleet/deskfleet/internal/apply"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// The operator runs with the rights that the manifests give it, on a real API server that refuses the rest. A desk is
// made and changed so that every kind of child is written and one is deleted.
func TestRightsSuffice(t *testing.T) {
	for _, c := range []struct {
		kustomization string
		watched       []string // nil for all namespaces
		tenant        string
	}{
		{"config/namespaced", []string{"deskfleet-system"}, "deskfleet-system"},
		{"config/default", nil, "tenant"},
	} {
		t.Run(c.kustomization, func(t *testing.T) {
			admin := newClient(t)
			for _, namespace := range []string{"deskfleet-system", c.tenant} {
				err := admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
				if err != nil && !apierrors.IsAlreadyExists(err) {
					t.Fatal(err)
				}
			}
			grant(t, admin, manifests(t, c.kustomization))
			refused := startOperator(t, c.watched)

			createSample(t, admin, c.tenant)
			exposure := func(value string) {
				desk := &v1alpha1.ServiceDesk{ObjectMeta: metav1.ObjectMeta{Name: "hello", Namespace: c.tenant}}
				patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"exposure":`+value+`}}`))
				if err := admin.Patch(t.Context(), desk, patch); err != nil {
					t.Fatal(err)
				}
			}
			exposure(`{"type":"Ingress","host":"help.example.com"}`)
			for _, kind := range apply.DeskKinds() {
				eventually.Nil(t, "a child of kind "+kind.GroupVersionKind.Kind+" is made", func() error {
					list := &unstructured.UnstructuredList{}
					list.SetGroupVersionKind(kind.GroupVersionKind)
					err := admin.List(t.Context(), list, client.InNamespace(c.tenant), client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedByDeskfleet})
					if err == nil && len(list.Items) == 0 {
						err = fmt.Errorf("there is none; the API server refused the operator %q", refused())
					}
					return err
				})
			}
			exposure("null")
			eventually.True(t, "the Ingress is deleted", func() bool {
				var list networkingv1.IngressList
				return admin.List(t.Context(), &list, client.InNamespace(c.tenant)) == nil && len(list.Items) == 0
			})
			if err := admin.Get(t.Context(), client.ObjectKey{Namespace: "deskfleet-system", Name: "deskfleet-link-tls"}, &corev1.Secret{}); err != nil {
				t.Errorf("the link's certificate: %v", err)
			}
			for _, kind := range []string{v1alpha1.KindServiceDesk, v1alpha1.KindAgentPool, v1alpha1.KindKnowledgeBase, v1alpha1.KindEscalationPolicy} {
				eventually.Nil(t, "the status of "+kind+" is written", func() error { return observed(t.Context(), admin, kind, c.tenant) })
			}
			if got := refused(); len(got) > 0 {
				t.Errorf("the API server refused the operator:\n%s", strings.Join(got, "\n"))
			}
		})
	}
}

// grant applies what concerns rights, after whatever was granted before was taken away.
func grant(t *testing.T, admin client.Client, objects []*unstructured.Unstructured) {
	t.Helper()
	var granted []*unstructured.Unstructured
	for _, object := range objects {
		if object.GetKind() == "ServiceAccount" || strings.HasPrefix(object.GetAPIVersion(), "rbac.") {
			granted = append(granted, object)
			if err := admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.FieldOwner("rights"), client.ForceOwnership); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Cleanup(func() {
		for _, object := range granted {
			if err := client.IgnoreNotFound(admin.Delete(context.Background(), object)); err != nil {
				t.Error(err)
			}
		}
	})
}

// startOperator runs the operator as its ServiceAccount until the test ends. What is returned lists the calls that the
// API server refused for want of a right.
func startOperator(t *testing.T, watched []string) func() []string {
	t.Helper()
	var mu sync.Mutex
	var refused []string
	config := rest.CopyConfig(cluster)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:deskfleet-system:deskfleet-manager",
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:deskfleet-system", "system:authenticated"},
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(request)
			if err == nil && response.StatusCode == http.StatusForbidden {
				mu.Lock()
				defer mu.Unlock()
				refused = append(refused, request.Method+" "+request.URL.Path)
			}
			return response, err
		})
	})
	kinds, err := controllers.Kinds(config)
	if err != nil {
		t.Fatal(err)
	}
	options := controllers.ManagerOptions(watched, true)
	options.Metrics = metricsserver.Options{BindAddress: "0"}
	options.LeaderElectionNamespace = "deskfleet-system"
	options.Controller = ctrlconfig.Controller{SkipNameValidation: new(true)}
	mgr, err := ctrl.NewManager(config, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	settings := render.Settings{Image: image}
	toDesks := &link.Options{Namespace: "deskfleet-system", Name: "manager", Address: "127.0.0.1:0", Registry: prometheus.NewRegistry()}
	if err := errors.Join(settings.Validate(), controllers.Setup(ctx, mgr, controllers.Options{
		Settings: settings, Kinds: kinds, Concurrency: 2, Namespaces: watched, Link: toDesks, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	calls := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Compact(slices.Sorted(slices.Values(refused)))
	}
	leads := false
	t.Cleanup(func() {
		stop()
		if !leads {
			return // a manager whose caches never sync does not end: controller-runtime v0.25.2 waits for them in a busy loop
		}
		if err := <-done; err != nil {
			t.Errorf("operator: %v", err)
		}
	})
	eventually.Nil(t, "the operator leads", func() error {
		select {
		case <-mgr.Elected():
			leads = true
			return nil
		default:
			return fmt.Errorf("the API server refused it %q", calls())
		}
	})
	return calls
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// createSample makes the objects of the smallest desk, which are all named after it.
func createSample(t *testing.T, admin client.Client, namespace string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("samples", "minimal.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range decode(t, strings.NewReader(string(content))) {
		object.SetNamespace(namespace)
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// observed says what is missing until the operator has judged every object of a kind as it is now.
func observed(ctx context.Context, admin client.Client, kind, namespace string) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(kind + "List"))
	if err := admin.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return err
	}
	if len(list.Items) == 0 {
		return errors.New("there is none")
	}
	for _, object := range list.Items {
		seen, _, err := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
		if err != nil || seen != object.GetGeneration() {
			return fmt.Errorf("%s: generation %d, observed %d (%w)", object.GetName(), object.GetGeneration(), seen, err)
		}
	}
	return nil
}

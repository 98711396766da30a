// Package config_test renders the kustomizations as the make targets do, and asks
// a real API server and the operator's own code what they make of them.
package config_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/controllers"
	"github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/testing/apiserver"
)

const image = "registry.test:5000/team/deskfleet:v9.9.9"

var cluster *rest.Config

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	os.Exit(apiserver.Run(m, func(c *rest.Config) { cluster = c }))
}

// manifests renders a kustomization with the test's image, as "make deploy" does.
func manifests(t *testing.T, kustomization string) []*unstructured.Unstructured {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join("..", "hack", "manifests.sh"), kustomization)
	cmd.Env = append(os.Environ(), "IMG="+image)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("render %s: %v\n%s", kustomization, err, stderr.String())
	}
	if strings.Contains(stdout.String(), "deskfleet.local") {
		t.Errorf("%s: an image was not replaced:\n%s", kustomization, linesWith(stdout.String(), "deskfleet.local"))
	}
	return decode(t, &stdout)
}

// decode reads the documents of a YAML stream.
func decode(t *testing.T, stream io.Reader) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for decoder := utilyaml.NewYAMLOrJSONDecoder(stream, 4096); ; {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
}

func linesWith(text, part string) string {
	lines := slices.Collect(strings.Lines(text))
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return !strings.Contains(l, part) }), "")
}

// typed reads the objects of one kind.
func typed[T any](t *testing.T, objects []*unstructured.Unstructured, kind string) []T {
	t.Helper()
	var found []T
	for _, object := range objects {
		if object.GetKind() != kind {
			continue
		}
		var one T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &one, true); err != nil {
			t.Fatalf("%s %s: %v", kind, object.GetName(), err)
		}
		found = append(found, one)
	}
	return found
}

func only[T any](t *testing.T, objects []*unstructured.Unstructured, kind string) T {
	t.Helper()
	found := typed[T](t, objects, kind)
	if len(found) != 1 {
		t.Fatalf("%d of kind %s, want 1", len(found), kind)
	}
	return found[0]
}

func newClient(t *testing.T) client.Client {
	t.Helper()
	c, err := client.New(cluster, client.Options{Scheme: controllers.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The order is that of the rendered file, as kubectl applies it.
func TestAnAPIServerTakesAllOfIt(t *testing.T) {
	c := newClient(t)
	objects := manifests(t, "config/default")
	for _, object := range objects {
		// An apply is always strict: an unknown field is an error.
		err := c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object.DeepCopy()),
			client.FieldOwner("test"), client.ForceOwnership)
		if err != nil {
			t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
	deployment := only[appsv1.Deployment](t, objects, "Deployment")
	pod := func(change func(*corev1.PodSpec)) error {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "manager-", Namespace: deployment.Namespace}, Spec: *deployment.Spec.Template.Spec.DeepCopy()}
		change(&p.Spec)
		return c.Create(t.Context(), p, client.DryRunAll)
	}
	if err := pod(func(*corev1.PodSpec) {}); err != nil {
		t.Errorf("the namespace refuses the operator's pod: %v", err)
	}
	// The namespace enforces the restricted profile, else the line above proves nothing.
	err := pod(func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.Capabilities = nil })
	if err == nil || !strings.Contains(err.Error(), "restricted") {
		t.Errorf("a pod with capabilities: %v, want a refusal by the restricted profile", err)
	}
}

func TestOperatorAndDesksRunTheImage(t *testing.T) {
	for _, kustomization := range []string{"config/default", "config/namespaced"} {
		objects := manifests(t, kustomization)
		deployment := only[appsv1.Deployment](t, objects, "Deployment")
		if got := deployment.Spec.Template.Spec.Containers[0].Image; got != image {
			t.Errorf("%s: the operator runs %s, want %s", kustomization, got, image)
		}
		defaults := only[corev1.ConfigMap](t, objects, "ConfigMap")
		settings, err := render.ParseSettings([]byte(defaults.Data["defaults.yaml"]))
		if err != nil || settings.Image != image {
			t.Errorf("%s: desks run %s (%v), want %s", kustomization, settings.Image, err, image)
		}
		mounted := deployment.Spec.Template.Spec.Volumes[0].ConfigMap
		if mounted == nil || mounted.Name != defaults.Name {
			t.Errorf("%s: the operator mounts %+v, the defaults are %s", kustomization, mounted, defaults.Name)
		}
	}
}

func TestRightsAreNamed(t *testing.T) {
	objects := append(manifests(t, "config/default"), manifests(t, "config/namespaced")...)
	rules := map[string][]rbacv1.PolicyRule{}
	for _, role := range typed[rbacv1.ClusterRole](t, objects, "ClusterRole") {
		rules["ClusterRole "+role.Name] = role.Rules
	}
	for _, role := range typed[rbacv1.Role](t, objects, "Role") {
		rules["Role "+role.Name] = role.Rules
	}
	// Six ClusterRoles; the Roles of the manager, of leader election and of the link.
	if len(rules) != 9 {
		t.Errorf("%d roles, expected 9", len(rules))
	}
	for name, list := range rules {
		for _, rule := range list {
			for _, value := range slices.Concat(rule.Verbs, rule.Resources, rule.APIGroups, rule.NonResourceURLs) {
				if strings.Contains(value, "*") {
					t.Errorf("%s: wildcard in %+v", name, rule)
				}
			}
			for _, verb := range []string{"escalate", "bind", "impersonate"} {
				if slices.Contains(rule.Verbs, verb) {
					t.Errorf("%s: verb %s in %+v", name, verb, rule)
				}
			}
			for _, resource := range []string{"pods/exec", "pods/attach", "pods/portforward", "serviceaccounts/token", "nodes", "nodes/proxy"} {
				if slices.Contains(rule.Resources, resource) {
					t.Errorf("%s: resource %s in %+v", name, resource, rule)
				}
			}
		}
	}
}

func TestNamespacedOperatorHasTheSameRightsAndNothingInTheCluster(t *testing.T) {
	objects := manifests(t, "config/namespaced")
	c := newClient(t)
	for _, object := range objects {
		namespaced, err := c.IsObjectNamespaced(object)
		if err != nil || !namespaced {
			t.Errorf("%s %s is not namespaced (%v)", object.GetKind(), object.GetName(), err)
		}
	}
	named := func(role rbacv1.Role) bool { return role.Name == "deskfleet-manager" }
	roles := typed[rbacv1.Role](t, objects, "Role")
	clusterRoles := typed[rbacv1.ClusterRole](t, manifests(t, "config/default"), "ClusterRole")
	i := slices.IndexFunc(roles, named)
	j := slices.IndexFunc(clusterRoles, func(role rbacv1.ClusterRole) bool { return role.Name == "deskfleet-manager" })
	if i < 0 || j < 0 {
		t.Fatal("there is no role deskfleet-manager")
	}
	if diff := cmp.Diff(clusterRoles[j].Rules, roles[i].Rules); diff != "" {
		t.Errorf("rules of the ClusterRole and the Role (-cluster +namespaced):\n%s", diff)
	}
}

// An overlay moves the operator to another namespace; a binding that stays behind would leave it without rights.
func TestNamespaceCanBeChanged(t *testing.T) {
	for _, base := range []string{"default", "namespaced"} {
		dir := t.TempDir()
		path := func(from, to string) string {
			from, errFrom := filepath.Abs(from)
			to, errTo := filepath.Abs(to)
			relative, err := filepath.Rel(from, to)
			if err := errors.Join(errFrom, errTo, err); err != nil {
				t.Fatal(err)
			}
			return relative
		}
		overlay := "namespace: team-a\nresources: [" + path(dir, base) + "]\n"
		if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(overlay), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, object := range manifests(t, path("..", dir)) {
			text, err := object.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "deskfleet-system") {
				t.Errorf("%s: %s %s still names deskfleet-system", base, object.GetKind(), object.GetName())
			}
		}
	}
}

// Desks know the managers by a name and a port that their configuration gives them, and their policies let them out to
// pods with certain labels.
func TestDesksFindTheManagers(t *testing.T) {
	for _, kustomization := range []string{"config/default", "config/namespaced"} {
		objects := manifests(t, kustomization)
		pod := only[appsv1.Deployment](t, objects, "Deployment").Spec.Template
		services := slices.DeleteFunc(typed[corev1.Service](t, objects, "Service"), func(s corev1.Service) bool {
			return s.Name+"."+s.Namespace+".svc" != (&render.Link{Namespace: "deskfleet-system"}).Host()
		})
		if len(services) != 1 {
			t.Fatalf("%s: %d Services have the name that desks are given", kustomization, len(services))
		}
		service := services[0]
		if service.Spec.ClusterIP != corev1.ClusterIPNone || len(service.Spec.Ports) != 1 || service.Spec.Ports[0].Port != link.Port {
			t.Errorf("%s: the Service is %+v, want a headless one with port %d", kustomization, service.Spec, link.Port)
		}
		if !slices.ContainsFunc(pod.Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool {
			return p.Name == service.Spec.Ports[0].TargetPort.StrVal && p.ContainerPort == link.Port
		}) {
			t.Errorf("%s: the operator's ports are %+v", kustomization, pod.Spec.Containers[0].Ports)
		}
		wanted := map[string]string{v1alpha1.LabelName: v1alpha1.ManagedByDeskfleet, v1alpha1.LabelComponent: "manager"}
		for what, selector := range map[string]map[string]string{"the Service": service.Spec.Selector, "the desks' policies": wanted} {
			if !labels.SelectorFromSet(selector).Matches(labels.Set(pod.Labels)) {
				t.Errorf("%s: %s want pods with %v, the operator has %v", kustomization, what, selector, pod.Labels)
			}
		}
	}
}

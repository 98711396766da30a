package config_test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// TestPolicies: the sample policies refuse what they are for, in words that help
// the desk's author, and nothing else.
func TestPolicies(t *testing.T) {
	admin := newClient(t)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "policies-"}}
	if err := admin.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "tool", "-modfile=go.tools.mod", "kustomize", "build", "config/samples/policies")
	build.Dir = ".."
	rendered, err := build.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range decode(t, bytes.NewReader(rendered)) {
		if err := admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.FieldOwner("test"), client.ForceOwnership); err != nil {
			t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
		t.Cleanup(func() { // the other tests of this package know of no policy
			if err := admin.Delete(context.Background(), object); err != nil {
				t.Error(err)
			}
		})
	}
	// One desk is changed again and again: a policy that overlooks updates is none.
	desk := func(spec string) *unstructured.Unstructured {
		return decode(t, strings.NewReader(fmt.Sprintf(
			"apiVersion: deskfleet.dev/v1alpha1\nkind: ServiceDesk\nmetadata: {name: shop, namespace: %s}\nspec: %s\n", namespace.Name, spec)))[0]
	}
	try := func(spec string, options ...client.ApplyOption) error {
		options = append(options, client.FieldOwner("author"), client.ForceOwnership)
		return admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(desk(spec)), options...)
	}
	const (
		tokens      = "{agentsAuth: {tokensSecretRef: {name: %s}}}"
		credentials = "{bus: {external: {urls: ['tls://nats.example.com'], credentialsSecretRef: {name: %s}}}}"
		dsn         = `{archive: {postgres: {dsnSecretRef: {name: %s}}}}`
		tls         = "{exposure: {type: Ingress, host: help.example.com, tlsSecretName: %s}}"
		image       = "{image: %s}"
	)
	for _, row := range []struct{ field, spec, good, bad, remedy string }{
		{"spec.agentsAuth.tokensSecretRef.name", tokens, "desk-tokens", "database", "rename the Secret"},
		{"spec.bus.external.credentialsSecretRef.name", credentials, "desk-nats", "nats-desk", "rename the Secret"},
		{"spec.archive.postgres.dsnSecretRef.name", dsn, "desk-archive", "database", "rename the Secret"},
		{"spec.exposure.tlsSecretName", tls, "desk-tls", "tls", "rename the Secret"},
		{"spec.image", image, "registry.example.com/deskfleet/deskfleet:v1", "registry.example.com/other:v1", "remove spec.image to run the operator's own"},
		{"spec.image", image, "ghcr.io/deskfleet/deskfleet@sha256:0123", "ghcr.io/deskfleet-fake/deskfleet:v1", "remove spec.image to run the operator's own"},
	} {
		t.Run(row.field+" "+row.bad, func(t *testing.T) {
			bad, good := fmt.Sprintf(row.spec, row.bad), fmt.Sprintf(row.spec, row.good)
			eventually.Nil(t, "the policy is in force", func() error { // the API server takes it up a moment later
				err := try(bad, client.DryRunAll)
				if apierrors.IsForbidden(err) {
					return nil
				}
				return fmt.Errorf("%s is not refused: %w", bad, err)
			})
			if err := try(bad); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), row.field+" is "+row.bad+": ") || !strings.Contains(err.Error(), row.remedy) {
				t.Errorf("%s: %v", bad, err)
			}
			if err := try(good); err != nil {
				t.Errorf("%s: %v", good, err)
			}
			if err := try(bad); !apierrors.IsForbidden(err) {
				t.Errorf("an update to %s: %v", bad, err)
			}
			if err := admin.Delete(t.Context(), desk("{}")); err != nil {
				t.Error(err)
			}
		})
	}
	if err := try("{}"); err != nil {
		t.Errorf("a desk that names nothing: %v", err)
	}
	t.Cleanup(func() { _ = admin.Delete(context.Background(), desk("{}")) })
}

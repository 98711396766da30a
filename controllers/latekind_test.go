package controllers_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// TestGatewayAPIComesLater: a cluster gets its Gateway API after the operator and
// after a desk that wants a route. Nobody touches either, and the route is made,
// mended and deleted like every other child.
func TestGatewayAPIComesLater(t *testing.T) {
	b := newBench(t)
	install := envtest.CRDInstallOptions{Paths: []string{"../internal/apply/testdata/httproute-crd.yaml"}}
	t.Cleanup(func() { // after the operator has been stopped
		if err := envtest.UninstallCRDs(cluster, install); err != nil {
			t.Error(err)
		}
		eventually.Nil(t, "the kind is gone", func() error {
			var crds unstructured.UnstructuredList
			crds.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
			if err := b.client.List(context.Background(), &crds); err != nil {
				return err
			}
			for _, crd := range crds.Items {
				if crd.GetName() == "httproutes.gateway.networking.k8s.io" {
					return errors.New("it is there")
				}
			}
			return nil
		})
	})
	b.startOperator()
	b.apply(shop)
	b.editDesk(func(d *v1alpha1.ServiceDeskSpec) {
		d.Exposure = &v1alpha1.Exposure{Type: v1alpha1.ExposureHTTPRoute, Host: "help.example.com", GatewayRef: &v1alpha1.GatewayReference{Name: "web"}}
	})
	eventually.Nil(t, "the desk waits for the kind", func() error {
		return b.condition(v1alpha1.ConditionReconciling, v1alpha1.ReasonReferenceMissing, "the cluster has no kind HTTPRoute.gateway.networking.k8s.io: install it, or change spec.exposure.type")
	})
	if _, err := envtest.InstallCRDs(cluster, install); err != nil {
		t.Fatal(err)
	}
	b.allReady()
	route := func() *unstructured.Unstructured {
		r := &unstructured.Unstructured{}
		r.SetGroupVersionKind(render.HTTPRouteKind)
		return r
	}
	made := route()
	if err := b.get(made, "shop-web"); err != nil {
		t.Fatal(err)
	}
	if err := b.client.Delete(t.Context(), made.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	eventually.Nil(t, "a route that was deleted is back", func() error { return b.get(route(), "shop-web") })
	edit(b, route(), "shop-web", func(r *unstructured.Unstructured) {
		if err := unstructured.SetNestedStringSlice(r.Object, []string{"other.example.com"}, "spec", "hostnames"); err != nil {
			t.Fatal(err)
		}
	})
	eventually.Nil(t, "an edit by hand is undone", func() error {
		r := route()
		if err := b.get(r, "shop-web"); err != nil {
			return err
		}
		if hosts, _, _ := unstructured.NestedStringSlice(r.Object, "spec", "hostnames"); len(hosts) != 1 || hosts[0] != "help.example.com" {
			return errors.New("it stands")
		}
		return nil
	})
	b.allReady()

	// An operator that finds the kind at its start does the same, and first of all nothing.
	b.stopOperator()
	b.recorder.Reset()
	b.startOperator()
	b.idle()
	if writes := b.recorder.Writes(); len(writes) > 0 {
		t.Errorf("a new operator wrote:\n%s", strings.Join(writes, "\n"))
	}
	b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.Exposure = nil })
	eventually.Nil(t, "a route that is not wanted is deleted", func() error {
		if err := b.get(route(), "shop-web"); !apierrors.IsNotFound(err) {
			return errors.Join(errors.New("it is there"), err)
		}
		return nil
	})
}

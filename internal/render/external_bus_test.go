package render_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
)

// TestExternalBusReachesEveryRole: roles connect when they start, so what says
// where their bus is, and who they are there, is in the template of all of them.
func TestExternalBusReachesEveryRole(t *testing.T) {
	templates := func(change func(*v1alpha1.ServiceDeskSpec)) map[string]corev1.PodTemplateSpec {
		r := rendered(t, "testdata/external-bus.in.yaml")
		desk, pool := r.plans.Desks[0], r.plans.Pools[0]
		change(&desk.Spec)
		change(&pool.Desk)
		all := map[string]corev1.PodTemplateSpec{}
		for _, w := range workloadsOf(t, append(r.settings.Children(desk), r.settings.PoolChildren(pool)...)) {
			all[w.name] = w.template
		}
		return all
	}
	before := templates(func(*v1alpha1.ServiceDeskSpec) {})
	if len(before) < 6 { // gateway, router, console, knowledge, archive, bots
		t.Fatalf("only %d workloads", len(before))
	}
	for _, row := range []struct {
		name   string
		change func(*v1alpha1.ServiceDeskSpec)
		rolls  bool
	}{
		{"another URL", func(d *v1alpha1.ServiceDeskSpec) {
			d.Bus.External = &v1alpha1.ExternalBus{URLs: []v1alpha1.BusURL{"tls://other.example.com:4222"}, CredentialsSecretRef: d.Bus.External.CredentialsSecretRef}
		}, true},
		{"another Secret", func(d *v1alpha1.ServiceDeskSpec) {
			d.Bus.External = &v1alpha1.ExternalBus{URLs: d.Bus.External.URLs, CredentialsSecretRef: v1alpha1.LocalObjectReference{Name: "other"}}
		}, true},
		{"another name", func(d *v1alpha1.ServiceDeskSpec) { d.DisplayName = "Other" }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			for name, template := range templates(row.change) {
				if rolls := !equality.Semantic.DeepEqual(before[name], template); rolls != row.rolls {
					t.Errorf("%s rolls out: %t", name, rolls)
				}
			}
		})
	}
}

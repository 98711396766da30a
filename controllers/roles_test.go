package controllers_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	wire "github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// roleNumbers are all values that spec.replicas of a Deployment has had, in order.
type roleNumbers struct {
	mu  sync.Mutex
	all []int32
}

// watchReplicas records them until the test ends.
func (b *bench) watchReplicas(name string) *roleNumbers {
	b.t.Helper()
	c, err := client.NewWithWatch(cluster, client.Options{Scheme: b.client.Scheme()})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.t.Context())
	w, err := c.Watch(ctx, &appsv1.DeploymentList{}, client.InNamespace(b.namespace), client.MatchingFields{"metadata.name": name})
	if err != nil {
		b.t.Fatal(err)
	}
	n, done := &roleNumbers{}, make(chan struct{})
	go func() {
		defer close(done)
		for event := range w.ResultChan() {
			if d, ok := event.Object.(*appsv1.Deployment); ok && d.Spec.Replicas != nil {
				n.mu.Lock()
				if len(n.all) == 0 || n.all[len(n.all)-1] != *d.Spec.Replicas {
					n.all = append(n.all, *d.Spec.Replicas)
				}
				n.mu.Unlock()
			}
		}
	}()
	b.t.Cleanup(func() {
		stop()
		w.Stop()
		<-done
	})
	return n
}

func (n *roleNumbers) list() []int32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.all)
}

// ownersOf the number of pods of a Deployment.
func (b *bench) ownersOf(name string) []string {
	b.t.Helper()
	var deployment appsv1.Deployment
	if err := b.get(&deployment, name); err != nil {
		b.t.Fatal(err)
	}
	var owners []string
	for _, entry := range deployment.ManagedFields {
		if strings.Contains(entry.FieldsV1.GetRawString(), `"f:replicas"`) && entry.Subresource == "" {
			owners = append(owners, entry.Manager)
		}
	}
	slices.Sort(owners)
	return owners
}

// A role whose number was fixed begins to scale with the number that it has, follows what the desk tells, and goes back
// to a fixed number: nobody else ever owns the number, and it never falls to one on the way.
func TestGatewaysFollowTheirConnections(t *testing.T) {
	d := newLinkedDesk(t)
	d.start()
	d.editDesk(func(s *v1alpha1.ServiceDeskSpec) { s.Gateway.Replicas = 4 })
	d.until("four by the spec", d.roleHas("shop-gateway", 4))
	seen := d.watchReplicas("shop-gateway")
	d.editDesk(func(s *v1alpha1.ServiceDeskSpec) {
		s.Gateway.Scaling = &v1alpha1.GatewayScaling{RoleBounds: v1alpha1.RoleBounds{Min: 2, Max: 9}, ConnectionsPerReplica: 100}
		s.Console.Scaling = &v1alpha1.ConsoleScaling{RoleBounds: v1alpha1.RoleBounds{Min: 3, Max: 3}, AgentsPerReplica: 50}
	})
	d.report.Roles = []wire.Role{{Name: "gateway", Load: 50, Replicas: 4}, {Name: "console", Load: 10, Complete: true}}
	d.until("the number has its own owner", func(*wire.Reply) error {
		for _, name := range []string{"shop-gateway", "shop-console"} {
			if owners := d.ownersOf(name); !slices.Equal(owners, []string{v1alpha1.FieldOwnerScaling}) {
				return fmt.Errorf("the number of %s belongs to %v", name, owners)
			}
		}
		return nil
	})
	if n := seen.list(); !slices.Equal(n, []int32{4}) {
		t.Errorf("at the hand-over the numbers are %v", n)
	}
	d.until("three consoles", d.roleHas("shop-console", 3))
	if owners := d.ownersOf("shop-router"); !slices.Equal(owners, []string{v1alpha1.FieldOwner}) {
		t.Errorf("the number of a role that does not scale belongs to %v", owners)
	}
	d.report.Roles[0] = wire.Role{Name: "gateway", Load: 750, Replicas: 4}
	d.until("eight for 750 connections", d.roleHas("shop-gateway", 8))
	d.report.Roles[0] = wire.Role{Name: "gateway", Load: 4000, Replicas: 8}
	d.until("max", d.roleHas("shop-gateway", 9))
	d.shown("status.roles", func(desk *v1alpha1.ServiceDesk) error {
		want := v1alpha1.RoleStatus{Name: "gateway", Replicas: 9, Load: new(int32(4000)), Reason: "4000 connections, 100 a replica: 40 are needed, max is 9"}
		if len(desk.Status.Roles) != 2 || desk.Status.Roles[0].Name != want.Name || desk.Status.Roles[0].Reason != want.Reason || *desk.Status.Roles[0].Load != *want.Load || desk.Status.Roles[0].Replicas != 9 {
			return fmt.Errorf("%+v", desk.Status.Roles)
		}
		return nil
	})
	if err := d.get(&policyv1.PodDisruptionBudget{}, "shop-gateway"); err != nil {
		t.Error(err)
	}
	// Little load goes down step by step, and only after the hold.
	d.report.Roles[0] = wire.Role{Name: "gateway", Load: 50, Replicas: 9}
	d.shown("the hold", d.statusSays("is kept"))
	if n := d.roleHas("shop-gateway", 9)(nil); n != nil {
		t.Error(n)
	}
	d.ahead.Add(int64(6 * time.Minute))
	d.until("a step down", d.roleHas("shop-gateway", 8))
	// An operator that starts anew writes nothing of it.
	d.allReady()
	d.stopOperator()
	d.recorder.Reset()
	d.startOperator()
	d.until("a report", func(*wire.Reply) error { return nil })
	d.idle()
	if writes := d.recorder.Writes(); len(writes) > 0 {
		t.Errorf("a restart costs %v", writes)
	}
	// Fixed again.
	d.editDesk(func(s *v1alpha1.ServiceDeskSpec) { s.Gateway.Scaling, s.Gateway.Replicas = nil, 6 })
	d.until("six by the spec", d.roleHas("shop-gateway", 6))
	eventually.Nil(t, "status.roles without it", func() error {
		if roles := d.bench.desk().Status.Roles; len(roles) != 1 || roles[0].Name != "console" {
			return fmt.Errorf("%+v", roles)
		}
		return nil
	})
	if owners := d.ownersOf("shop-gateway"); !slices.Equal(owners, []string{v1alpha1.FieldOwner}) {
		t.Errorf("the number belongs to %v", owners)
	}
	if n := seen.list(); !slices.Equal(n, []int32{4, 8, 9, 8, 6}) {
		t.Errorf("the numbers were %v", n)
	}
}

// roleHas says whether a Deployment wants so many pods.
func (d *desk) roleHas(name string, want int32) func(*wire.Reply) error {
	return func(*wire.Reply) error {
		var deployment appsv1.Deployment
		if err := d.get(&deployment, name); err != nil {
			return err
		}
		if n := deployment.Spec.Replicas; n == nil || *n != want {
			return fmt.Errorf("%s has %d replicas, expected %d", name, *n, want)
		}
		return nil
	}
}

// statusSays looks for a text in the reason of the gateways' number.
func (d *desk) statusSays(text string) func(*v1alpha1.ServiceDesk) error {
	return func(desk *v1alpha1.ServiceDesk) error {
		if len(desk.Status.Roles) == 0 || !strings.Contains(desk.Status.Roles[0].Reason, text) {
			return fmt.Errorf("%+v", desk.Status.Roles)
		}
		return nil
	}
}

package controllers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/apply"
	"github.com/deskfleet/deskfleet/internal/testing/apiserver"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// scenario is a change of a desk during which the operator is killed.
type scenario struct {
	name string
	// before is what exists, and is ready, before the change; empty for nothing.
	before string
	change func(*bench)
	// arrived is nil when the change is done; by default that is when everything is ready.
	arrived func(*bench) error
}

// spare is a second front line, whose deletion must leave the first one alone.
const spare = `
---
apiVersion: deskfleet.dev/v1alpha1
kind: AgentPool
metadata: {name: spare}
spec: {deskRef: {name: shop}, type: Bot, replicas: 2}
`

func scenarios() []scenario {
	return []scenario{
		{name: "create", change: func(b *bench) { b.apply(shop) }},
		{name: "update", before: shop, change: func(b *bench) {
			b.editDesk(func(d *v1alpha1.ServiceDeskSpec) {
				d.Image = "deskfleet:next"
				d.Queues = append(d.Queues, v1alpha1.Queue{Name: "vip"})
				d.Gateway.Replicas = 1
				d.Exposure = &v1alpha1.Exposure{Type: v1alpha1.ExposureIngress, Host: "help.example.com"}
			})
			edit(b, &v1alpha1.AgentPool{}, "people", func(p *v1alpha1.AgentPool) {
				p.Spec.Human.Queues = append(p.Spec.Human.Queues, "vip")
			})
			edit(b, &v1alpha1.AgentPool{}, "bots", func(p *v1alpha1.AgentPool) { p.Spec.Replicas = 3 })
		}},
		{name: "delete a part", before: exposed(shop) + spare, change: func(b *bench) {
			b.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.Exposure = nil })
			edit(b, &v1alpha1.AgentPool{}, "bots", func(p *v1alpha1.AgentPool) { p.Spec.Bot.KnowledgeBaseRefs = nil })
			pool := &v1alpha1.AgentPool{}
			if err := b.get(pool, "spare"); err != nil {
				b.t.Fatal(err)
			}
			if err := b.client.Delete(b.t.Context(), pool); err != nil {
				b.t.Fatal(err)
			}
		}},
		{name: "delete the desk", before: shop + spare, change: func(b *bench) {
			if err := b.client.Delete(b.t.Context(), b.desk()); err != nil {
				b.t.Fatal(err)
			}
		}, arrived: (*bench).deskGone},
	}
}

// deskGone is nil when the desk and everything that ran for it are gone, and its pools say so.
func (b *bench) deskGone() error {
	if err := b.collect(); err != nil {
		return err
	}
	for _, kind := range apply.DeskKinds() {
		if names := b.children(kind.List); len(names) > 0 {
			return fmt.Errorf("%s %s is still there", kind.GroupVersionKind.Kind, names[0])
		}
	}
	for _, object := range b.fleet() {
		pool, ok := object.(*v1alpha1.AgentPool)
		if !ok {
			continue
		}
		if c := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.ConditionReady); c == nil || c.Reason != v1alpha1.ReasonReferenceMissing {
			return fmt.Errorf("pool %s says %+v", pool.Name, c)
		}
	}
	return nil
}

func (s *scenario) done(b *bench) error {
	if s.arrived != nil {
		return s.arrived(b)
	}
	return b.ready()
}

func exposed(manifests string) string {
	return strings.Replace(manifests, "  escalationPolicyRef:", "  exposure: {type: Ingress, host: help.example.com}\n  escalationPolicyRef:", 1)
}

// end is where a run arrives.
type end struct {
	State string
	// Generations of the workloads: a rollout more than in the reference would show here.
	Generations map[string]int64
	// Created and Deleted are how often each object was made and deleted in the whole run.
	Created, Deleted map[string]int
}

func (b *bench) end() end {
	b.t.Helper()
	masked := func(counts map[string]int) map[string]int {
		m := map[string]int{}
		for path, n := range counts {
			m[b.anywhere(path)] = n
		}
		return m
	}
	return end{State: b.state(), Generations: b.generations(), Created: masked(b.recorder.Created()), Deleted: masked(b.recorder.Deleted())}
}

// prepare brings a bench to where the scenario begins, with an operator that runs.
func (s *scenario) prepare(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	if s.before != "" {
		b.apply(s.before)
	}
	b.startOperator()
	if s.before != "" {
		eventually.Nil(t, "ready before the change", b.ready)
	}
	return b
}

// TestKilledAtEveryWrite kills the operator before and after each of the writes
// that a change costs, and lets a new one take over: wherever the old one died,
// the end is the same, and nothing is made twice.
func TestKilledAtEveryWrite(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 3
	}
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			b := s.prepare(t)
			if s.before != "" {
				b.idle()
			}
			before := len(b.recorder.Writes())
			s.change(b)
			eventually.Nil(t, "the end", func() error { return s.done(b) })
			b.idle()
			reference, writes := b.end(), len(b.recorder.Writes())-before
			b.stopOperator()
			t.Logf("the change costs %d writes", writes)
			if writes == 0 {
				t.Fatal("the change costs no write, so nothing can be proved")
			}
			t.Run("killed", func(t *testing.T) {
				for k := 1; k <= writes; k += step {
					for _, moment := range []apiserver.Moment{apiserver.Before, apiserver.After} {
						t.Run(fmt.Sprintf("%s write %d", moment, k), func(t *testing.T) {
							t.Parallel()
							s.killed(t, k, moment, &reference)
						})
					}
				}
			})
		})
	}
}

// killed runs the scenario with a kill at the k-th write of the change.
func (s *scenario) killed(t *testing.T, k int, moment apiserver.Moment, reference *end) {
	b := s.prepare(t)
	struck := make(chan struct{})
	stop := b.stop
	b.recorder.KillAt(k, moment, func() { stop(); close(struck) })
	s.change(b)
	converged := func() error {
		if err := s.done(b); err != nil {
			return err
		}
		if diff := cmp.Diff(reference.State, b.state()); diff != "" {
			return errors.New(diff)
		}
		return nil
	}
	eventually.Nil(t, "the kill, or the end without it", func() error {
		select {
		case <-struck:
			return nil
		default: // writes are not the same in every run: this one may have had fewer
			return converged()
		}
	})
	b.stopOperator()
	b.startOperator()
	eventually.Nil(t, "convergence of a new operator", converged)
	b.stopOperator()
	if diff := cmp.Diff(*reference, b.end()); diff != "" {
		t.Errorf("the end is not that of the run without a kill (-without +with):\n%s", diff)
	}
}

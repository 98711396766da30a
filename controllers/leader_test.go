package controllers_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/testing/apiserver"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// TestNextLeaderNeedNotWait: the leader is told to end, as by a rollout of the
// operator. It gives the Lease back, so that its successor leads long before the
// Lease would have run out, and the change of leader is a change of no child.
func TestNextLeaderNeedNotWait(t *testing.T) {
	first := newBench(t)
	first.standby, first.lease = true, time.Hour
	first.startOperator()
	first.apply(shop)
	first.allReady()
	generations := first.generations()
	holder := first.leader()

	second := &bench{
		t: t, client: first.client, namespace: first.namespace, recorder: &apiserver.Recorder{}, settings: first.settings,
		standby: true, lease: first.lease,
	}
	second.startOperator()
	select {
	case <-second.elected:
		t.Fatal("two lead")
	default:
	}
	first.recorder.Reset()
	before := reconciles(t)
	first.stopOperator()
	eventually.Nil(t, "the second leads", func() error {
		select {
		case <-second.elected:
			return nil
		default:
			return errors.New("it stands by")
		}
	})
	if now := second.leader(); now == holder || now == "" {
		t.Errorf("the Lease is of %q, before it was of %q", now, holder)
	}
	eventually.Nil(t, "the second looks at everything", func() error {
		if n := reconciles(t) - before; n < float64(len(second.fleet())) {
			return fmt.Errorf("%v objects have been looked at", n)
		}
		return nil
	})
	second.idle()
	for what, b := range map[string]*bench{"former": first, "next": second} {
		if writes := b.recorder.Writes(); len(writes) > 0 {
			t.Errorf("the %s leader wrote %q", what, writes)
		}
	}
	if diff := cmp.Diff(generations, second.generations()); diff != "" {
		t.Errorf("the change of leader changed workloads (-before +after):\n%s", diff)
	}
	second.editDesk(func(d *v1alpha1.ServiceDeskSpec) { d.Gateway.Replicas = 5 })
	second.allReady()
}

// leader holds the Lease of the bench's operators.
func (b *bench) leader() string {
	b.t.Helper()
	var lease coordinationv1.Lease
	if err := b.get(&lease, leaseName); err != nil {
		b.t.Fatal(err)
	}
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// reconciles that the operators of this process have ended so far.
func reconciles(t *testing.T) (n float64) {
	t.Helper()
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			n += metric.GetCounter().GetValue()
		}
	}
	return n
}

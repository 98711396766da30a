//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/e2e/play"
)

// The bots' workers follow the customers, in both directions, and nobody who is in a conversation notices.
func TestPoolFollowsTheCustomers(t *testing.T) {
	if testing.Short() {
		t.Skip("a pool shrinks only after a minute: run without -short")
	}
	namespace := tenant(t, "e2e-pool", "shop")
	chat := address(t, namespace, "shop-gateway")
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	const slots, customers, patient = 20, 45, 5
	type gathered struct {
		crowd play.Crowd
		err   error
	}
	come := make(chan gathered, 1)
	go func() {
		crowd, err := play.Gather(ctx, chat, "How do I return an item?", customers, os.Stderr)
		come <- gathered{crowd, err}
	}()
	if err := theStage.Workers(ctx, namespace, "shop-bots", "a third worker", func(ready int32) bool { return ready*slots >= customers }); err != nil {
		t.Error(err)
	}
	g := <-come
	if g.err != nil {
		t.Fatal(g.err)
	}
	stay := g.crowd[:patient]
	defer stay.Leave()
	if err := g.crowd[patient:].End(ctx); err != nil {
		t.Fatal(err)
	}
	if err := theStage.Workers(ctx, namespace, "shop-bots", "one worker", func(ready int32) bool { return ready == 1 }); err != nil {
		t.Fatal(err)
	}
	if err := stay.Ask(ctx, "How long does delivery take?"); err != nil {
		t.Error(err)
	}
}

// All pods are replaced under fifty conversations: what was acknowledged must be in the archive, once and in order.
func TestRollingRestartLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes: run without -short")
	}
	namespace := tenant(t, "e2e-roll", "shop")
	chat := address(t, namespace, "shop-gateway")
	token, err := play.SampleToken(filepath.Join(theStage.Root(), "config", "samples", "shop"), "sara")
	if err != nil {
		t.Fatal(err)
	}
	archive := &play.Supervisor{Console: address(t, namespace, "shop-console"), Token: token}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	begin := time.Now()
	hush := play.Chatter(ctx, chat, 50, archive)
	before := pods(ctx, t, namespace)
	workloads, err := theStage.Kubectl(ctx, nil, "-n", namespace, "get", "deployments,statefulsets", "-o", "name")
	if err != nil {
		t.Fatal(err)
	}
	for workload := range strings.FieldsSeq(workloads) {
		for _, verb := range []string{"restart", "status"} {
			if _, err := theStage.Kubectl(ctx, nil, "-n", namespace, "rollout", verb, workload); err != nil {
				t.Error(err)
			}
		}
		t.Log("restarted", workload)
	}
	if err := theStage.WaitReady(ctx, namespace); err != nil {
		t.Error(err)
	}
	took := time.Since(begin)
	said, err := hush()
	if err != nil {
		t.Error(err)
	}
	t.Logf("50 customers said %d things in the %.0f s in which all pods were replaced", said, took.Seconds())
	for _, pod := range pods(ctx, t, namespace) {
		if slices.Contains(before, pod) {
			t.Errorf("pod %s was not replaced", pod)
		}
	}
}

// pods are the ids of the running pods: those of a StatefulSet keep their names.
func pods(ctx context.Context, t *testing.T, namespace string) []string {
	t.Helper()
	text, err := theStage.Kubectl(ctx, nil, "-n", namespace, "get", "pods", "--field-selector=status.phase=Running", "-o", `jsonpath={range .items[*]}{.metadata.uid}{"\n"}{end}`)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(text)
}

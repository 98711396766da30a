package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
)

// Workers waits until a pool of bots has as many workers as suits, and shows each
// change of their number and of the operator's reason meanwhile.
func (s *Stage) Workers(ctx context.Context, namespace, pool, what string, suits func(int32) bool) error {
	var shown string
	for {
		text, err := s.Kubectl(ctx, nil, "-n", namespace, "get", "pool", pool, "-o", "json")
		if err != nil {
			return err
		}
		var p v1alpha1.AgentPool
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return fmt.Errorf("pool %s: %w", pool, err)
		}
		now := fmt.Sprintf("%s: %d workers, %d ready", pool, p.Status.Replicas, p.Status.ReadyReplicas)
		if p.Status.Scaling != nil {
			now += " (" + p.Status.Scaling.Reason + ")"
		}
		if now != shown {
			shown = now
			_, _ = fmt.Fprintln(s.out, "  "+now)
		}
		if suits(p.Status.ReadyReplicas) {
			return nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return fmt.Errorf("%s was waited for: %s", what, shown)
		}
	}
}

// Evict ends a running worker of a pool through the Eviction API, as "kubectl drain" does, and returns its pod's name.
func (s *Stage) Evict(ctx context.Context, namespace, pool string) (string, error) {
	pods, err := s.Kubectl(ctx, nil, "-n", namespace, "get", "pods", "-l", v1alpha1.LabelPool+"="+pool, "--field-selector=status.phase=Running",
		"-o", "jsonpath={.items[*].metadata.name}")
	if err != nil {
		return "", err
	}
	names := strings.Fields(pods)
	if len(names) == 0 {
		return "", fmt.Errorf("pool %s has no running worker", pool)
	}
	_, err = s.Kubectl(ctx, strings.NewReader(fmt.Sprintf(`{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"namespace":%q,"name":%q}}`, namespace, names[0])),
		"create", "--raw", "/api/v1/namespaces/"+namespace+"/pods/"+names[0]+"/eviction", "-f", "-")
	return names[0], err
}

// DrainNode drains the first node of the pods that a selector names, for so long, and gives the node back. On a
// cluster of one node a drain cannot end: what replaces a pod has no place, so that the disruption budget holds the
// others; hence it is no error that it does not.
func (s *Stage) DrainNode(ctx context.Context, selector string, d time.Duration) error {
	node, err := s.Kubectl(ctx, nil, "get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
	if err != nil {
		return err
	}
	text, err := s.Kubectl(ctx, nil, "drain", node, "--pod-selector="+selector, "--delete-emptydir-data", "--timeout="+d.String())
	if err != nil && !strings.Contains(err.Error(), "global timeout reached") {
		return err
	}
	_, _ = fmt.Fprintf(s.out, "  drained %s for %s: %d pods left it\n", node, d, strings.Count(text, " evicted"))
	_, err = s.Kubectl(context.WithoutCancel(ctx), nil, "uncordon", node)
	return err
}

package stage

import (
	"context"
	"encoding/json"
	"fmt"
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

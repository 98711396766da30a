package archive

import (
	"context"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
)

// failingAfter is how long the oldest event of a webhook waits, while attempts fail, until that is trouble: a receiver that
// is restarted is none.
const failingAfter = 10 * time.Minute

// webhookTroubles are the webhooks that somebody has to look at.
func (r *role) webhookTroubles(ctx context.Context, now time.Time) (*protocol.WebhookTroubles, error) {
	states, err := r.webhookStates(ctx)
	if err != nil {
		return nil, err
	}
	found := &protocol.WebhookTroubles{}
	for i := range states {
		if t, troubled := troubleOf(&states[i], now); troubled {
			found.Troubled = append(found.Troubled, t)
		}
	}
	return found, nil
}

func troubleOf(s *protocol.WebhookState, now time.Time) (t protocol.WebhookTrouble, troubled bool) {
	t = protocol.WebhookTrouble{Name: s.Name, DisabledAt: s.DisabledAt, DeadLetters: s.DeadLetters, Problem: s.Problem}
	if s.DisabledAt.IsZero() && s.Problem != "" && !s.OldestAt.IsZero() && now.Sub(s.OldestAt) >= failingAfter {
		t.FailingSince = s.OldestAt
	}
	return t, !t.DisabledAt.IsZero() || !t.FailingSince.IsZero() || t.DeadLetters > 0
}

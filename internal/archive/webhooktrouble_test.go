package archive

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
)

// A receiver that is away for a moment is no trouble; one that fails for long, is gone, or of which something was given up is.
func TestTroubleOfWebhooks(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	long, lately := now.Add(-failingAfter), now.Add(time.Second-failingAfter)
	for name, row := range map[string]struct {
		state protocol.WebhookState
		want  *protocol.WebhookTrouble
	}{
		"it delivers":                {protocol.WebhookState{Pending: 4, OldestAt: long}, nil},
		"it fails for a moment":      {protocol.WebhookState{Pending: 4, OldestAt: lately, Problem: "status 503"}, nil},
		"it failed, nothing is left": {protocol.WebhookState{Problem: "status 503"}, nil},
		"it fails for long":          {protocol.WebhookState{Pending: 4, OldestAt: long, Problem: "status 503"}, &protocol.WebhookTrouble{FailingSince: long, Problem: "status 503"}},
		"something was given up":     {protocol.WebhookState{DeadLetters: 3}, &protocol.WebhookTrouble{DeadLetters: 3}},
		"it is gone": {protocol.WebhookState{DisabledAt: lately, OldestAt: long, Problem: "status 410"},
			&protocol.WebhookTrouble{DisabledAt: lately, Problem: "status 410"}},
	} {
		got, troubled := troubleOf(&row.state, now)
		if troubled != (row.want != nil) || troubled && !cmp.Equal(*row.want, got) {
			t.Errorf("%s: %v %+v, expected %+v", name, troubled, got, row.want)
		}
	}
}

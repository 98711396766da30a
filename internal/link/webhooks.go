package link

import (
	"fmt"
	"time"
)

// Webhooks that somebody has to look at.
type Webhooks struct {
	Troubled []WebhookTrouble `json:"troubled,omitempty"`
}

// WebhookTrouble of one webhook: it is disabled, fails, or has dead letters.
type WebhookTrouble struct {
	Name string `json:"name"`
	// DisabledAt is when its receiver answered with 410, FailingSince since when an event is tried in vain.
	DisabledAt   time.Time `json:"disabledAt,omitzero"`
	FailingSince time.Time `json:"failingSince,omitzero"`
	// DeadLetters that were given up and not replayed.
	DeadLetters int64 `json:"deadLetters,omitempty"`
	// Problem of the latest attempt in words, without secrets.
	Problem string `json:"problem,omitempty"`
}

const (
	// maxWebhooks of a desk, its channel's included, with room for later releases.
	maxWebhooks = 32
	// maxProblem in bytes.
	maxProblem = 2048
)

func (w *Webhooks) validate() error {
	if w == nil {
		return nil
	}
	if len(w.Troubled) > maxWebhooks {
		return fmt.Errorf("troubled has %d items: send at most %d", len(w.Troubled), maxWebhooks)
	}
	for i := range w.Troubled {
		t := &w.Troubled[i]
		if err := name(t.Name); err != nil {
			return fmt.Errorf("troubled[%d].%w", i, err)
		}
		if len(t.Problem) > maxProblem || t.DeadLetters < 0 {
			return fmt.Errorf("troubled[%d] has a problem of %d bytes and %d dead letters: send at most %d, and 0 or more", i, len(t.Problem), t.DeadLetters, maxProblem)
		}
	}
	return nil
}

// Same ignores how many dead letters there are, and the words of the problem: that somebody has to look, and at what, is
// news.
func (w *Webhooks) Same(other *Webhooks) bool {
	if w == nil || other == nil {
		return w == other
	}
	if len(w.Troubled) != len(other.Troubled) {
		return false
	}
	for i := range w.Troubled {
		a, b := &w.Troubled[i], &other.Troubled[i]
		if a.Name != b.Name || !a.DisabledAt.Equal(b.DisabledAt) || a.FailingSince.IsZero() != b.FailingSince.IsZero() || (a.DeadLetters > 0) != (b.DeadLetters > 0) {
			return false
		}
	}
	return true
}

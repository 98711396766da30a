package router

import (
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// The service level is that of the last five minutes: what was answered in time, of what was answered or given up
// too late.
func TestServiceLevelOfTheLastMinutes(t *testing.T) {
	begin := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	c := newCounts(begin, 1, &routing.Config{Queues: []routing.Queue{{Name: "refunds", Within: 20 * time.Second}, {Name: "general"}}})
	ends := func(queue string, body conversation.Body, after, waited time.Duration) {
		at := begin.Add(after)
		c.count(&decided{at: at, Decision: routing.Decision{Conversation: "c", Body: body, Before: conversation.State{
			Status: conversation.StatusOffered, Queue: queue, Arrival: conversation.Arrival{At: at.Add(-waited)},
		}}}, nil)
	}
	ends("refunds", &conversation.Accepted{}, 0, 20*time.Second)
	ends("refunds", &conversation.Accepted{}, time.Minute, 21*time.Second)
	ends("refunds", &conversation.Abandoned{}, time.Minute, time.Minute)
	ends("refunds", &conversation.Abandoned{}, time.Minute, 3*time.Second) // gave up before the promise was due
	ends("refunds", &conversation.Accepted{}, 4*time.Minute, time.Second)
	ends("general", &conversation.Accepted{}, time.Minute, time.Second) // promises nothing
	for after, want := range map[time.Duration]struct {
		of            int
		percent, lost float64
	}{
		4 * time.Minute:                {4, 50, 25},
		5*time.Minute + 10*time.Second: {3, 100.0 / 3, 100.0 / 3},
		7 * time.Minute:                {1, 100, 0},
		time.Hour:                      {0, 0, 0},
	} {
		if of, percent, lost := c.levels["refunds"].sum(begin.Add(after)); of != want.of || percent != want.percent || lost != want.lost {
			t.Errorf("after %v it is %v %% and %v %% of %d, want %v %% and %v %% of %d", after, percent, lost, of, want.percent, want.lost, want.of)
		}
	}
	if c.levels["general"] != nil || c.queue("refunds").AnsweredInTime != 2 || c.queue("refunds").AbandonedLate != 1 {
		t.Errorf("%d were answered in time, and general has %v", c.queue("refunds").AnsweredInTime, c.levels["general"])
	}
}

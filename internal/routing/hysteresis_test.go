package routing_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// A step is entered when the predicted wait of who comes now reaches it, and left below four fifths of it only;
// between the two it stays as it is. A replica that reads the log knows the same.
func TestStepsAreEnteredAndLeftWithAMargin(t *testing.T) {
	const step = 3 * time.Minute
	config := oneSeat(1, 50)
	config.Queues[0].Ladder = []routing.Step{{PredictedWait: step, Action: routing.ActionMessage, Say: []routing.Text{{Language: "en", Text: "It takes long."}}}}
	entered := 0
	rapid.Check(t, func(t *rapid.T) {
		d, err := routing.New(config)
		if err != nil {
			t.Fatal(err)
		}
		replica, err := routing.New(config)
		if err != nil {
			t.Fatal(err)
		}
		now := start
		do := func(in routing.Input) []routing.Decision {
			out, err := d.Decide(now, in)
			if err != nil {
				t.Fatal(err)
			}
			for _, decision := range out {
				if err := replica.Fold(event(now, decision)); err != nil {
					t.Fatal(err)
				}
			}
			return out
		}
		do(routing.SignOn{Agent: conversation.Agent{Kind: conversation.KindAgent, ID: "ann"}})
		steps, n := 0, 0
		for range 60 {
			now = now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "seconds")) * time.Second)
			if rapid.Bool().Draw(t, "comes") {
				n++
				id := conversation.ID("01JD3KZ8Q80000000000000" + string(rune('A'+n/10)) + "A" + string(rune('0'+n%10)))
				e := conversation.NewEvent(id, id, now, &conversation.Message{From: conversation.Actor{Kind: conversation.KindCustomer, ID: "c"}, Text: "x", ClientID: "m"})
				e.Seq = uint64(n)
				d.Hear(e)
				do(routing.Wrote{Conversation: id, Seq: e.Seq, Channel: "web", Contact: "c"})
			} else {
				for _, s := range d.Holding("ann") {
					do(routing.Accept{Agent: "ann", Conversation: s.ID})
					do(routing.Close{Conversation: s.ID, By: conversation.Actor{Kind: conversation.KindAgent, ID: "ann"}})
				}
			}
			for _, decision := range do(routing.Review{}) {
				if o, ok := decision.Body.(*conversation.OverflowSet); ok && o.Steps > steps {
					entered++
				}
			}
			wait, known := d.NewcomersWait("q0", now)
			before := steps
			steps = d.Queues()[1].Steps
			switch {
			case !known && steps != before:
				t.Fatalf("nothing is known, and the steps went from %d to %d", before, steps)
			case known && wait >= step && steps != 1, known && wait < step*4/5 && steps != 0:
				t.Fatalf("with a predicted wait of %v there are %d steps", wait, steps)
			case known && wait >= step*4/5 && wait < step && steps != before:
				t.Fatalf("with a predicted wait of %v, between the two, the steps went from %d to %d", wait, before, steps)
			}
			if other := replica.Queues()[1].Steps; other != steps {
				t.Fatalf("the replica believes in %d steps, not in %d", other, steps)
			}
		}
	})
	if entered == 0 {
		t.Error("no step was ever entered")
	}
}

package router

import (
	"strings"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// A step that a supervisor holds outlives the router that was told, shows in the figures of the next one, says in why
// who holds it, and ends by itself.
func TestAHeldStepOutlivesARouterAndEnds(t *testing.T) {
	d := newDesk(t)
	d.people(func(q *runtimeconfig.Queue, p *runtimeconfig.HumanSettings) {
		p.Members, p.Queues = []string{"ann"}, []string{"general", "refunds"}
		q.Overflow = []runtimeconfig.Overflow{
			{PredictedWaitSeconds: 3600, Action: runtimeconfig.OverflowPool, Pool: "backup"},
			{PredictedWaitSeconds: 7200, Action: runtimeconfig.OverflowCallback},
		}
	})
	d.doc.Pools = append(d.doc.Pools, runtimeconfig.Pool{Name: "backup", Type: runtimeconfig.PoolHuman, Concurrency: 2, Human: &runtimeconfig.HumanSettings{
		Members: []string{"ben"}, Queues: []string{"refunds"}, OfferTimeoutSeconds: 30,
	}})
	figures := make(chan protocol.Figures, 1)
	watched := func(o *Options) {
		o.OnFigures = func(f protocol.Figures) {
			select {
			case <-figures: // only the last ones
			default:
			}
			figures <- f
		}
	}
	first := d.startRouter("router-0", watched)
	boss, ann, ben := d.client(bus.PartyAgent, "boss"), d.client(bus.PartyAgent, "ann"), d.client(bus.PartyAgent, "ben")
	ann.signOn()
	ann.must(protocol.Request{Type: protocol.Presence, Presence: conversation.PresenceAway})
	ben.signOn()
	until := time.Now().Add(time.Hour)
	hold := protocol.Request{Type: protocol.HoldStep, Queue: "general", Step: 1, Until: until, Reason: "sale day"}
	if steps := queueOf(t, boss.must(hold), "general").Steps; len(steps) != 2 || steps[0].Held == nil || steps[0].Held.By != "boss" || steps[0].Target != "backup" || steps[1].Held != nil {
		t.Fatalf("the ladder is %+v", steps)
	}
	refused := hold
	refused.Step = 3
	if _, err := boss.ask(refused); !isCode(err, protocol.CodeMalformed) || !strings.Contains(err.Error(), "1 for Pool backup, 2 for Callback") {
		t.Errorf("a step that is not declared gives %v", err)
	}
	first.end(t)
	d.startRouter("router-1", watched)
	offered, _ := d.has(d.post("c-1", "m1", "hello"), conversation.TypeOffered, 1).Body.(*conversation.Offered)
	if why := strings.Join(offered.Why, "\n"); offered.Agent.ID != "ben" || !strings.Contains(why, "overflow of queue general: Pool backup is held by boss until ") {
		t.Errorf("the offer is %+v", offered)
	}
	shows := func(held int) func() bool {
		return func() bool {
			f := eventually.Receive(t, "figures", figures)
			for _, q := range f.Queues {
				if q.Name == "general" {
					return len(q.Held) == held && q.OverflowSteps < 2
				}
			}
			return false
		}
	}
	eventually.True(t, "the figures show it", shows(1))
	soon := hold
	soon.Until = time.Now().Add(2 * time.Second)
	boss.must(soon)
	eventually.True(t, "it ends by itself", func() bool {
		return queueOf(t, boss.must(protocol.Request{Type: protocol.Queues}), "general").Steps[0].Held == nil
	})
	eventually.True(t, "the figures show it no longer", shows(0))
	if _, err := d.client(bus.PartyBot, "bot-9").ask(hold); !isCode(err, protocol.CodeUnsupported) {
		t.Errorf("a bot that holds a step: %v", err)
	}
	d.check()
}

func queueOf(t testing.TB, r *protocol.Reply, name string) protocol.Queue {
	t.Helper()
	for _, q := range r.Queues {
		if q.Name == name {
			return q
		}
	}
	t.Fatalf("queue %s is not in %+v", name, r.Queues)
	return protocol.Queue{}
}

package router

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// errKilled is what a killed router hears from its log.
var errKilled = errors.New("the router was killed")

// failingLog kills the router at its nth append, before or after the bus has stored it, or holds the
// append until it is let go.
type failingLog struct {
	bus.Log
	at    int
	after bool
	// hold, when not nil, stops the router at the append instead of killing it.
	hold chan struct{}

	mu       sync.Mutex
	appends  int
	dead     bool
	reached  chan struct{}
	subjects []string
}

func newFailingLog(at int, after bool) *failingLog {
	return &failingLog{at: at, after: after, reached: make(chan struct{})}
}

func (l *failingLog) wrap(log bus.Log) bus.Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Log == nil {
		l.Log = log
	}
	return l
}

func (l *failingLog) Append(ctx context.Context, subject string, data []byte, opts bus.AppendOptions) (uint64, bool, error) {
	l.mu.Lock()
	if l.dead {
		l.mu.Unlock()
		return 0, false, errKilled
	}
	l.appends++
	l.subjects = append(l.subjects, subject)
	hit := l.appends == l.at
	if hit {
		l.dead = l.hold == nil
		defer close(l.reached)
	}
	l.mu.Unlock()
	switch {
	case hit && l.hold != nil:
		<-l.hold
		// The router was paused: its time did not pass, that of the bus did.
		return l.Log.Append(context.WithoutCancel(ctx), subject, data, opts)
	case hit && l.after:
		_, _, err := l.Log.Append(ctx, subject, data, opts)
		return 0, false, errors.Join(errKilled, err)
	case hit:
		return 0, false, errKilled
	}
	return l.Log.Append(ctx, subject, data, opts)
}

// scene plays two conversations of one contact with a bot and a person, whatever happens to the routers.
func scene(d *desk) {
	bot, ann := d.client(bus.PartyBot, "bot-0"), d.client(bus.PartyAgent, "ann")
	bot.signOn()
	ann.signOn()
	first := d.post("c-1", "m1", "hello")
	d.has(first, conversation.TypeAssigned, 1)
	d.answer(bot, first, "b1", "Good day")
	d.post("c-1", "m2", "I want a refund")
	d.has(first, conversation.TypeOffered, 1)
	ann.must(protocol.Request{Type: protocol.Accept, Conversation: first})
	d.answer(ann, first, "a1", "I refund it")
	ann.must(protocol.Request{Type: protocol.Close, Conversation: first, Disposition: "refunded"})
	d.released(first)

	second := d.post("c-1", "m3", "something else")
	assigned := d.has(second, conversation.TypeAssigned, 1)
	bot.must(protocol.Request{Type: protocol.HandOff, Conversation: second, HandOff: handOffNow(assigned.Seq)})
	d.has(second, conversation.TypeOffered, 1)
	ann.must(protocol.Request{Type: protocol.Accept, Conversation: second})
	d.answer(ann, second, "a2", "I am here")
	ann.must(protocol.Request{Type: protocol.Close, Conversation: second, Disposition: "done"})
	d.released(second)
}

// answer writes as the owner; the sequence is what the router says when asked.
func (d *desk) answer(c *client, conv conversation.ID, clientID, text string) {
	d.t.Helper()
	for {
		mine := c.must(protocol.Request{Type: protocol.Show, Conversation: conv}).Conversation
		err := c.say(conv, clientID, text, mine.OwnSeq)
		if err == nil {
			return
		}
		if !errors.Is(err, bus.ErrFenced) {
			d.t.Fatal(err)
		}
	}
}

// released waits until the claim of an ended conversation says so.
func (d *desk) released(conv conversation.ID) {
	d.t.Helper()
	d.until("the release of "+string(conv), func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, st := range d.claims {
			if c, err := conversation.DecodeClaim(st.Data); err == nil && c.Conversation == conv && c.Ended {
				return true
			}
		}
		return false
	})
}

// stories of all conversations, each sorted where the order is free.
func (d *desk) stories() string {
	var b strings.Builder
	seen := map[conversation.ID]bool{}
	for _, e := range d.stored("") {
		if !seen[e.Conversation] {
			seen[e.Conversation] = true
			fmt.Fprintf(&b, "conversation %d\n%s\n", len(seen), sorted(d.story(e.Conversation)))
		}
	}
	return b.String()
}

// TestTheLeaderIsKilledAtEachAppend kills the leader before and after each append of a scene. Another
// router takes over, and in the end the log tells the same story, with nothing lost and nothing twice.
func TestTheLeaderIsKilledAtEachAppend(t *testing.T) {
	want, appends := referenceStory(t)
	t.Logf("the scene has %d appends", appends)
	for k := 1; k <= appends; k++ {
		for _, after := range []bool{false, true} {
			name := fmt.Sprintf("before %d", k)
			if after {
				name = fmt.Sprintf("after %d", k)
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d := newDesk(t)
				fault := newFailingLog(k, after)
				victim := d.startRouter("router-0", func(o *Options) { o.WrapLog = fault.wrap })
				go func() {
					select {
					case <-fault.reached: // not always: bursts may need fewer appends
						victim.stop()
					case <-d.ctx.Done():
					}
				}()
				// The standby starts when the victim leads: the victim is the one to be killed.
				d.leads(victim, fault)
				d.startRouter("router-1", nil)
				scene(d)
				d.check()
				if diff := cmp.Diff(want, d.stories()); diff != "" {
					t.Errorf("killed at an append to %s: %s", fault.subjects[len(fault.subjects)-1], diff)
				}
			})
		}
	}
}

func referenceStory(t *testing.T) (story string, appends int) {
	t.Helper()
	t.Run("undisturbed", func(t *testing.T) {
		d := newDesk(t)
		count := newFailingLog(-1, false)
		d.startRouter("router-0", func(o *Options) { o.WrapLog = count.wrap })
		scene(d)
		d.check()
		story = d.stories()
		count.mu.Lock()
		appends = count.appends
		count.mu.Unlock()
	})
	return story, appends
}

// leads waits until the router has appended to the decision log, or is dead.
func (d *desk) leads(_ *process, fault *failingLog) {
	d.t.Helper()
	for {
		seq, err := d.intake.Log.LastSeq(d.ctx, d.names.Decisions())
		if err != nil {
			d.t.Fatal(err)
		}
		fault.mu.Lock()
		dead := fault.dead
		fault.mu.Unlock()
		if seq > 0 || dead {
			return
		}
	}
}

package router

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// steppedLog calls back right before and right behind each append of the router, which waits meanwhile.
type steppedLog struct {
	bus.Log
	step func(subject string, data []byte, behind bool)
}

func (l steppedLog) Append(ctx context.Context, subject string, data []byte, opts bus.AppendOptions) (uint64, bool, error) {
	l.step(subject, data, false)
	seq, duplicate, err := l.Log.Append(ctx, subject, data, opts)
	l.step(subject, data, true)
	return seq, duplicate, err
}

// endsClaim says whether an append of the router ends a claim.
func (d *desk) endsClaim(subject string, data []byte) bool {
	c, err := conversation.DecodeClaim(data)
	return strings.HasPrefix(subject, "ct.") && err == nil && c.Ended
}

// A message comes in between the decision to close and the claim's end, and the next one right behind that, before
// the router has come to the first: both go to the conversation, which is open again, and no other is opened.
func TestMessagesAroundTheEnd(t *testing.T) {
	d := newDesk(t)
	var slipped, next conversation.ID
	var once sync.Once
	d.startRouter("router-0", func(o *Options) {
		o.WrapLog = func(l bus.Log) bus.Log {
			return steppedLog{Log: l, step: func(subject string, data []byte, behind bool) {
				switch {
				case !d.endsClaim(subject, data):
				case !behind && slipped == "":
					slipped = d.post("c-1", "m2", "one more thing")
				case behind:
					once.Do(func() { next = d.post("c-1", "m3", "are you there?") })
				}
			}}
		}
	})
	bot := d.client(bus.PartyBot, "bot-0")
	bot.signOn()
	conv := d.post("c-1", "m1", "hello")
	d.has(conv, conversation.TypeAssigned, 1)
	d.client(bus.PartyCustomer, "c-1").must(protocol.Request{Type: protocol.Close, Conversation: conv})
	d.has(conv, conversation.TypeReopened, 1)
	d.has(conv, conversation.TypeAssigned, 2)
	if slipped != conv || next != conv {
		t.Errorf("the messages went to %s and %s, want %s", slipped, next, conv)
	}
	// Behind the claim's end with nothing that waits the next conversation begins.
	d.client(bus.PartyCustomer, "c-1").must(protocol.Request{Type: protocol.Close, Conversation: conv})
	d.has(conv, conversation.TypeClosed, 2)
	if other := d.post("c-1", "m4", "something else"); other == conv {
		t.Error("a message long behind the end reopens the conversation")
	}
	d.check()
}

// ends plays customers whose messages fall into every gap of the router's work.
type ends struct {
	*desk
	mu sync.Mutex
	// plan says what happens at the coming appends of the router: posts, and whether the last one is sent again.
	plan    []int
	contact string
	posted  []intake.Posted
}

func (e *ends) step(string, []byte, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.plan) == 0 {
		return
	}
	do := e.plan[0]
	e.plan = e.plan[1:]
	for range do % 3 {
		e.say()
	}
	if do >= 3 && len(e.posted) > 0 {
		n := len(e.posted) - 1
		again, err := e.send(n, e.posted[n].Conversation)
		if err != nil || !again.Duplicate || again.Seq != e.posted[n].Seq {
			e.t.Errorf("message %d of %s is sent again: %+v, %v; it was %+v", n, e.contact, again, err, e.posted[n])
		}
	}
}

// say posts the contact's next message; e.mu is held.
func (e *ends) say() {
	var believed conversation.ID
	if n := len(e.posted); n > 0 {
		believed = e.posted[n-1].Conversation
	}
	p, err := e.send(len(e.posted), believed)
	if err != nil || p.Duplicate {
		e.t.Errorf("message %d of %s: %+v, %v", len(e.posted), e.contact, p, err)
		return
	}
	e.posted = append(e.posted, p)
}

func (e *ends) send(n int, believed conversation.ID) (intake.Posted, error) {
	id := fmt.Sprint("m", n)
	return e.intake.Post(e.ctx, intake.Contact{Channel: "web", ID: e.contact, Language: "en"},
		conversation.Message{Text: id, ClientID: id}, believed, time.Now())
}

func (e *ends) begin(contact string, plan []int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.contact, e.plan, e.posted = contact, plan, nil
}

// last conversation that a message went to.
func (e *ends) last() intake.Posted {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.posted[len(e.posted)-1]
}

// quiet says that no message is left to come.
func (e *ends) quiet() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.plan) == 0
}

// actedOn says whether the conversations of the contact have ended with every message acted on, by their last claims.
func (e *ends) actedOn() error {
	e.desk.mu.Lock()
	defer e.desk.mu.Unlock()
	claims := map[conversation.ID]conversation.Claim{}
	for _, st := range e.desk.claims {
		if c, err := conversation.DecodeClaim(st.Data); err == nil && c.Contact == e.contact {
			claims[c.Conversation] = c
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for n, p := range e.posted {
		if c := claims[p.Conversation]; !c.Ended || c.Acted < p.Seq {
			return fmt.Errorf("message %d at %d in %s, whose last claim is %+v", n, p.Seq, p.Conversation, c)
		}
	}
	return nil
}

type lockedBuffer struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.String()
}

// Whenever a customer writes around the end of a conversation, nothing is lost or doubled, every message is acted
// on, and there is one open conversation at a time.
func TestNoMessageIsLostAroundTheEnd(t *testing.T) {
	var logged lockedBuffer
	begin := func() *ends {
		e := &ends{desk: newDesk(t)}
		e.startRouter("router-0", func(o *Options) {
			o.WrapLog = func(l bus.Log) bus.Log { return steppedLog{Log: l, step: e.step} }
			o.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelWarn}))
		})
		e.client(bus.PartyBot, "bot-0").signOn()
		return e
	}
	var desks []*ends
	contacts := 0
	rapid.Check(t, func(r *rapid.T) {
		if contacts%10 == 0 { // a desk has a time limit
			desks = append(desks, begin())
		}
		e := desks[len(desks)-1]
		contacts++
		contact := fmt.Sprint("c-", contacts)
		customer := e.client(bus.PartyCustomer, contact)
		e.begin(contact, rapid.SliceOfN(rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2, 3, 4}), 0, 24).Draw(r, "plan"))
		for range rapid.IntRange(1, 3).Draw(r, "rounds") {
			e.mu.Lock()
			e.say()
			e.mu.Unlock()
			// It may have ended in between, and the router may not have come to a new one.
			_, _ = customer.ask(protocol.Request{Type: protocol.Close, Conversation: e.last().Conversation})
		}
		// In the end every conversation can be closed. Each close may let in messages until the plan is used up.
		e.until("the last conversation of "+contact+" has ended with everything acted on", func() bool {
			if e.actedOn() == nil && e.quiet() {
				return true
			}
			if e.actedOn() == nil { // the router has nothing to do, and the plan is for what it does
				e.mu.Lock()
				e.say()
				e.mu.Unlock()
			}
			_, _ = customer.ask(protocol.Request{Type: protocol.Close, Conversation: e.last().Conversation})
			return e.actedOn() == nil && e.quiet()
		})
	})
	for _, e := range desks {
		e.check()
	}
	if lines := logged.String(); lines != "" {
		t.Errorf("the router warns:\n%s", lines)
	}
}

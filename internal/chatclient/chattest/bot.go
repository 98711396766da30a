package chattest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// Answer is what a bot does about a customer's message.
type Answer struct {
	Text  string
	Entry *conversation.Citation
	// HandOff, if not empty, is the reason in words with which the conversation goes to a person.
	HandOff string
	// Close ends the conversation.
	Close bool
}

// bot is a bot worker that speaks the roles' protocol over the bus.
type bot struct {
	d      *Desk
	answer func(m *conversation.Message) Answer

	mu sync.Mutex
	// held are the conversations that it owns, with the sequence that fences its messages, and waiting the
	// messages that came before the bot knew that it owns theirs.
	held    map[conversation.ID]uint64
	waiting map[conversation.ID][]conversation.Event
}

// Bot signs a bot worker on that answers each message of a customer, until the test ends. It needs a router.
func (d *Desk) Bot(answer func(m *conversation.Message) Answer) {
	d.T.Helper()
	b := &bot{
		d: d, answer: answer, held: map[conversation.ID]uint64{}, waiting: map[conversation.ID][]conversation.Event{},
	}
	ctx, cancel := context.WithCancel(d.T.Context())
	var work sync.WaitGroup
	d.T.Cleanup(func() {
		cancel()
		work.Wait()
	})
	if _, err := d.Conn.Subscribe(ctx, d.Subjects.Offer(bus.PartyBot, webtest.Bot.ID), b.push); err != nil {
		d.T.Fatal(err)
	}
	b.ask(ctx, protocol.Request{Type: protocol.SignOn, Agent: &webtest.Bot, Presence: conversation.PresenceOnline})
	work.Go(func() { b.beat(ctx) })
	work.Go(func() {
		_ = d.Log.Tail(ctx, []string{d.Subjects.AllMessages()}, 1, bus.TailHandler{Message: func(m bus.Stored) error {
			return b.heard(ctx, m)
		}})
	})
}

func (b *bot) beat(ctx context.Context) {
	ticker := time.NewTicker(protocol.HeartbeatEvery / 4)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if data, err := protocol.Encode(protocol.Heartbeat{V: protocol.Version}); err == nil {
			_ = b.d.Conn.Publish(ctx, b.d.Subjects.Heartbeat(bus.PartyBot, webtest.Bot.ID), data)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// push takes what the router tells.
func (b *bot) push(m *bus.Message) {
	p, err := protocol.DecodePush(m.Data)
	if err != nil || p.Conversation == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch p.Type {
	case protocol.PushAssigned:
		b.held[p.Conversation.ID] = p.Conversation.OwnSeq
		waiting := b.waiting[p.Conversation.ID]
		delete(b.waiting, p.Conversation.ID)
		for _, e := range waiting {
			b.reply(b.d.T.Context(), e)
		}
	case protocol.PushReleased:
		delete(b.held, p.Conversation.ID)
	default: // of people
	}
}

func (b *bot) heard(ctx context.Context, m bus.Stored) error {
	e, err := conversation.Decode(m.Data)
	if err != nil {
		return err
	}
	e.Seq = m.Seq
	said, ok := e.Body.(*conversation.Message)
	if !ok || said.From.Kind != conversation.KindCustomer {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, held := b.held[e.Conversation]; held {
		b.reply(ctx, e)
	} else {
		b.waiting[e.Conversation] = append(b.waiting[e.Conversation], e)
	}
	return nil
}

func (b *bot) reply(ctx context.Context, e conversation.Event) {
	said, ok := e.Body.(*conversation.Message)
	if !ok {
		return
	}
	answer, conv := b.answer(said), e.Conversation
	seq := e.Seq
	if answer.Text != "" {
		var err error
		if seq, err = b.say(ctx, conv, string(e.ID), answer); err != nil {
			// Not its own any more, which the router is about to tell. It may become so again.
			delete(b.held, conv)
			b.waiting[conv] = append(b.waiting[conv], e)
			return
		}
	}
	switch {
	case answer.HandOff != "":
		h := webtest.HandOff(seq, answer.HandOff)
		h.Language = said.Language
		b.ask(ctx, protocol.Request{Type: protocol.HandOff, Conversation: conv, HandOff: h})
	case answer.Close:
		b.ask(ctx, protocol.Request{Type: protocol.Close, Conversation: conv, Disposition: "answered"})
	}
}

func (b *bot) say(ctx context.Context, conv conversation.ID, id string, answer Answer) (uint64, error) {
	now := time.Now()
	data, err := conversation.Encode(conversation.NewEvent(conversation.NewID(now), conv, now, &conversation.Message{
		From: webtest.Bot.Actor(), Text: answer.Text, ClientID: "a-" + id, Entry: answer.Entry,
	}))
	if err != nil {
		b.d.T.Error(err)
		return 0, err
	}
	seq, _, err := b.d.Log.Append(ctx, b.d.Subjects.Messages(string(conv)), data, bus.AppendOptions{
		MsgID: intake.MsgID(conv, "a-"+id), ExpectLast: bus.Expect(b.held[conv]), ExpectFilter: b.d.Subjects.Ownership(string(conv)),
	})
	return seq, err
}

// ask the router until it has answered.
func (b *bot) ask(ctx context.Context, r protocol.Request) {
	r.V, r.ID = protocol.Version, string(conversation.NewID(time.Now()))
	data, err := protocol.Encode(r)
	if err != nil {
		b.d.T.Error(err)
		return
	}
	for ctx.Err() == nil {
		within, cancel := context.WithTimeout(ctx, protocol.RequestTimeout)
		answer, err := b.d.Conn.Request(within, b.d.Subjects.Intent(bus.PartyBot, webtest.Bot.ID), data)
		cancel()
		if err != nil {
			continue
		}
		_, err = protocol.DecodeReply(answer)
		if refused, ok := errors.AsType[*protocol.Error](err); ok && refused.Code == protocol.CodeUnavailable {
			continue
		}
		if err != nil && ctx.Err() == nil {
			b.d.T.Logf("the router refuses %s: %v", r.Type, err)
		}
		return
	}
}

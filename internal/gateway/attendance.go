package gateway

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/web/feed"
)

// answerWithin is how long other gateways may take to say that they have a socket of the conversation.
const answerWithin = time.Second

// attendance tells the router when the last socket of a conversation's customer is gone, and when there is
// one again. A customer may have sockets on several gateways, or come back through another one before this
// gateway has noticed the end: so it asks the others first, and a word of theirs takes the departure back.
type attendance struct {
	link      *link
	gateway   string
	leftAfter time.Duration
	log       *slog.Logger
	work      sync.WaitGroup

	mu      sync.Mutex
	present map[conversation.ID]*attendee
}

// attendee is the customer of one conversation.
type attendee struct {
	contact string
	sockets int
	// stay ends a departure that is under way.
	stay context.CancelFunc
	// gone ends the telling that the customer is back: without a router it would go on for ever, and a client that
	// comes and goes would begin another one each time.
	gone context.CancelFunc
}

func newAttendance(l *link, gateway string, leftAfter time.Duration, log *slog.Logger) *attendance {
	return &attendance{
		link: l, gateway: gateway, leftAfter: leftAfter, log: log,
		present: map[conversation.ID]*attendee{},
	}
}

// enter counts a socket of the conversation's customer. again asks to tell the router that the customer is
// back; a conversation that has just been opened does not need it.
func (a *attendance) enter(conv conversation.ID, contact string, again bool) {
	a.mu.Lock()
	who := a.present[conv]
	if who == nil {
		who = &attendee{contact: contact}
		a.present[conv] = who
	}
	who.sockets++
	first := who.sockets == 1
	back := a.link.Base
	if first && again {
		back, who.gone = context.WithCancel(a.link.Base)
	}
	if who.stay != nil {
		who.stay()
		who.stay = nil
	}
	a.mu.Unlock()
	if !first {
		return
	}
	a.link.Feed.Join(a, feed.OfConversation(string(conv)))
	if again {
		a.say(feed.LivePresent, conv)
		a.work.Go(func() { a.tell(back, protocol.Back, conv, contact) })
	}
}

// leave counts a socket's end.
func (a *attendance) leave(conv conversation.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	who := a.present[conv]
	if who == nil {
		return
	}
	if who.sockets--; who.sockets > 0 {
		return
	}
	if who.gone != nil {
		who.gone()
		who.gone = nil
	}
	if a.link.Base.Err() != nil {
		return
	}
	ctx, stay := context.WithCancel(a.link.Base)
	who.stay = stay
	a.work.Go(func() {
		defer stay()
		a.depart(ctx, conv, who)
	})
}

// depart tells the router after a while, unless the customer turns up somewhere.
func (a *attendance) depart(ctx context.Context, conv conversation.ID, who *attendee) {
	defer a.forget(conv, who)
	if !sleep(ctx, a.leftAfter) {
		return
	}
	a.say(feed.LiveSought, conv)
	if !sleep(ctx, answerWithin) {
		return
	}
	a.tell(ctx, protocol.Left, conv, who.contact)
}

// forget drops an attendee who has no socket here any more.
func (a *attendance) forget(conv conversation.ID, who *attendee) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.present[conv] == who && who.sockets == 0 {
		delete(a.present, conv)
		a.link.Feed.Leave(a, feed.OfConversation(string(conv)))
	}
}

// tell asks the router until it has answered: a customer who is away for ever must not keep a place.
func (a *attendance) tell(ctx context.Context, what protocol.RequestType, conv conversation.ID, contact string) {
	req := protocol.Request{ID: string(conversation.NewID(time.Now())), Type: what, Conversation: conv}
	for ctx.Err() == nil {
		err := a.ask(ctx, contact, &req)
		if err == nil || isRefusal(err) {
			return
		}
		a.log.DebugContext(ctx, "router not told yet", "what", what, "conversation", conv, "error", err)
	}
}

// ask the router once. A departure follows all that the customer has said: a message that the router read later would
// bring the customer back, or open a conversation with nobody there.
func (a *attendance) ask(ctx context.Context, contact string, req *protocol.Request) error {
	if req.Type == protocol.Left {
		last, err := a.link.Log.LastSeq(ctx, a.link.intake.Subjects.Messages(string(req.Conversation)))
		if err != nil {
			return err
		}
		req.Seq = last
	}
	_, err := a.link.router.Ask(ctx, contact, *req)
	return err
}

func (a *attendance) say(kind string, conv conversation.ID) {
	data, err := feed.EncodeAttendance(kind, conv, a.gateway)
	if err == nil {
		err = a.link.Conn.Publish(a.link.Base, a.link.intake.Subjects.Live(string(conv)), data)
	}
	if err != nil {
		a.log.Debug("other gateways not told", "kind", kind, "conversation", conv, "error", err)
	}
}

// Live implements feed.Sink: what other gateways say.
func (a *attendance) Live(l feed.Live) {
	said, ok := feed.DecodeAttendance(l.Data)
	if !ok || said.Gateway == a.gateway || string(said.Conversation) != l.Conversation {
		return
	}
	a.mu.Lock()
	who := a.present[said.Conversation]
	here := who != nil && who.sockets > 0
	if who != nil && who.stay != nil && said.Type == feed.LivePresent {
		who.stay()
		who.stay = nil
	}
	a.mu.Unlock()
	if here && said.Type == feed.LiveSought {
		a.say(feed.LivePresent, said.Conversation)
	}
}

// Stored implements feed.Sink.
func (a *attendance) Stored(feed.Stored) {}

// Reset implements feed.Sink.
func (a *attendance) Reset() {}

// wait for all that is under way; base has ended.
func (a *attendance) wait() { a.work.Wait() }

// sleep returns false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

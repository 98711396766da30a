package gateway

import (
	"context"
	"errors"
	"slices"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/web/feed"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// Deliver implements socket.Session: it writes to the customer what was pushed, in order.
func (s *session) Deliver(ctx context.Context, item any) error {
	switch item := item.(type) {
	case hello:
		return s.begin(ctx, item.frame)
	case feed.Stored:
		return s.stored(ctx, item)
	case feed.Live:
		return s.live(ctx, item)
	case asked:
		return s.placed(ctx, item)
	case reset:
		return &socket.Closing{Code: socket.CodeRestart, Reason: "the desk's log was replaced: begin anew"}
	default:
		return s.sock.Write(ctx, item)
	}
}

// begin sends the welcome and what the client has missed. It joins the topics before it reads the log, so
// that nothing falls between what is read and what the feed brings.
func (s *session) begin(ctx context.Context, f *chatwire.ClientFrame) error {
	if err := s.resume(ctx, f); err != nil {
		if ctx.Err() != nil || errors.Is(err, socket.ErrGone) {
			return err // nobody is there to be told
		}
		p := problem.From(err)
		s.g.log.Log(ctx, problem.Level(ctx, err), "customer cannot resume", "contact", s.contact.ID, "error", err)
		_ = s.sock.Write(ctx, chatwire.Error{Type: chatwire.TypeError, Problem: p}) // it is closed in any case
		return &socket.Closing{Code: socket.CodeSlow, Reason: "cannot serve now"}
	}
	return nil
}

func (s *session) resume(ctx context.Context, f *chatwire.ClientFrame) error {
	s.link.Feed.Join(s, feed.OfContact(Channel, s.contact.ID))
	current, err := s.current(ctx, f.Start)
	if err != nil {
		return err
	}
	past, err := s.past(ctx, f.Conversation, current)
	if err != nil {
		return err
	}
	after, anew, err := s.cursor(ctx, f.ResumeAfter, past)
	if err != nil {
		return err
	}
	if err := s.welcome(ctx, current, anew); err != nil {
		return err
	}
	done := chatwire.CaughtUp{Type: chatwire.TypeCaughtUp, Seq: after}
	for _, p := range past {
		v := s.view(p.conv)
		for _, m := range p.stored {
			if err := s.write(ctx, v, m, after); err != nil {
				return err
			}
		}
		done.Seq = max(done.Seq, v.last)
	}
	if current.conv != "" {
		state := s.view(current.conv).public()
		done.Conversation, done.State = current.conv, &state
	}
	if err := s.sock.Write(ctx, done); err != nil {
		return err
	}
	s.join(current)
	return nil
}

// current follows the contact's latest conversation, and opens one first if that is wanted.
func (s *session) current(ctx context.Context, start bool) (claimed, error) {
	c, err := s.link.latest(ctx, s.contact.ID)
	if err != nil {
		return c, err
	}
	if start && !c.open {
		joined, err := s.link.start(ctx, s.g, s.contact, s.language)
		if err != nil {
			return c, err
		}
		c = claimed{conv: joined.Conversation, seq: joined.Seq, open: true}
	}
	if c.conv != "" {
		s.follow(followed{conv: c.conv, claim: c.seq, ended: !c.open})
	}
	return c, nil
}

// recorded is what is stored of one conversation.
type recorded struct {
	conv   conversation.ID
	stored []bus.Stored
}

// past reads the conversation that the client shows, if it is the contact's, and the current one. They are
// read whole, so that their state is known and a message that was stored twice is not sent twice.
func (s *session) past(ctx context.Context, shown conversation.ID, current claimed) ([]recorded, error) {
	var out []recorded
	for _, conv := range slices.Compact([]conversation.ID{shown, current.conv}) {
		if conv == "" {
			continue
		}
		stored, err := s.link.recorded(ctx, conv, s.contact.ID, conv == current.conv)
		if errors.Is(err, errForeign) {
			s.g.log.DebugContext(ctx, "conversation not shown again", "conversation", conv, "error", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, recorded{conv: conv, stored: stored})
	}
	return out, nil
}

// cursor is the sequence behind which the client needs everything. A client that has seen a sequence that
// the log has not reached has seen another log: it needs everything anew.
func (s *session) cursor(ctx context.Context, after uint64, past []recorded) (from uint64, anew bool, err error) {
	for _, p := range past {
		if n := len(p.stored); n > 0 && p.stored[n-1].Seq >= after {
			return after, false, nil
		}
	}
	if after == 0 {
		return 0, false, nil
	}
	info, err := s.link.Log.Info(ctx)
	if err != nil {
		return 0, false, err
	}
	if after > info.LastSeq {
		return 0, true, nil
	}
	return after, false, nil
}

func (s *session) welcome(ctx context.Context, current claimed, anew bool) error {
	doc := s.g.document()
	w := chatwire.Welcome{
		Type: chatwire.TypeWelcome, V: chatwire.Version, Token: s.contact.Token, Anew: anew,
		Contact: chatwire.ContactCard{ID: s.contact.ID, Name: s.contact.Name},
		Desk:    chatwire.DeskCard{DisplayName: doc.DisplayName, Languages: doc.Languages},
		Limits: chatwire.Limits{
			MaxMessageLength: doc.WebChat.MaxMessageLength, MessagesPerMinute: doc.WebChat.MessagesPerMinute,
		},
	}
	if current.open {
		w.Conversation = current.conv
	}
	return s.sock.Write(ctx, w)
}

// write folds an event and sends what the customer sees of it.
func (s *session) write(ctx context.Context, v *view, m bus.Stored, after uint64) error {
	frame, err := v.fold(m)
	if err != nil {
		// One event that does not fit must not end the conversation for its customer.
		s.g.log.WarnContext(ctx, "event left out", "conversation", v.state.ID, "error", err)
		return nil
	}
	if frame == nil || m.Seq <= after {
		return nil
	}
	return s.sock.Write(ctx, frame)
}

func (s *session) view(conv conversation.ID) *view {
	v := s.views[conv]
	if v == nil {
		v = newView(conv)
		s.views[conv] = v
	}
	return v
}

// join makes the session the customer's presence and asks for the place in the queue.
func (s *session) join(c claimed) {
	if !c.open {
		return
	}
	s.attend(c.conv, true)
	if !s.view(c.conv).state.Status.Waiting() {
		return
	}
	s.link.attend.work.Go(func() {
		reply, err := s.link.router.Ask(s.link.Base, s.contact.ID, protocol.Request{Type: protocol.Show, Conversation: c.conv})
		if err != nil || reply.Conversation == nil {
			return // the next change of the place is pushed
		}
		s.sock.Push(asked{chatwire.Position{
			Type: chatwire.TypePosition, Conversation: c.conv, Queue: reply.Conversation.Queue,
			Position: reply.Conversation.Position, Waiting: reply.Conversation.Waiting,
			ExpectedWaitSeconds: reply.Conversation.ExpectedWaitSeconds,
		}})
	})
}

// asked is pushed to the writer with the place that the router was asked for.
type asked struct{ place chatwire.Position }

// placed sends the place that was asked for, unless the desk has moved on: the answer and what the router pushes
// come by different ways, and an old place would stand until the next change.
func (s *session) placed(ctx context.Context, a asked) error {
	v := s.view(a.place.Conversation)
	if v.placed || !v.state.Status.Waiting() || a.place.Position == 0 {
		return nil
	}
	return s.sock.Write(ctx, a.place)
}

// stored sends what the feed brought, unless it was read from the log already.
func (s *session) stored(ctx context.Context, m feed.Stored) error {
	conv := conversation.ID(m.Subject.Conversation)
	v := s.view(conv)
	before := v.state.Status
	if err := s.write(ctx, v, m.Stored, 0); err != nil {
		return err
	}
	now := v.state.Status
	if before == now || conv != s.open() {
		return nil
	}
	if now.Ended() {
		s.attend("", false)
	} else {
		s.attend(conv, false)
	}
	s.forgetOld()
	return nil
}

// forgetOld drops the views of conversations that are followed no longer.
func (s *session) forgetOld() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conv := range s.views {
		if !slices.ContainsFunc(s.follows, func(f followed) bool { return f.conv == conv }) {
			delete(s.views, conv)
		}
	}
}

func (s *session) live(ctx context.Context, l feed.Live) error {
	switch feed.TypeOf(l.Data) {
	case feed.LiveTyping:
		t, ok := feed.DecodeTyping(l.Data)
		if !ok || t.From.Kind == conversation.KindCustomer {
			return nil
		}
		return s.sock.Write(ctx, chatwire.Typing{
			Type: chatwire.TypeTyping, Conversation: conversation.ID(l.Conversation),
			From: party(t.From.Kind, t.From.Name), On: t.On,
		})
	case protocol.LivePosition:
		p, ok, err := protocol.DecodePosition(l.Data)
		if err != nil || !ok {
			return nil //nolint:nilerr // what a neighbouring release pushes otherwise is left out
		}
		conv := conversation.ID(l.Conversation)
		if v := s.views[conv]; v != nil {
			v.placed = true
		}
		return s.sock.Write(ctx, chatwire.Position{
			Type: chatwire.TypePosition, Conversation: conv, Queue: p.Queue, Position: p.Position, Waiting: p.Waiting,
			ExpectedWaitSeconds: p.ExpectedWaitSeconds,
		})
	}
	return nil
}

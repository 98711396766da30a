package console

import (
	"context"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/web/feed"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// Deliver implements socket.Session: it writes to the agent what was pushed, in order.
func (s *session) Deliver(ctx context.Context, item any) error {
	switch item := item.(type) {
	case begin:
		return s.begin(ctx, item.frame)
	case look:
		return s.looked(ctx, item.conv)
	case feed.Stored:
		return s.stored(ctx, item)
	case feed.Live:
		return s.live(ctx, item)
	case watching:
		return s.watch(ctx, item)
	case reset:
		return &socket.Closing{Code: socket.CodeRestart, Reason: "the desk's log was replaced: begin anew"}
	default:
		return s.sock.Write(ctx, item)
	}
}

func (s *session) begin(ctx context.Context, f *agentwire.ClientFrame) error {
	doc := s.c.document()
	queues := make([]string, len(doc.Queues))
	for i, q := range doc.Queues {
		queues[i] = q.Name
	}
	err := s.sock.Write(ctx, agentwire.Welcome{
		Type: agentwire.TypeWelcome, V: agentwire.Version,
		Agent:  agentwire.AgentCard{ID: s.user.Name, Role: string(s.user.Role)},
		Desk:   agentwire.DeskCard{DisplayName: doc.DisplayName, Languages: doc.Languages, Queues: queues},
		Limits: agentwire.Limits{MaxMessageBytes: conversation.MaxTextBytes},
	})
	if err != nil {
		return err
	}
	for conv, after := range f.Resume {
		if err := s.follow(ctx, conv, after, true); err != nil {
			return err
		}
	}
	return nil
}

// looked is told that something was said about a conversation. If it is followed the feed brings it.
func (s *session) looked(ctx context.Context, conv conversation.ID) error {
	if s.views[conv] != nil {
		return nil
	}
	return s.follow(ctx, conv, 0, false)
}

// follow reads a conversation and goes on following it if it concerns the agent. asked says that the client
// wants to know in any case.
func (s *session) follow(ctx context.Context, conv conversation.ID, after uint64, asked bool) error {
	// Joined before it is read, so that nothing falls in between.
	s.link.Feed.Join(s, feed.OfConversation(string(conv)))
	stored, err := s.link.read(ctx, conv)
	if ctx.Err() != nil {
		return ctx.Err() // nobody is there to be told
	}
	if err != nil {
		s.c.log.Log(ctx, problem.Level(ctx, err), "conversation cannot be read", "conversation", conv, "error", err)
		_ = s.sock.Write(ctx, agentwire.Error{Type: agentwire.TypeError, Conversation: conv, Problem: problem.From(err)}) // closed in any case
		return &socket.Closing{Code: socket.CodeSlow, Reason: "cannot serve now"}
	}
	// A client that has seen more than there is has seen another log.
	anew := after > 0 && len(stored) > 0 && stored[len(stored)-1].Seq < after
	if anew {
		after = 0
	}
	v := newView(conv, s.user.Name, after)
	v.anew = anew
	_, v.watched = s.watched[conv]
	for _, m := range stored {
		s.fold(ctx, v, m)
	}
	s.views[conv] = v
	if v.relation() == agentwire.None {
		s.forget(conv)
		if !asked {
			return nil
		}
	}
	return s.show(ctx, v)
}

// read a conversation from the log.
func (l *link) read(ctx context.Context, conv conversation.ID) ([]bus.Stored, error) {
	var out []bus.Stored
	for m, err := range l.Log.Read(ctx, l.subjects.Conversation(string(conv)), 0) {
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func (s *session) fold(ctx context.Context, v *view, m bus.Stored) {
	if err := v.fold(m); err != nil {
		// One event that does not fit must not end the conversation for its agent.
		s.c.log.WarnContext(ctx, "event left out", "conversation", v.state.ID, "error", err)
	}
}

// show sends what is new in a conversation.
func (s *session) show(ctx context.Context, v *view) error {
	f, changed := v.frame()
	// Before the frame: whoever is told that it owns a conversation may speak at once.
	s.hold(v, f.Relation)
	if changed {
		before := v.shown.Relation
		v.shown = f
		if err := s.sock.Write(ctx, f); err != nil {
			return err
		}
		if f.Relation.Reads() && before != f.Relation {
			return s.caughtUp(ctx, v)
		}
	}
	if f.Relation.Reads() {
		return s.flush(ctx, v)
	}
	return nil
}

// watch begins or ends to show a conversation that is not the agent's.
func (s *session) watch(ctx context.Context, w watching) error {
	if w.on {
		s.watched[w.conv] = struct{}{}
	} else {
		delete(s.watched, w.conv)
	}
	v := s.views[w.conv]
	if v == nil {
		if !w.on {
			return nil
		}
		return s.follow(ctx, w.conv, 0, true)
	}
	v.watched = w.on
	if err := s.show(ctx, v); err != nil {
		return err
	}
	if v.relation() == agentwire.None {
		s.forget(w.conv)
	}
	return nil
}

// caughtUp sends the transcript of a conversation that the agent may read from now on.
func (s *session) caughtUp(ctx context.Context, v *view) error {
	if err := s.flush(ctx, v); err != nil {
		return err
	}
	return s.sock.Write(ctx, agentwire.CaughtUp{Type: agentwire.TypeCaughtUp, Conversation: v.state.ID, Seq: v.last})
}

func (s *session) flush(ctx context.Context, v *view) error {
	unsent := v.unsent
	v.unsent = nil
	for i := range unsent {
		if err := s.sock.Write(ctx, unsent[i]); err != nil {
			return err
		}
	}
	return nil
}

// hold tells the reader what it may speak in, and the router how much that is.
func (s *session) hold(v *view, relation agentwire.Relation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if relation == agentwire.Owned {
		s.holds[v.state.ID] = holdOf(v)
	} else {
		delete(s.holds, v.state.ID)
	}
	if s.agent != nil {
		s.agent.holds(len(s.holds))
	}
}

func (s *session) forget(conv conversation.ID) {
	s.link.Feed.Leave(s, feed.OfConversation(string(conv)))
	delete(s.views, conv)
	delete(s.watched, conv)
}

// stored takes what the feed brought, unless it was read from the log already.
func (s *session) stored(ctx context.Context, m feed.Stored) error {
	v := s.views[conversation.ID(m.Subject.Conversation)]
	if v == nil || m.Seq <= v.last {
		return nil
	}
	s.fold(ctx, v, m.Stored)
	if err := s.show(ctx, v); err != nil {
		return err
	}
	if v.relation() == agentwire.None {
		s.forget(v.state.ID)
	}
	return nil
}

func (s *session) live(ctx context.Context, l feed.Live) error {
	t, ok := feed.DecodeTyping(l.Data)
	v := s.views[conversation.ID(l.Conversation)]
	if !ok || v == nil || !v.shown.Relation.Reads() || t.From.ID == s.user.Name {
		return nil
	}
	return s.sock.Write(ctx, agentwire.Typing{
		Type: agentwire.TypeTyping, Conversation: conversation.ID(l.Conversation), From: t.From, On: t.On,
	})
}

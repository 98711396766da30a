package chatclient

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// hello implements talker.
func (a *Agent) hello() any {
	a.mu.Lock()
	defer a.mu.Unlock()
	resume := make(map[conversation.ID]uint64, len(a.dialogs))
	for id, d := range a.dialogs {
		// What is watched only is asked for again.
		if len(resume) < agentwire.MaxResume && d.shown.Relation != agentwire.Watched {
			resume[id] = d.seq
		}
	}
	return agentwire.ClientFrame{
		Type: agentwire.TypeSignIn, V: agentwire.Version, Token: a.token, Presence: a.wanted, Resume: resume,
	}
}

// due implements talker.
func (a *Agent) due(now time.Time) (any, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.online {
		return nil, 0
	}
	var wait time.Duration
	sooner := func(d time.Duration) {
		if d > 0 && (wait == 0 || d < wait) {
			wait = d
		}
	}
	for _, d := range a.dialogs {
		if !d.caughtUp {
			continue
		}
		p, again := d.outbox.next(now)
		if p != nil {
			p.sent = true
			return agentwire.ClientFrame{
				Type: agentwire.TypeMessage, Conversation: d.shown.Conversation, ClientID: p.ClientID, Text: p.Text, Note: p.Note,
			}, 0
		}
		sooner(again)
	}
	for _, r := range a.requests {
		if r.sent || !a.may(r) {
			continue
		}
		if left := r.until.left(now); left > 0 {
			sooner(left)
			continue
		}
		r.sent = true
		return r.frame, 0
	}
	return nil, wait
}

// may says whether a request can be sent now: after a lost connection the console first tells what has
// become of the conversation, and messages that were said before go first.
func (a *Agent) may(r *request) bool {
	if r.frame.Conversation == "" || opens(&r.frame) {
		return true
	}
	d := a.dialogs[r.frame.Conversation]
	return d != nil && d.fresh && len(d.outbox.waiting) == 0
}

// lost implements talker.
func (a *Agent) lost(ctx context.Context, err error, pause time.Duration) {
	a.mu.Lock()
	a.online = false
	for _, d := range a.dialogs {
		d.fresh, d.caughtUp = false, false
		d.outbox.offline()
	}
	for _, r := range a.requests {
		r.again = r.again || r.sent
		r.sent = false
	}
	a.mu.Unlock()
	a.push(ctx, Lost{Err: err, RetryIn: pause})
}

func (a *Agent) push(ctx context.Context, e AgentEvent) {
	select {
	case a.events <- e:
	case <-ctx.Done():
	}
}

// take implements talker.
func (a *Agent) take(ctx context.Context, v *visit, frame []byte) error {
	f, err := agentwire.DecodeServer(frame)
	if err != nil {
		return err
	}
	switch f.Type {
	case agentwire.TypeGoodbye:
		v.hint = time.Duration(f.RetryAfterMillis) * time.Millisecond
	case agentwire.TypeError:
		v.problem = f.Problem
	case agentwire.TypeWelcome:
		v.online()
	}
	a.mu.Lock()
	event := a.learn(f)
	a.mu.Unlock()
	if event != nil {
		a.push(ctx, event)
	}
	return nil
}

// learn takes a frame in and gives the event for the caller, nil for none.
func (a *Agent) learn(f *agentwire.ServerFrame) AgentEvent {
	switch f.Type {
	case agentwire.TypeWelcome:
		a.me, a.online = f.Agent, true
		if !a.wasReady {
			a.wasReady = true
			close(a.ready)
		}
		a.watchAgain()
		return SignedIn{Me: f.Agent, Desk: f.Desk}
	case agentwire.TypePresence:
		return a.present(f)
	case agentwire.TypeConversation:
		return a.related(agentwire.Conversation{
			Type: f.Type, Conversation: f.Conversation, Relation: f.Relation, Anew: f.Anew, Card: f.Card,
		})
	case agentwire.TypeMessage:
		return a.heard(f)
	case agentwire.TypeCaughtUp:
		return a.read(f)
	case agentwire.TypeAck:
		if d := a.dialogs[f.Conversation]; d != nil {
			d.outbox.settle(Receipt{ClientID: f.ClientID, Conversation: f.Conversation, Seq: f.Seq, Duplicate: f.Duplicate}, nil)
		}
	case agentwire.TypeDone:
		a.answered(f.ID)
	case agentwire.TypeError:
		return a.refused(f, time.Now())
	case agentwire.TypeTyping:
		return CustomerWriting{agentwire.Typing{Type: f.Type, Conversation: f.Conversation, From: f.From, On: f.On}}
	}
	return nil // a ping, figures, or of a newer release
}

func (a *Agent) present(f *agentwire.ServerFrame) AgentEvent {
	before := a.presence
	a.presence = agentwire.PresenceFrame{
		Type: f.Type, Presence: f.Presence, SignedOn: f.SignedOn, Why: f.Why,
		Slots: f.Slots, Busy: f.Busy,
	}
	// Changed by the desk: coming back with the old wish would undo it.
	if len(f.Why) > 0 {
		a.wanted = f.Presence
	}
	for _, r := range slices.Clone(a.requests) {
		if r.frame.Type != agentwire.TypePresence {
			continue
		}
		switch {
		case a.confirmed(r.frame.Presence):
			a.answer(r, nil)
		case len(f.Why) > 0 && !f.SignedOn:
			a.answer(r, problem.New(http.StatusForbidden, problem.CodeForbidden, f.Why[0], "ask the desk's operator"))
		}
	}
	// A console that does not know the agent yet says offline at first.
	passing := !f.SignedOn && len(f.Why) == 0 && a.wanted != agentwire.Offline
	same := before.Presence == f.Presence && before.SignedOn == f.SignedOn && slices.Equal(before.Why, f.Why)
	if passing || same {
		return nil
	}
	return Present{a.presence}
}

// related takes the agent's relation to a conversation in.
func (a *Agent) related(now agentwire.Conversation) AgentEvent {
	d := a.dialogs[now.Conversation]
	if d == nil {
		if now.Relation == agentwire.None {
			return nil // it never was the agent's, or was given up here
		}
		d = &dialog{}
		a.dialogs[now.Conversation] = d
	}
	before := d.shown
	d.shown, d.fresh = now, true
	if now.Anew {
		d.seq, d.told = 0, false
	}
	if !now.Relation.Reads() {
		d.told, d.caughtUp = false, false
		d.outbox.end(ErrReleased)
	}
	if now.Relation == agentwire.None {
		delete(a.dialogs, now.Conversation)
	}
	a.fulfil(now)
	same := before.Relation == now.Relation && before.Card.Status == now.Card.Status &&
		before.Card.Queue == now.Card.Queue && before.Card.Priority == now.Card.Priority && slices.Equal(before.Card.Tags, now.Card.Tags)
	if same && !now.Anew {
		return nil
	}
	return Related{now}
}

// fulfil answers the requests about a conversation that its new state answers.
func (a *Agent) fulfil(now agentwire.Conversation) {
	for _, r := range slices.Clone(a.requests) {
		if r.frame.Conversation != now.Conversation {
			continue
		}
		accept := r.frame.Type == agentwire.TypeAccept
		switch {
		case accept && now.Relation == agentwire.Owned:
			a.answer(r, nil)
		case now.Relation != agentwire.None:
		case accept, !r.sent && !r.again:
			a.answer(r, ErrReleased)
		default:
			a.answer(r, nil) // declined, handed off or closed
		}
	}
}

func (a *Agent) heard(f *agentwire.ServerFrame) AgentEvent {
	d := a.dialogs[f.Conversation]
	if d == nil || f.Seq <= d.seq {
		return nil
	}
	d.seq = f.Seq
	// It is stored, whether or not its acknowledgement came.
	if f.From.Kind == conversation.KindAgent && f.From.ID == a.me.ID {
		d.outbox.settle(Receipt{ClientID: f.ClientID, Conversation: f.Conversation, Seq: f.Seq}, nil)
	}
	return Heard{agentwire.Message{
		Type: f.Type, Conversation: f.Conversation, Seq: f.Seq, ID: conversation.ID(f.ID), At: f.At, From: f.From, Text: f.Text,
		Language: f.Language, ClientID: f.ClientID, Entry: f.Entry, Note: f.Note,
	}}
}

func (a *Agent) read(f *agentwire.ServerFrame) AgentEvent {
	d := a.dialogs[f.Conversation]
	if d == nil {
		return nil
	}
	d.caughtUp = true
	if d.told {
		return nil // resumed
	}
	d.told = true
	return Read{agentwire.CaughtUp{Type: f.Type, Conversation: f.Conversation, Seq: f.Seq}}
}

// answer ends a request and tells whoever waits.
func (a *Agent) answer(r *request, err error) {
	i := slices.Index(a.requests, r)
	if i < 0 {
		return // answered before
	}
	a.requests = slices.Delete(a.requests, i, i+1)
	r.err = err
	close(r.done)
}

// answered takes the console's agreement to a request. Being present, or the owner, is more than that: a
// frame of its own tells it, which may come later.
func (a *Agent) answered(id string) {
	i := slices.IndexFunc(a.requests, func(r *request) bool { return r.frame.ID == id })
	if i < 0 {
		return
	}
	r := a.requests[i]
	switch r.frame.Type {
	case agentwire.TypePresence:
		if !a.confirmed(r.frame.Presence) {
			return
		}
	case agentwire.TypeAccept:
		if d := a.dialogs[r.frame.Conversation]; d != nil && d.shown.Relation != agentwire.Owned {
			return
		}
	}
	a.answer(r, nil)
}

// refused takes a refusal in. What may be taken later is kept and sent again.
func (a *Agent) refused(f *agentwire.ServerFrame, now time.Time) AgentEvent {
	if f.Problem == nil {
		return nil
	}
	again := retryAfter(f.Problem)
	d := a.dialogs[f.Conversation]
	switch {
	case f.ID != "":
		a.refusedRequest(f, again, now)
		return nil
	case f.ClientID != "" && d != nil && again > 0:
		d.outbox.delay(f.ClientID, after(now, again))
		return nil
	case f.ClientID != "" && d != nil:
		d.outbox.settle(Receipt{ClientID: f.ClientID}, f.Problem)
	case f.Problem.Code() == problem.CodeToken, f.Problem.Code() == problem.CodeUnauthorised:
		return nil // ends the client
	}
	return AgentRefused{Conversation: f.Conversation, ClientID: f.ClientID, Problem: f.Problem}
}

func (a *Agent) refusedRequest(f *agentwire.ServerFrame, again time.Duration, now time.Time) {
	i := slices.IndexFunc(a.requests, func(r *request) bool { return r.frame.ID == f.ID })
	if i < 0 {
		return
	}
	r := a.requests[i]
	switch {
	case again > 0:
		r.sent, r.until = false, after(now, again)
	case r.again && r.frame.Type != agentwire.TypeAccept && f.Problem.Status != http.StatusBadRequest:
		// What is refused now had effect when it was first sent: the conversation is not the agent's any more.
		a.answer(r, nil)
	default:
		a.answer(r, f.Problem)
	}
}

var _ talker = (*Agent)(nil)

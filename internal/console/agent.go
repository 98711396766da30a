package console

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// agent is one person with all sockets that the person has at this console. One goroutine brings what the
// router believes of the agent in line with what the agent wants.
type agent struct {
	all    *agents
	id     string
	cancel context.CancelFunc
	wake   chan struct{}

	mu       sync.Mutex
	sessions map[*session]struct{}
	wanted   agentwire.Presence
	// signedOn and presence are what the router has confirmed.
	signedOn bool
	presence conversation.Presence
	// stale asks for the agent's conversations.
	stale bool
	// holding is how many conversations the agent owns; nil until a session knows.
	holding *int
	// told is the last presence frame.
	told agentwire.PresenceFrame
}

// look is pushed to sessions: the router says something about a conversation.
type look struct{ conv conversation.ID }

func (a *agent) enter(s *session, wanted agentwire.Presence) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions[s] = struct{}{}
	if wanted != "" {
		a.wanted = wanted
	}
	a.stale = true // the new session does not know the agent's conversations
	s.sock.Push(a.told)
	a.wakeUp()
}

// leave returns how many sessions are left.
func (a *agent) leave(s *session) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.sessions, s)
	return len(a.sessions)
}

func (a *agent) open() []*session {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]*session, 0, len(a.sessions))
	for s := range a.sessions {
		out = append(out, s)
	}
	return out
}

// want sets what the agent wants to be.
func (a *agent) want(p agentwire.Presence) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wanted = p
	a.wakeUp()
}

// sync asks for the agent's conversations.
func (a *agent) sync() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stale = true
	a.wakeUp()
}

// holds notes how many conversations the agent owns.
func (a *agent) holds(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.holding = &n
}

func (a *agent) wakeUp() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// retryAfter is the pause when the router does not answer at all.
const retryAfter = 500 * time.Millisecond

func (a *agent) run(ctx context.Context) {
	for {
		select {
		case <-a.wake:
		case <-ctx.Done():
			return
		}
		for !a.settle(ctx) {
			timer := time.NewTimer(retryAfter)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
		}
	}
}

// settle asks the router for the next thing that is to be done; false to come again.
func (a *agent) settle(ctx context.Context) bool {
	req, ok := a.next()
	if !ok {
		return true
	}
	reply, err := a.all.link.router.Ask(ctx, a.id, req)
	var refused *protocol.Error
	switch {
	case err == nil:
		a.confirmed(req.Type, reply)
	case errors.As(err, &refused):
		a.refused(refused)
	default:
		if ctx.Err() == nil {
			a.all.log.WarnContext(ctx, "router does not answer for an agent", "agent", a.id, "request", req.Type, "error", err)
		}
		return false
	}
	_, more := a.next()
	return !more
}

// next request to the router, if anything is to be asked.
func (a *agent) next() (protocol.Request, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	wanted := conversation.PresenceOnline
	if a.wanted == agentwire.Away {
		wanted = conversation.PresenceAway
	}
	switch {
	case a.wanted == agentwire.Offline && a.signedOn:
		return protocol.Request{Type: protocol.SignOff}, true
	case a.wanted == agentwire.Offline:
		return protocol.Request{}, false
	case !a.signedOn:
		return protocol.Request{
			Type: protocol.SignOn, Presence: wanted,
			Agent: &conversation.Agent{Kind: conversation.KindAgent, ID: a.id, Name: a.id},
		}, true
	case a.presence != wanted:
		return protocol.Request{Type: protocol.Presence, Presence: wanted}, true
	case a.stale:
		return protocol.Request{Type: protocol.Sync}, true
	default:
		return protocol.Request{}, false
	}
}

func (a *agent) confirmed(asked protocol.RequestType, reply *protocol.Reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.signedOn = asked != protocol.SignOff && (reply.Agent == nil || reply.Agent.SignedOn)
	a.presence = ""
	frame := agentwire.PresenceFrame{Type: agentwire.TypePresence, Presence: agentwire.Offline}
	if who := reply.Agent; a.signedOn && who != nil {
		a.presence = who.Presence
		frame = agentwire.PresenceFrame{
			Type: agentwire.TypePresence, Presence: shown(who.Presence), SignedOn: true,
			Slots: who.Slots, Busy: who.Busy, Pools: who.Pools, Queues: who.Queues,
		}
	}
	a.tell(frame)
	if asked == protocol.SignOn || asked == protocol.Sync {
		a.stale = false
		for _, c := range reply.Conversations {
			a.lookAt(c.ID)
		}
	}
}

func shown(p conversation.Presence) agentwire.Presence {
	if p == conversation.PresenceAway {
		return agentwire.Away
	}
	return agentwire.Available
}

// refused takes a request of the desk back: the router knows better.
func (a *agent) refused(e *protocol.Error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.signedOn = false
	if e.Code == protocol.CodeNotSignedOn {
		return // and sign on again
	}
	a.wanted, a.stale = agentwire.Offline, false
	a.tell(agentwire.PresenceFrame{Type: agentwire.TypePresence, Presence: agentwire.Offline, Why: []string{e.Error()}})
	for s := range a.sessions {
		s.sock.Push(agentwire.Error{Type: agentwire.TypeError, Problem: problem.From(e)})
	}
}

func (a *agent) tell(f agentwire.PresenceFrame) {
	a.told = f
	for s := range a.sessions {
		s.sock.Push(f)
	}
}

func (a *agent) lookAt(conv conversation.ID) {
	for s := range a.sessions {
		s.sock.Push(look{conv: conv})
	}
}

// pushed takes what the router says by itself.
func (a *agent) pushed(p *protocol.Push) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch p.Type {
	case protocol.PushOffer, protocol.PushOfferEnded, protocol.PushAssigned, protocol.PushReleased:
		if p.Conversation != nil {
			a.lookAt(p.Conversation.ID)
		}
		a.stale = true // the agent's taken slots have changed
		a.wakeUp()
	case protocol.PushPresence:
		a.presence = p.Presence
		// The agent wants it now, too: asking for the old one again would undo what the router did.
		if a.wanted != agentwire.Offline {
			a.wanted = shown(p.Presence)
		}
		frame := a.told
		frame.Presence, frame.Why = shown(p.Presence), p.Why
		a.tell(frame)
	case protocol.PushResync:
		a.stale = true
		a.wakeUp()
	case protocol.PushSignOn:
		a.signedOn, a.stale = false, true
		a.wakeUp()
	}
}

// beat sends a heartbeat if the agent is signed on.
func (a *agent) beat(ctx context.Context) {
	a.mu.Lock()
	signedOn, beat := a.signedOn, protocol.Heartbeat{V: protocol.Version, Holding: a.holding}
	a.mu.Unlock()
	if !signedOn {
		return
	}
	data, err := protocol.Encode(beat)
	if err == nil {
		err = a.all.link.Conn.Publish(ctx, a.all.link.subjects.Heartbeat(bus.PartyAgent, a.id), data)
	}
	if err != nil {
		a.all.log.DebugContext(ctx, "heartbeat not sent", "agent", a.id, "error", err)
	}
}

package console

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// agents are the people who have sockets at this console.
type agents struct {
	link *link
	log  *slog.Logger
	work sync.WaitGroup

	mu   sync.Mutex
	byID map[string]*agent
}

func newAgents(l *link, log *slog.Logger) *agents {
	return &agents{link: l, log: log, byID: map[string]*agent{}}
}

// enter adds a session to its agent, who then wants to be as asked; empty leaves it.
func (a *agents) enter(s *session, wanted agentwire.Presence) *agent {
	a.mu.Lock()
	defer a.mu.Unlock()
	who := a.byID[s.user.Name]
	if who == nil {
		ctx, cancel := context.WithCancel(a.link.Base)
		who = &agent{
			all: a, id: s.user.Name, cancel: cancel, sessions: map[*session]struct{}{},
			wake: make(chan struct{}, 1), wanted: agentwire.Offline, told: agentwire.PresenceFrame{Type: agentwire.TypePresence, Presence: agentwire.Offline},
		}
		a.byID[s.user.Name] = who
		a.work.Go(func() { who.run(ctx) })
	}
	who.enter(s, wanted)
	return who
}

// leave takes a session from its agent. Without any the agent is not heard any more: the router finds it
// lost after a while, unless it comes back here or at another console.
func (a *agents) leave(s *session, who *agent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if who.leave(s) == 0 && a.byID[who.id] == who {
		delete(a.byID, who.id)
		who.cancel()
	}
}

func (a *agents) find(id string) *agent {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byID[id]
}

func (a *agents) list() []*agent {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]*agent, 0, len(a.byID))
	for _, who := range a.byID {
		out = append(out, who)
	}
	return out
}

// all sessions of all agents.
func (a *agents) all() []*session {
	var out []*session
	for _, who := range a.list() {
		out = append(out, who.open()...)
	}
	return out
}

func (a *agents) syncAll() {
	for _, who := range a.list() {
		who.sync()
	}
}

// pushed takes what the router tells an agent.
func (a *agents) pushed(m *bus.Message) {
	subject, err := a.link.subjects.Parse(m.Subject)
	if err != nil {
		return
	}
	who := a.find(subject.Who)
	if who == nil {
		return // the agent has its sockets elsewhere
	}
	push, err := protocol.DecodePush(m.Data)
	if err != nil {
		a.log.Warn("push of the router is not understood", "agent", subject.Who, "error", err)
		return
	}
	who.pushed(push)
}

// beat sends the heartbeats of all agents that are signed on.
func (a *agents) beat(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		for _, who := range a.list() {
			who.beat(ctx)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

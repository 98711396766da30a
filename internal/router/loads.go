package router

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/load"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// mostReplicas of one role are kept: more than a role can have, with those of before a rollout.
const mostReplicas = 200

// loads are what the replicas of other roles told last. Every router hears them, so that one that takes the lead knows
// them at once.
type loads struct {
	mu   sync.Mutex
	told map[runtimeconfig.Role]map[string]told
}

// mostLoad that one replica can have. More would make the managers refuse the desk's whole report.
const mostLoad = 1e6

type told struct {
	load float64
	at   time.Time
}

// take keeps what a replica tells. What cannot be is dropped: the replica counts as silent then.
func (l *loads) take(subjects bus.Subjects, m *bus.Message, now time.Time) {
	role, replica, ok := subjects.LoadOf(m.Subject)
	var message load.Message
	if !ok || json.Unmarshal(m.Data, &message) != nil || !(message.Load >= 0 && message.Load <= mostLoad) { // also NaN
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.told == nil {
		l.told = map[runtimeconfig.Role]map[string]told{}
	}
	if l.told[role] == nil {
		l.told[role] = map[string]told{}
	}
	l.forget(role, now)
	if _, known := l.told[role][replica]; known || len(l.told[role]) < mostReplicas {
		l.told[role][replica] = told{load: message.Load, at: now}
	}
}

func (l *loads) forget(role runtimeconfig.Role, now time.Time) {
	for replica, t := range l.told[role] {
		if now.Sub(t.at) > load.Lost {
			delete(l.told[role], replica)
		}
	}
}

// sum of the replicas that are heard, and how many they are.
func (l *loads) sum(role runtimeconfig.Role, now time.Time) (sum float64, replicas int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(role, now)
	for _, t := range l.told[role] {
		sum += t.load
	}
	return sum, len(l.told[role])
}

// reportLoads tells the loads of the roles that scale.
func (s *session) reportLoads(agents []routing.AgentView) []protocol.RoleFigures {
	out := make([]protocol.RoleFigures, 0, len(s.settings.scaled))
	for _, role := range s.settings.scaled {
		f := protocol.RoleFigures{Name: string(role)}
		if role == runtimeconfig.RoleConsole {
			// Who is signed on the router knows itself, whichever console they are at.
			f.Complete = true
			for i := range agents {
				if agents[i].Kind == conversation.KindAgent {
					f.Load++
				}
			}
		} else {
			f.Load, f.Replicas = s.loads.sum(role, time.Now())
		}
		out = append(out, f)
	}
	return out
}

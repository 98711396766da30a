package ledger

import (
	"cmp"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// model is who waits and who is there, by the decision log.
type model struct {
	desk   *Desk
	states map[conversation.ID]conversation.State
	// open are those of the states that have not ended.
	open   map[conversation.ID]conversation.State
	agents map[string]*presence
}

type presence struct{ online, draining bool }

type report func(format string, args ...any)

func newModel(desk *Desk) *model {
	return &model{
		desk: desk, states: map[conversation.ID]conversation.State{}, open: map[conversation.ID]conversation.State{}, agents: map[string]*presence{},
	}
}

// follow checks a decision against the model and takes it over.
func (m *model) follow(problem report, e *conversation.Event) {
	if e.Conversation == "" {
		m.followAgent(problem, e)
		return
	}
	before := m.states[e.Conversation]
	switch b := e.Body.(type) {
	case *conversation.Assigned:
		m.given(problem, e, b.Agent.ID)
	case *conversation.Offered:
		m.given(problem, e, b.Agent.ID)
	case *conversation.Queued:
		m.queued(problem, e, b, &before)
	}
	next, err := conversation.Apply(before, *e)
	if err != nil {
		problem("the decisions about %s are no legal life: %v", e.Conversation, err)
		return
	}
	if next.Status == conversation.StatusQueued && before.Status == conversation.StatusOffered && next.Arrival != before.Arrival {
		problem("%s lost its place by an offer: %v, was %v", e.Conversation, next.Arrival, before.Arrival)
	}
	m.states[e.Conversation] = next
	if delete(m.open, e.Conversation); next.Status.Ended() {
		return
	}
	m.open[e.Conversation] = next
	m.bounds(problem, &next)
}

// bounds holds that an agent has no more than the slots, and a contact one conversation.
func (m *model) bounds(problem report, next *conversation.State) {
	if a := next.Agent; a != nil && m.busy(a.ID) > m.desk.Agents[a.ID].Slots {
		problem("%s has %d conversations and %d slots", a.ID, m.busy(a.ID), m.desk.Agents[a.ID].Slots)
	}
	for id, other := range m.open {
		if id != next.ID && other.Channel == next.Channel && other.Contact == next.Contact {
			problem("contact %s has two open conversations, %s and %s", next.Contact, id, next.ID)
		}
	}
}

func (m *model) followAgent(problem report, e *conversation.Event) {
	switch b := e.Body.(type) {
	case *conversation.SignedOn:
		a := m.agents[b.Agent.ID]
		if a == nil {
			a = &presence{}
			m.agents[b.Agent.ID] = a
		}
		a.online = b.Presence == conversation.PresenceOnline
	case *conversation.PresenceSet:
		m.agents[b.Agent].online = b.Presence == conversation.PresenceOnline
	case *conversation.DrainSet:
		m.agents[b.Agent].draining = b.Draining
	case *conversation.SignedOff:
		if n := m.busy(b.Agent); n > 0 {
			problem("%s is signed off and still has %d conversations", b.Agent, n)
		}
		delete(m.agents, b.Agent)
	}
}

// busy slots of an agent: what is owned or on offer.
func (m *model) busy(agent string) int {
	n := 0
	for _, s := range m.open {
		if s.Agent != nil && s.Agent.ID == agent {
			n++
		}
	}
	return n
}

func (m *model) free(agent string) bool {
	a := m.agents[agent]
	return a != nil && a.online && !a.draining && m.busy(agent) < m.desk.Agents[agent].Slots
}

// given holds that a conversation goes to somebody who is there and free, and that nobody is passed over.
func (m *model) given(problem report, e *conversation.Event, agent string) {
	if !m.free(agent) {
		problem("%s is given to %s, who is %+v with %d of %d slots busy", e.Conversation, agent, m.agents[agent], m.busy(agent), m.desk.Agents[agent].Slots)
		return
	}
	if line := m.line(agent, e.At); len(line) == 0 || line[0].ID != e.Conversation {
		problem("%s is given to %s, whose line is %v", e.Conversation, agent, ids(line))
	}
}

func ids(line []conversation.State) []conversation.ID {
	all := make([]conversation.ID, 0, len(line))
	for i := range line {
		all = append(all, line[i].ID)
	}
	return all
}

// line of those who wait for an agent, the first one first: what was passed to this agent alone, then by score, which
// is priority and what has been added for the wait.
func (m *model) line(agent string, now time.Time) []conversation.State {
	served := m.desk.Agents[agent].Queues
	var line []conversation.State
	for _, s := range m.open {
		pin := s.PinnedTo(now)
		mine := pin == agent || pin == "" && slices.Contains(served, s.Queue)
		if s.Status == conversation.StatusQueued && mine && !s.PassedBy(agent, now) {
			line = append(line, s)
		}
	}
	rate := time.Duration(max(1, m.desk.Ageing))
	key := func(s *conversation.State) time.Time {
		return s.Arrival.At.Add(-time.Duration(s.Priority) * time.Minute / rate)
	}
	slices.SortFunc(line, func(a, b conversation.State) int {
		if x, y := a.PinnedTo(now) == agent, b.PinnedTo(now) == agent; x != y {
			if x {
				return -1
			}
			return 1
		}
		return cmp.Or(key(&a).Compare(key(&b)), slices.Index(served, a.Queue)-slices.Index(served, b.Queue),
			cmp.Compare(a.Arrival.Seq, b.Arrival.Seq), cmp.Compare(a.ID, b.ID))
	})
	return line
}

// queued holds that places are kept.
func (m *model) queued(problem report, e *conversation.Event, b *conversation.Queued, before *conversation.State) {
	fromBots := before.Status == conversation.StatusBot && b.Queue != conversation.BotQueue
	if b.Arrival != before.Arrival && !fromBots && before.Status != conversation.StatusReopened && !before.Status.Pending() {
		problem("%s lost its place: %v by %s, was %v", e.Conversation, b.Arrival, b.Cause, before.Arrival)
	}
	if fromBots && b.HandOff == nil {
		problem("%s leaves the bot without a hand-off", e.Conversation)
	}
}

// settled is how long after a refusal ran out a conversation may still wait for the agent who refused.
const settled = time.Second

// rest holds that between decisions nobody waits for whom somebody is free.
func (m *model) rest(problem report, now time.Time) {
	for agent := range m.agents {
		if !m.free(agent) {
			continue
		}
		for _, s := range m.line(agent, now.Add(-settled)) {
			problem("%s waits in %s while %s is free", s.ID, s.Queue, agent)
			return
		}
	}
}

package routing_test

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/routing"
)

var start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// model is what an onlooker who has only the decisions would believe: maps and full scans, nothing shared
// with the desk but the state machine.
type model struct {
	config routing.Config
	states map[conversation.ID]conversation.State
	agents map[string]*modelAgent
	// steps of the queues' ladders that apply.
	steps map[string]int
	// held are the steps that people hold, from 1, by queue.
	held map[string]map[int]conversation.HeldStep
	// called reserve tiers, by pool and tier.
	called map[[2]string]bool
	// handled are the mean handle times of the queues in seconds, and how many values count.
	handled map[string][2]float64
	// takenOver is a conversation that somebody is just taking over: no rule asks who should have it.
	takenOver conversation.ID
}

type modelAgent struct {
	conversation.Agent
	online, draining bool
}

func newModel(config routing.Config) *model {
	return &model{config: config, states: map[conversation.ID]conversation.State{}, agents: map[string]*modelAgent{}, steps: map[string]int{}, held: map[string]map[int]conversation.HeldStep{}, called: map[[2]string]bool{}, handled: map[string][2]float64{}}
}

// pools that an agent serves in, by name.
func (m *model) pools(a *modelAgent) []routing.Pool {
	var pools []routing.Pool
	for _, p := range m.config.Pools {
		if a.Kind == conversation.KindBot && p.Name == a.Pool || a.Kind == conversation.KindAgent && slices.Contains(p.Members, a.ID) {
			pools = append(pools, p)
		}
	}
	slices.SortFunc(pools, func(x, y routing.Pool) int { return strings.Compare(x.Name, y.Name) })
	return pools
}

func (m *model) queues(a *modelAgent) []string {
	var names []string
	for _, p := range m.pools(a) {
		if p.Kind == conversation.KindBot {
			names = append(names, conversation.BotQueue)
		}
		names = append(names, p.Queues...)
	}
	return names
}

func override(p *routing.Pool, agent string) routing.Override {
	for _, o := range p.Overrides {
		if o.Agent == agent {
			return o
		}
	}
	return routing.Override{}
}

func (m *model) slots(a *modelAgent) int {
	slots := 0
	for _, p := range m.pools(a) {
		own := p.Concurrency
		if c := override(&p, a.ID).Concurrency; c > 0 {
			own = c
		}
		slots = max(slots, own)
	}
	return slots
}

// level of an agent's skill.
func (m *model) level(a *modelAgent, skill string) int {
	most := 0
	for _, p := range m.pools(a) {
		own := 0
		for _, s := range p.Skills {
			if s.Name == skill {
				own = s.Level
			}
		}
		for _, s := range override(&p, a.ID).Skills {
			if s.Name == skill {
				own = s.Level
			}
		}
		most = max(most, own)
	}
	return most
}

// weight of a conversation for an agent.
func (m *model) weight(a *modelAgent, s *conversation.State) int {
	for _, p := range m.pools(a) {
		for _, w := range p.Weights {
			if w.Channel == s.Channel {
				return min(w.Slots, m.slots(a))
			}
		}
	}
	return 1
}

// busy slots of an agent: all, or those of one queue.
func (m *model) busy(id, queue string) int {
	n := 0
	for _, s := range m.states {
		if s.Agent != nil && s.Agent.ID == id && (queue == "" || s.Queue == queue) {
			n += m.weight(m.agents[id], &s)
		}
	}
	return n
}

// room for a conversation of a queue that takes so many slots.
func (m *model) room(a *modelAgent, queue string, weight int) bool {
	free := m.slots(a) - m.busy(a.ID, "")
	kept := map[string]bool{queue: true}
	for _, p := range m.pools(a) {
		for _, r := range p.Reserved {
			if !kept[r.Queue] {
				kept[r.Queue] = true
				free -= max(0, r.Slots-m.busy(a.ID, r.Queue))
			}
		}
	}
	return free >= weight
}

func (m *model) free(a *modelAgent) bool {
	return a.online && !a.draining && m.busy(a.ID, "") < m.slots(a)
}

func (m *model) queue(name string) routing.Queue {
	for _, q := range m.config.Queues {
		if q.Name == name {
			return q
		}
	}
	return routing.Queue{Name: name}
}

// may says whether the agent has the pool and the skills for a conversation.
func (m *model) may(a *modelAgent, s *conversation.State) bool {
	if (a.Kind == conversation.KindBot) != (s.Queue == conversation.BotQueue) {
		return false
	}
	q := m.queue(s.Queue)
	further, lowered, dropPreferred, dropAll := []string{s.OverflowPool}, 0, false, false
	for _, r := range q.Rings[:min(s.Ring, len(q.Rings))] {
		further = append(further, r.AddPools...)
		lowered += r.LowerLevelsBy
		dropAll = dropAll || r.Drop == routing.DropAll
		dropPreferred = dropPreferred || r.Drop == routing.DropPreferred
	}
	for _, step := range q.Ladder[:min(m.steps[s.Queue], len(q.Ladder))] {
		further = append(further, step.Pool)
	}
	for _, h := range m.held[s.Queue] {
		if h.Action == string(routing.ActionPool) {
			further = append(further, h.Target)
		}
	}
	serves := slices.Contains(m.queues(a), s.Queue)
	for _, p := range m.pools(a) {
		serves = serves || slices.Contains(further, p.Name)
	}
	for _, w := range q.Skills {
		if !w.Preferred && !dropAll && m.level(a, w.Name) < max(1, w.Level-lowered) {
			return false
		}
	}
	return serves
}

// virtual is by how many nanoseconds of waiting a conversation is ahead of one that comes at the start with nothing.
func (m *model) virtual(s *conversation.State) time.Duration {
	rate := max(1, m.config.Ageing)
	return s.Arrival.At.Sub(start) - time.Duration(s.Priority)*time.Minute/time.Duration(rate)
}

func (m *model) before(a *modelAgent, x, y *conversation.State) bool {
	if vx, vy := m.virtual(x), m.virtual(y); vx != vy {
		return vx < vy
	}
	served := append(m.queues(a), x.Queue, y.Queue) // what comes by a ring or an overflow is last
	i, j := slices.Index(served, x.Queue), slices.Index(served, y.Queue)
	if last := len(served) - 2; i < last || j < last {
		if i != j {
			return i < j
		}
	}
	if x.Arrival.Seq != y.Arrival.Seq {
		return x.Arrival.Seq < y.Arrival.Seq
	}
	return x.ID < y.ID
}

// first is the conversation that the agent should get next.
func (m *model) first(a *modelAgent, now time.Time) conversation.ID {
	var best *conversation.State
	var kept []*conversation.State
	var pinned *conversation.State // transferred to this agent, whatever its skills
	for _, s := range m.states {
		if s.Status != conversation.StatusQueued || s.PassedBy(a.ID, now) {
			continue
		}
		if pin := s.PinnedTo(now); pin != "" {
			if pin == a.ID && m.room(a, s.Queue, m.weight(a, &s)) && m.lasts(a, s.Queue, now) && (pinned == nil || m.before(a, &s, pinned)) {
				pinned = &s
			}
			if pin != a.ID {
				continue
			}
		}
		if !m.may(a, &s) {
			continue
		}
		if !m.room(a, s.Queue, m.weight(a, &s)) {
			if m.room(a, s.Queue, 1) {
				kept = append(kept, &s)
			}
			continue
		}
		if !m.lasts(a, s.Queue, now) {
			continue
		}
		if best == nil || m.before(a, &s, best) {
			best = &s
		}
	}
	if pinned != nil {
		return pinned.ID
	}
	if best == nil {
		return ""
	}
	for _, s := range kept {
		if m.virtual(best)-m.virtual(s) >= time.Minute {
			return "" // the slots are kept for the heavier one
		}
	}
	return best.ID
}

// follow checks one decision against the rules and takes it over.
func (m *model) follow(t *rapid.T, now time.Time, d routing.Decision) {
	switch b := d.Body.(type) {
	case *conversation.Assigned:
		m.checkGiven(t, now, d.Conversation, b.Agent)
	case *conversation.Offered:
		m.checkGiven(t, now, d.Conversation, b.Agent)
	case *conversation.Queued:
		m.checkQueued(t, now, d.Conversation, b)
	}
	if d.Conversation == "" {
		m.followAgent(t, d.Body)
		return
	}
	before := m.states[d.Conversation]
	next, err := conversation.Apply(before, event(now, d))
	if err != nil {
		t.Fatalf("the state machine refuses a decision: %v", err)
	}
	if before.Status == conversation.StatusOffered && next.Status == conversation.StatusQueued && before.Arrival != next.Arrival {
		t.Fatalf("%s lost its place: %v, was %v", d.Conversation, next.Arrival, before.Arrival)
	}
	m.states[d.Conversation] = next
	if before.Owner() != nil && next.Owner() == nil {
		h := m.handled[before.Queue]
		h[1] = h[1]*(1-1.0/200) + 1
		h[0] += (now.Sub(before.ServedAt).Seconds() - h[0]) / h[1]
		m.handled[before.Queue] = h
	}
	if _, ok := d.Body.(*conversation.Forgotten); ok {
		delete(m.states, d.Conversation)
	}
}

func (m *model) followAgent(t *rapid.T, body conversation.Body) {
	switch b := body.(type) {
	case *conversation.SignedOn:
		a := m.agents[b.Agent.ID]
		if a == nil {
			a = &modelAgent{}
			m.agents[b.Agent.ID] = a
		}
		a.Agent, a.online = b.Agent, b.Presence == conversation.PresenceOnline
	case *conversation.PresenceSet:
		m.agents[b.Agent].online = b.Presence == conversation.PresenceOnline
	case *conversation.DrainSet:
		m.agents[b.Agent].draining = b.Draining
	case *conversation.SignedOff:
		if n := m.busy(b.Agent, ""); n > 0 {
			t.Fatalf("%s is signed off and still has %d conversations", b.Agent, n)
		}
		delete(m.agents, b.Agent)
	case *conversation.OverflowSet:
		m.steps[b.Queue] = b.Steps
	case *conversation.StepHeld:
		if m.held[b.Queue] == nil {
			m.held[b.Queue] = map[int]conversation.HeldStep{}
		}
		m.held[b.Queue][b.Step] = b.HeldStep
	case *conversation.ReserveCalled:
		m.called[[2]string{b.Pool, b.Tier}] = true
	case *conversation.ReserveReleased:
		if !m.called[[2]string{b.Pool, b.Tier}] {
			t.Fatalf("tier %s of %s is released, which nobody called", b.Tier, b.Pool)
		}
		delete(m.called, [2]string{b.Pool, b.Tier})
	case *conversation.StepReleased:
		if _, held := m.held[b.Queue][b.Step]; !held {
			t.Fatalf("step %d of %s is released, which nobody holds", b.Step, b.Queue)
		}
		delete(m.held[b.Queue], b.Step)
	default:
		t.Fatalf("%s concerns no conversation", body.EventType())
	}
}

// checkGiven holds invariants 3, 5 and 6.
func (m *model) checkGiven(t *rapid.T, now time.Time, conv conversation.ID, to conversation.Agent) {
	a := m.agents[to.ID]
	if a == nil {
		t.Fatalf("%s is given to %s, who is not signed on", conv, to.ID)
	}
	if !m.free(a) {
		t.Fatalf("%s is given to %s: online %v, draining %v, %d of %d slots busy", conv, to.ID, a.online, a.draining, m.busy(to.ID, ""), m.slots(a))
	}
	if conv == m.takenOver {
		m.takenOver = ""
		if s := m.states[conv]; s.Pin != to.ID || !m.room(a, s.Queue, m.weight(a, &s)) {
			t.Fatalf("%s is taken over by %s, who has no room for it or did not ask", conv, to.ID)
		}
		return
	}
	if first := m.first(a, now); first != conv {
		t.Fatalf("%s is given to %s, but %s is first in line: %+v, %+v", conv, to.ID, first, m.states[conv], m.states[first])
	}
}

// checkQueued holds that places are kept.
func (m *model) checkQueued(t *rapid.T, now time.Time, conv conversation.ID, b *conversation.Queued) {
	before := m.states[conv]
	if b.Cause == conversation.CauseTakeOver {
		m.takenOver = conv
	}
	kept := b.Arrival == before.Arrival
	fromBots := before.Status == conversation.StatusBot && b.Queue != conversation.BotQueue
	if fromBots && !before.PlaceKept.At.IsZero() && b.Arrival != before.PlaceKept {
		t.Fatalf("%s was with the bots meanwhile and lost its place: %+v, was %v", conv, b, before.PlaceKept)
	}
	if b.Queue == conversation.BotQueue && b.Cause == conversation.CauseOverflow && !before.AnsweredAt.IsZero() {
		t.Fatalf("%s was answered by a person and is given to the bots", conv)
	}
	if b.Cause == conversation.CauseCallback {
		kept = now.Sub(b.Arrival.At) == before.StatusAt.Sub(before.Arrival.At)
	}
	if b.Cause == conversation.CauseTakeOver && b.HandOff != nil {
		return // out of the bots' queue, or one that is gone
	}
	if !kept && !fromBots && before.Status != conversation.StatusReopened && before.Status != conversation.StatusPending {
		t.Fatalf("%s lost its place: %+v, was %v", conv, b, before.Arrival)
	}
	if before.Status == conversation.StatusBot && b.Queue != conversation.BotQueue && b.HandOff == nil {
		t.Fatalf("%s leaves the bot without a hand-off", conv)
	}
}

// checkRest holds what must be so between inputs: nobody waits while an agent for them is free, nobody
// is over their slots, and positions are right.
func (m *model) checkRest(t *rapid.T, now time.Time, d *routing.Desk) {
	for id, a := range m.agents {
		// Shortly before the end of a shift it depends on the handle times, which change without the agent.
		if _, end := m.shift(a, now); m.free(a) && end.IsZero() {
			if first := m.first(a, now); first != "" {
				t.Fatalf("%s waits while %s is free at %v: %+v", first, id, now, m.states[first])
			}
		}
		if v, ok := d.Agent(id); !ok || v.Busy != m.busy(id, "") || v.Slots != m.slots(a) {
			t.Fatalf("agent %s is %+v, want %d busy", id, v, m.busy(id, ""))
		}
	}
	for _, q := range append([]string{conversation.BotQueue}, queueNames(m.config)...) {
		m.checkPositions(t, d, q)
	}
	m.checkHeld(t, d)
}

// checkHeld holds that the desk shows the steps that are held, and that they are those which the configuration has.
func (m *model) checkHeld(t *rapid.T, d *routing.Desk) {
	shown := 0
	for _, v := range d.Queues() {
		shown += len(v.Held)
		for _, h := range v.Held {
			q := m.queue(v.Name)
			if want, ok := m.held[v.Name][h.Step]; !ok || want != h {
				t.Fatalf("queue %s shows %+v as held, and it is %+v", v.Name, h, want)
			}
			if h.Step > len(q.Ladder) || string(q.Ladder[h.Step-1].Action) != h.Action || q.Ladder[h.Step-1].Pool+q.Ladder[h.Step-1].Queue != h.Target {
				t.Fatalf("queue %s holds %+v, and its ladder is %+v", v.Name, h, q.Ladder)
			}
		}
	}
	held := 0
	for _, of := range m.held {
		held += len(of)
	}
	if shown != held {
		t.Fatalf("%d steps are shown as held, and %d are: %+v", shown, held, m.held)
	}
}

// checkNoneOver holds that no step is held beyond its time.
func (m *model) checkNoneOver(t *rapid.T, now time.Time) {
	for queue, of := range m.held {
		for _, h := range of {
			if !h.Until.After(now) {
				t.Fatalf("at %v queue %s still holds %+v", now, queue, h)
			}
		}
	}
}

func (m *model) checkPositions(t *rapid.T, d *routing.Desk, queue string) {
	var line []conversation.State
	for _, s := range m.states {
		if s.Status.Waiting() && s.Queue == queue {
			line = append(line, s)
		}
	}
	slices.SortFunc(line, func(x, y conversation.State) int {
		if vx, vy := m.virtual(&x), m.virtual(&y); vx != vy {
			return cmp.Compare(vx, vy)
		}
		if c := cmp.Compare(x.Arrival.Seq, y.Arrival.Seq); c != 0 {
			return c
		}
		return strings.Compare(string(x.ID), string(y.ID))
	})
	for i, s := range line {
		if position, waiting := d.Position(s.ID); position != i+1 || waiting != len(line) {
			t.Fatalf("%s is at %d of %d in %s, want %d of %d", s.ID, position, waiting, queue, i+1, len(line))
		}
	}
	walked := 0
	d.Walk(queue, func(position int, s *conversation.State) bool {
		if position != walked+1 || s.ID != line[walked].ID {
			t.Fatalf("walk of %s meets %s at %d, want %s", queue, s.ID, position, line[walked].ID)
		}
		walked++
		return true
	})
	if walked != len(line) {
		t.Fatalf("walk of %s meets %d, want %d", queue, walked, len(line))
	}
}

func queueNames(c routing.Config) []string {
	var names []string
	for _, q := range c.Queues {
		names = append(names, q.Name)
	}
	return names
}

// Package ledger holds a desk to its promises. It reads what the bus has stored, one message after the other,
// and compares it with what customers and agents were told, and with a model of who is served next that is as
// simple as possible: plain slices, sorted anew for each decision. It shares nothing with the router but the state
// machine of a conversation.
//
// What is held, whatever happened to the roles meanwhile:
//
//   - each acknowledged message is stored exactly once, at the sequence that was told, each sender's in order;
//   - nothing is stored twice, and no agent or bot wrote in what was not theirs at that moment;
//   - only the router that took the lead last decided, no request was done twice, and each decision has its copy
//     behind it, once and in order;
//   - no conversation had two owners, no contact two open conversations, no agent more than the slots;
//   - who comes back to a queue is at the old place, and the first in line is served first.
package ledger

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Desk is what the ledger must know of a desk.
type Desk struct {
	Subjects bus.Subjects
	// Agents who may serve, by id.
	Agents map[string]Agent
	// Ageing in points a minute; 0 counts as 1.
	Ageing int
}

// Agent is a bot worker or a person.
type Agent struct {
	// Slots, each for one conversation.
	Slots int
	// Queues that the agent serves, in order; conversation.BotQueue for a bot.
	Queues []string
}

// Receipt is a message that the desk said to have stored.
type Receipt struct {
	Conversation conversation.ID
	// Sender is an agent's id; empty for the customer.
	Sender   string
	ClientID string
	// Seq at which it was said to be stored; 0 when that was not told.
	Seq uint64
}

// Ledger is filled with one stored message after the other.
type Ledger struct {
	desk     Desk
	problems []string

	seq uint64
	// said are the messages by conversation and client id, with their sequence.
	said map[string]uint64
	// copies is each conversation's life by what was copied to its own subjects.
	copies map[conversation.ID]conversation.State
	// owned and decided are the ids of the events on .own, and of those in the decision log that belong there.
	owned, decided map[conversation.ID][]conversation.ID
	forgotten      map[conversation.ID]bool
	// desired are texts of the desk that were decided, and whether they were said.
	desired map[conversation.ID]bool

	leader   string
	decider  string
	leaders  int
	left     bool
	cursor   uint64
	events   map[conversation.ID]bool
	requests map[string]bool
	model    *model
	// stories tell what is stored of the open conversations, for who looks for a fault.
	stories map[conversation.ID][]string
}

// New makes an empty ledger.
func New(desk Desk) *Ledger {
	return &Ledger{
		desk: desk, said: map[string]uint64{}, copies: map[conversation.ID]conversation.State{},
		owned: map[conversation.ID][]conversation.ID{}, decided: map[conversation.ID][]conversation.ID{},
		forgotten: map[conversation.ID]bool{}, desired: map[conversation.ID]bool{},
		events: map[conversation.ID]bool{}, requests: map[string]bool{}, model: newModel(&desk), stories: map[conversation.ID][]string{},
	}
}

// mostProblems are told: what comes behind them mostly follows from them.
const mostProblems = 20

func (l *Ledger) problem(format string, args ...any) {
	if len(l.problems) < mostProblems {
		l.problems = append(l.problems, fmt.Sprintf("at %d: ", l.seq)+fmt.Sprintf(format, args...))
	}
}

// Problems found so far, the first one first.
func (l *Ledger) Problems() []string { return l.problems }

// Leader is the router that took the lead last.
func (l *Ledger) Leader() string { return l.leader }

// Decider is the router that decided last about a conversation.
func (l *Ledger) Decider() string { return l.decider }

// Leaders is how often the lead was taken.
func (l *Ledger) Leaders() int { return l.leaders }

// Open conversations, by the decision log.
func (l *Ledger) Open() []conversation.State {
	return slices.Collect(maps.Values(l.model.open))
}

// How far a decision's time may be from the time at which the bus stored it. A bus that stands still takes its time, and
// nothing is decided in the future.
const (
	mostAhead  = time.Minute
	mostBehind = 15 * time.Minute
)

// Story of a conversation that has not ended: what is stored of it, with the sequences.
func (l *Ledger) Story(conv conversation.ID) []string { return l.stories[conv] }

func (l *Ledger) tell(e *conversation.Event, where string) {
	line := fmt.Sprintf("%d %s %s", l.seq, where, e.Type)
	switch b := e.Body.(type) {
	case *conversation.Message:
		line += fmt.Sprintf(" of %s %s: %.60q", b.From.Kind, b.From.ID, b.Text)
	case *conversation.Queued:
		line += fmt.Sprintf(" %s for %s", b.Queue, b.Cause)
	case *conversation.Closed:
		line += fmt.Sprintf(" by %s: %s", b.By.Kind, b.Reason)
	}
	l.stories[e.Conversation] = append(l.stories[e.Conversation], line)
}

// Ended is how many conversations have ended.
func (l *Ledger) Ended() int { return len(l.model.states) - len(l.model.open) }

// Add takes the next stored message.
func (l *Ledger) Add(st bus.Stored) {
	if st.Seq <= l.seq {
		l.problem("message %d comes behind %d", st.Seq, l.seq)
	}
	l.seq = st.Seq
	subject, err := l.desk.Subjects.Parse(st.Subject)
	if err != nil {
		l.problem("subject %s: %v", st.Subject, err)
		return
	}
	switch subject.Kind {
	case bus.KindDecisions:
		l.addBatch(st)
	case bus.KindMessages, bus.KindOwnership:
		l.addEvent(st, subject.Kind)
	default: // claims are held by what they are for: one open conversation a contact
	}
}

func (l *Ledger) addEvent(st bus.Stored, kind bus.Kind) {
	e, err := conversation.Decode(st.Data)
	if err != nil {
		l.problem("%s holds %s: %v", st.Subject, st.Data, err)
		return
	}
	e.Seq = st.Seq
	l.tell(&e, "cv")
	before := l.copies[e.Conversation]
	if m, ok := e.Body.(*conversation.Message); ok {
		l.addMessage(&e, m, &before)
	}
	if kind == bus.KindOwnership {
		if !l.events[e.ID] {
			l.problem("%s of %s has a copy and was never decided", e.Type, e.Conversation)
		}
		l.owned[e.Conversation] = append(l.owned[e.Conversation], e.ID)
	}
	next, err := conversation.Apply(before, e)
	if err != nil {
		l.problem("what is stored of %s is no legal life: %v", e.Conversation, err)
		return
	}
	l.copies[e.Conversation] = next
}

func (l *Ledger) addMessage(e *conversation.Event, m *conversation.Message, before *conversation.State) {
	key := string(e.Conversation) + ":" + m.ClientID
	if first, twice := l.said[key]; twice {
		l.problem("message %s is stored twice, first at %d", key, first)
	}
	l.said[key] = e.Seq
	if owner := before.Owner(); m.From.Kind.IsAgent() && !m.Note && (owner == nil || owner.ID != m.From.ID) {
		l.problem("%s wrote in %s, which is %s of %v", m.From.ID, e.Conversation, before.Status, owner)
	}
	if m.From.Kind == conversation.KindSystem {
		if _, decided := l.desired[conversation.ID(m.ClientID)]; !decided {
			l.problem("the desk said %q in %s and never decided to", m.Text, e.Conversation)
		}
		l.desired[conversation.ID(m.ClientID)] = true
	}
}

func (l *Ledger) addBatch(st bus.Stored) {
	b, err := conversation.DecodeBatch(st.Data)
	if err != nil {
		l.problem("the decision log holds %s: %v", st.Data, err)
		return
	}
	if b.Snapshot != nil {
		return
	}
	l.follow(b)
	if off := b.At.Sub(st.Time); off > mostAhead || off < -mostBehind {
		l.problem("%s decided by a clock that is %s off", b.Router, off)
	}
	if b.Cursor < l.cursor {
		l.problem("the cursor goes back from %d to %d", l.cursor, b.Cursor)
	}
	l.cursor = max(l.cursor, b.Cursor)
	for _, id := range b.Requests {
		if l.requests[id] {
			l.problem("request %s is done twice", id)
		}
		l.requests[id] = true
	}
	for i := range b.Events {
		l.addDecision(&b.Events[i])
	}
	l.model.rest(l.problem, b.At)
}

// follow holds who may decide.
func (l *Ledger) follow(b *conversation.Batch) {
	for _, e := range b.Events {
		if t, ok := e.Body.(*conversation.TookOver); ok {
			if t.Left && t.Router != l.leader {
				l.problem("%s leaves the lead, which %s has", t.Router, l.leader)
			}
			if !t.Left {
				l.leaders++
			}
			l.leader, l.left = t.Router, t.Left
			return
		}
	}
	if b.Router != l.leader || l.left {
		l.problem("%s decides although %s has the lead (left: %t)", b.Router, l.leader, l.left)
	}
}

func (l *Ledger) addDecision(e *conversation.Event) {
	if l.events[e.ID] {
		l.problem("decision %s is stored twice", e.ID)
	}
	l.events[e.ID] = true
	switch e.Body.(type) {
	case *conversation.TookOver:
		return
	case *conversation.Said:
		l.desired[e.ID] = false
	case *conversation.Forgotten:
		l.forgotten[e.Conversation] = true
	default:
		if e.Type.OnOwn() {
			l.decided[e.Conversation] = append(l.decided[e.Conversation], e.ID)
		}
	}
	if e.Conversation != "" {
		l.decider = l.leader
		l.tell(e, "dk")
	}
	l.model.follow(l.problem, e)
}

// Settled says that each decision has its copy.
func (l *Ledger) Settled() bool {
	for conv, decided := range l.decided {
		if !slices.Equal(decided, l.owned[conv]) && !l.forgotten[conv] {
			return false
		}
	}
	return !slices.Contains(slices.Collect(maps.Values(l.desired)), false)
}

// Close compares with what was acknowledged and returns all problems. Nothing may be going on any more.
func (l *Ledger) Close(receipts []Receipt) []string {
	type line struct {
		conversation conversation.ID
		sender       string
	}
	last := map[line]uint64{}
	for _, r := range receipts {
		seq, stored := l.said[string(r.Conversation)+":"+r.ClientID]
		switch {
		case !stored:
			l.problem("message %s:%s was acknowledged and is not stored", r.Conversation, r.ClientID)
		case r.Seq > 0 && r.Seq != seq:
			l.problem("message %s:%s was acknowledged at %d and is stored at %d", r.Conversation, r.ClientID, r.Seq, seq)
		case seq <= last[line{r.Conversation, r.Sender}]:
			l.problem("message %s:%s is stored before one that was acknowledged earlier", r.Conversation, r.ClientID)
		}
		last[line{r.Conversation, r.Sender}] = seq
	}
	for conv, decided := range l.decided {
		if !slices.Equal(decided, l.owned[conv]) && !l.forgotten[conv] {
			l.problem("%s: decided were %v, copied %v", conv, decided, l.owned[conv])
		}
	}
	for id, said := range l.desired {
		if !said {
			l.problem("what the desk decided to say with %s was never said", id)
		}
	}
	return l.problems
}

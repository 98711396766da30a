package router

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// session is one life of the replica: from reading the log until something goes wrong that only reading
// it again cures. It belongs to one goroutine.
type session struct {
	*Router
	conn bus.Conn
	bus  bus.Log
	*replica
	settings settings
	caughtUp bool

	leading bool
	// term is the sequence with which this router took the lead; bid is the batch by which it tried to.
	term uint64
	bid  conversation.ID
	// leaseEnds is when a standby may try to lead, leaseSent when the leader last said that it is well.
	leaseEnds, leaseSent time.Time
	// nextTry keeps a standby from trying in a loop.
	nextTry time.Time
	// ahead is by how much the clock of the bus, or of the decision log, is ahead of ours.
	ahead time.Duration
	// turned is when the loop last looked at the time, and down says that the bus was away then.
	turned time.Time
	down   bool

	// empty are the draining workers without a conversation.
	empty map[string]empty

	// decided waits to be appended, replies and requests with it.
	decided   []decided
	replies   []reply
	requested []string
	// doing are the requests whose decisions are not stored yet: one that is sent again meanwhile is not done twice.
	doing  map[string]bool
	pipe   pipeline
	parked []parked

	figures    counts
	positions  positions
	mismatches map[string]int
	// lookedAt is the tick at which an ended conversation was last looked for in the stream.
	lookedAt   map[conversation.ID]int
	ticks      int
	nextSecond time.Time
	// broken is a defect that the next turn of the loop reports.
	broken error
	// acted counts messages that were acted on since the cursor was last stored; storeCursor asks for it
	// to be stored although nothing was decided.
	acted       int
	storeCursor bool
}

// decided is a decision that was applied to the desk and is not in the log yet.
type decided struct {
	routing.Decision
	at time.Time
}

// errBeginAgain says that the desk holds decisions that the log does not.
var errBeginAgain = errors.New("decisions were not stored")

// errStandsBy says that another router leads now.
var errStandsBy = errors.New("another router has taken the lead")

// tailed is what the tail gives: a message, or the end of what was stored at the start.
type tailed struct {
	stored   bus.Stored
	caughtUp bool
}

func (r *Router) runSession(ctx context.Context, conn bus.Conn, updates <-chan runtimeconfig.Snapshot) error {
	s := &session{
		Router: r, conn: conn, bus: conn.Log(r.subjects.Stream()), settings: r.current(),
		mismatches: map[string]int{}, positions: newPositions(),
		lookedAt: map[conversation.ID]int{}, doing: map[string]bool{}, empty: map[string]empty{}, pipe: newPipeline(),
	}
	if r.opts.WrapLog != nil {
		s.bus = r.opts.WrapLog(s.bus)
	}
	var err error
	if s.replica, err = newReplica(r.subjects, s.settings.routing, r.log); err != nil {
		return err
	}
	s.renewLease(time.Now())
	defer r.setStatus(func(st *Status) { st.Leading, st.CaughtUp = false, false })

	// Being told to stop must not interrupt an append, and not end the tail before the lead is handed over.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	// What is on its way must have ended before the log is read again.
	defer s.pipe.work.Wait()
	defer stop()
	tail, failed := s.startTail(work)
	err = s.loop(work, ctx.Done(), stream{tail, failed, updates})
	if err != nil {
		s.answer(work, err)
	}
	return err
}

// startTail reads the log in a goroutine of its own. The channel bounds what waits.
func (s *session) startTail(ctx context.Context) (<-chan tailed, <-chan error) {
	tail, failed := make(chan tailed, tailSize), make(chan error, 1)
	give := func(t tailed) error {
		select {
		case tail <- t:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	go func() {
		failed <- s.bus.Tail(ctx, s.filters(), 1, bus.TailHandler{
			Message:  func(st bus.Stored) error { return give(tailed{stored: st}) },
			CaughtUp: func() error { return give(tailed{caughtUp: true}) },
		})
	}()
	return tail, failed
}

// burst is how many inputs are taken before their decisions are sent on their way together.
const burst = 64

// housekeeping is how often leases, figures and the like are looked at.
const housekeeping = 100 * time.Millisecond

// stream is what comes to a session besides the inbox.
type stream struct {
	tail    <-chan tailed
	failed  <-chan error
	updates <-chan runtimeconfig.Snapshot
}

func (s *session) loop(ctx context.Context, stop <-chan struct{}, from stream) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	// due is when time is looked at next. Inputs may bring it forward and never put it off: a router that is
	// kept busy would otherwise lose no agent, renew no lease and tell no figures.
	var due time.Time
	for {
		var err error
		select {
		case <-stop:
			return s.leave(ctx)
		case err := <-from.failed:
			return fmt.Errorf("the tail ended: %w", err)
		case t := <-from.tail:
			err = s.takeTailed(ctx, t)
		case in := <-s.inbox:
			s.takeInput(in)
		case config, ok := <-from.updates:
			if ok {
				s.takeConfig(ctx, config)
			}
		case <-s.pipe.wake:
			err = s.advance(ctx)
		case <-timer.C:
			due = time.Time{}
			err = s.takeTime(ctx)
		}
		if err == nil {
			err = s.takeMore(ctx, from.tail)
		}
		if err == nil {
			s.takeParked()
			err = s.flush(ctx)
		}
		if err != nil {
			return err
		}
		if next := time.Now().Add(s.untilNext()); due.IsZero() || next.Before(due) {
			due = next
		}
		timer.Reset(time.Until(due))
	}
}

// takeMore takes what else waits, so that a burst costs one append.
func (s *session) takeMore(ctx context.Context, tail <-chan tailed) error {
	for range burst {
		select {
		case t := <-tail:
			if err := s.takeTailed(ctx, t); err != nil {
				return err
			}
		case in := <-s.inbox:
			s.takeInput(in)
		default:
			return nil
		}
	}
	return nil
}

func (s *session) untilNext() time.Duration {
	wait := housekeeping
	if !s.conn.Connected() {
		return wait // nothing can be done about what is due, and asking again at once would take the processor
	}
	if !s.leading && s.mayLead(time.Now()) {
		return 0
	}
	if next := s.desk.NextTimer(); s.leading && !next.IsZero() {
		wait = min(wait, next.Sub(s.now()))
	}
	return max(wait, 0)
}

func (s *session) takeTailed(ctx context.Context, t tailed) error {
	if t.caughtUp {
		s.caughtUp = true
		s.setStatus(func(st *Status) { st.CaughtUp = true })
		return nil
	}
	if s.leading && t.stored.Seq > s.dk && t.stored.Subject == s.subjects.Decisions() {
		if g := s.pipe.appending; g != nil && g.has(t.stored.MsgID) {
			s.seq = t.stored.Seq
			return nil // our own, which is taken over when the append returns
		}
		if len(s.decided) > 0 || !s.pipe.idle() {
			// Another router decided while we had decisions that are not stored: ours are void.
			return fmt.Errorf("%w: another router leads", errBeginAgain)
		}
	}
	batch := s.fold(t.stored)
	if batch != nil {
		return s.followed(ctx, batch, t.stored.Seq)
	}
	if s.leading {
		return s.actOnMessages(ctx)
	}
	return nil
}

// followed reacts to a batch that this session did not append as the leader.
func (s *session) followed(ctx context.Context, b *conversation.Batch, seq uint64) error {
	if b.ID == s.bid {
		return s.promote(ctx, seq)
	}
	s.renewLease(time.Now())
	if s.leading {
		s.stepDown("another router leads", b.Router)
	}
	return nil
}

func (s *session) stepDown(why, leader string) {
	s.log.Info("router stands by", "why", why, "leader", leader)
	s.leading, s.copies = false, false
	// Nothing of it was decided: whoever asked is told to ask again, and must not find that it was done.
	s.requested = nil
	clear(s.doing)
	s.positions = newPositions()
	s.setStatus(func(st *Status) { st.Leading = false })
}

func (s *session) takeInput(in input) {
	switch in.kind {
	case inputIntent:
		if s.leading {
			s.takeRequest(in.message)
		}
	case inputHeartbeat:
		if s.leading {
			s.takeHeartbeat(in.message)
		}
	case inputLease:
		s.takeLease(in.message)
	case inputReconnected:
		// Nobody could be heard while the connection was down.
		s.desk.SeenAll(s.now())
		s.renewLease(time.Now())
	}
}

// decide asks the desk. Its decisions wait for flush. A refusal is returned; any other error makes the
// session begin again.
func (s *session) decide(in routing.Input) error {
	now := s.now()
	decisions, err := s.desk.Decide(now, in)
	for _, d := range decisions {
		s.decided = append(s.decided, decided{Decision: d, at: now})
	}
	return err
}

// must is decide for inputs that are never refused.
func (s *session) must(in routing.Input) error {
	err := s.decide(in)
	if refused, ok := errors.AsType[*routing.RefusalError](err); ok {
		s.log.Warn("not done", "what", refused.What, "why", refused.Why, "remedy", refused.Remedy)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errBeginAgain, err)
	}
	return nil
}

// actOnMessages acts on the customers' messages beyond the cursor.
func (s *session) actOnMessages(ctx context.Context) error {
	for s.leading && len(s.written) > 0 {
		e := s.written[0]
		if err := s.actOn(ctx, e); err != nil {
			return err
		}
		s.actedOn(e.Seq)
		s.acted++
	}
	return nil
}

func (s *session) actOn(ctx context.Context, e conversation.Event) error {
	m, ok := e.Body.(*conversation.Message)
	if !ok {
		return nil
	}
	state, _ := s.desk.State(e.Conversation)
	in := routing.Wrote{
		Conversation: e.Conversation, Seq: e.Seq,
		Channel: m.Channel, Contact: m.From.ID, ContactName: m.From.Name, Language: m.Language,
	}
	if in.Channel == "" {
		in.Channel = "web"
	}
	if state.Status == conversation.StatusNone || state.Status.Ended() {
		claimed, err := s.claimFor(ctx, &in)
		if err != nil {
			return err
		}
		if !claimed {
			s.log.Warn("message came after the end, its contact has another conversation", "conversation", e.Conversation, "seq", e.Seq)
			return nil
		}
	}
	verdict, err := s.settings.policy.verdict(&state, m, s.now())
	if err != nil {
		s.log.ErrorContext(ctx, "escalation rules skipped", "conversation", e.Conversation, "error", err)
	}
	in.Verdict = verdict
	return s.must(in)
}

// takeHeartbeat notes that an agent is well and compares what it believes to have.
func (s *session) takeHeartbeat(m *bus.Message) {
	subject, err := s.subjects.Parse(m.Subject)
	if err != nil {
		return
	}
	if !s.desk.Seen(subject.Who, s.now()) {
		s.push(subject.Party, subject.Who, protocol.Push{Type: protocol.PushSignOn, Why: []string{"the router does not know you"}})
		return
	}
	beat, err := protocol.DecodeHeartbeat(m.Data)
	if err != nil || beat.Holding == nil {
		return
	}
	if a, ok := s.desk.Agent(subject.Who); !ok || a.Owned == *beat.Holding {
		delete(s.mismatches, subject.Who)
		return
	}
	// One difference may be a push on its way; two in a row is a push that was lost.
	if s.mismatches[subject.Who]++; s.mismatches[subject.Who] >= 2 {
		delete(s.mismatches, subject.Who)
		s.push(subject.Party, subject.Who, protocol.Push{Type: protocol.PushResync, Why: []string{"the router and you differ in what you own"}})
	}
}

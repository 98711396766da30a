package router

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// pipeline is what is on its way to the disk. The session goes on deciding meanwhile: what it decides while a
// group is being appended becomes the next group, and the copies of several groups are stored side by side.
// Nothing of a group is told before all of it is stored, and groups are told in their order.
type pipeline struct {
	// wake says that something of it may have ended.
	wake chan struct{}
	// appending is the group whose decisions are being appended; nil for none.
	appending *group
	// groups are those whose decisions are stored and whose copies may not be, in the order of the log.
	groups []*group
	// copying is the last work on a conversation's copies that may be under way.
	copying map[conversation.ID]*copying
	// releasing counts the claims, by subject, whose end is being written.
	releasing map[string]int
	places    chan struct{}
	work      sync.WaitGroup
	// begun and logged count the groups with decisions that were begun and those that the log has.
	begun, logged uint64
	// origin is when the session began, and moved how long after it something was last stored, in nanoseconds: a clock
	// that is set must not make the leader look stalled.
	origin time.Time
	moved  atomic.Int64
}

// Bounds of what is on its way; behind them the desk waits. Copies are few times as many as are stored side by side: a
// backlog of them is time that an agent waits to be told, and that a router needs to leave.
const (
	mostUnderWay = 4 * mostCopies
	mostDecided  = 2 * conversation.MaxBatchEvents
)

func newPipeline() pipeline {
	return pipeline{
		wake: make(chan struct{}, 1), copying: map[conversation.ID]*copying{}, releasing: map[string]int{},
		places: make(chan struct{}, mostCopies), origin: time.Now(),
	}
}

// idle says that nothing is on its way.
func (p *pipeline) idle() bool { return p.appending == nil && len(p.groups) == 0 }

// run does something beside the session, and wakes it at the end.
func (p *pipeline) run(do func()) {
	p.work.Go(func() {
		do()
		select {
		case p.wake <- struct{}{}:
		default: // it is to be woken already
		}
	})
}

// stalled says that something is on its way and nothing has been stored for so long that the leader cannot be called
// well. A backlog that moves is none of that: another router would have it, too.
func (p *pipeline) stalled(now time.Time, after time.Duration) bool {
	return !p.idle() && now.Sub(p.origin)-time.Duration(p.moved.Load()) >= after
}

func (p *pipeline) move() { p.moved.Store(int64(time.Since(p.origin))) }

// full says that what is on its way must become less first.
func (p *pipeline) full() bool {
	copies := 0
	for _, g := range p.groups {
		copies += len(g.copies)
	}
	return copies >= mostUnderWay
}

// group is what was decided together: it is appended in one go and told in one go.
type group struct {
	decided []decided
	replies []reply
	// requested are the keys of the requests that are done with it.
	requested []string
	// cursor is how far messages were acted on when it was decided.
	cursor  uint64
	batches []*conversation.Batch
	// data are the batches as they are stored.
	data [][]byte
	// appended is closed when the decisions are stored, or err is set.
	appended chan struct{}
	seqs     []uint64
	// copies are what is stored of it besides the decisions.
	copies []*copying
	err    error
}

// events of all batches.
func (g *group) events() []conversation.Event {
	var all []conversation.Event
	for _, b := range g.batches {
		all = append(all, b.Events...)
	}
	return all
}

// has says whether a batch of this id is one of the group's.
func (g *group) has(id string) bool {
	for _, b := range g.batches {
		if string(b.ID) == id {
			return true
		}
	}
	return false
}

// reply waits for the decisions that were made before it.
type reply struct {
	// after so many of the group's decisions.
	after int
	send  func(context.Context, error)
}

// flush sends what was decided on its way and takes in what has arrived. An error means that the desk holds what
// the log does not: the session must begin again.
func (s *session) flush(ctx context.Context) error {
	if s.broken != nil {
		return fmt.Errorf("%w: %w", errBeginAgain, s.broken)
	}
	if !s.leading {
		// Requests without a decision that came just before another router took over.
		s.answer(ctx, errStandsBy)
		return nil
	}
	if err := s.advance(ctx); err != nil {
		return err
	}
	for s.pipe.full() || s.pipe.appending != nil && len(s.decided) >= mostDecided {
		if err := s.await(ctx); err != nil {
			return err
		}
	}
	if s.pipe.appending != nil || !s.due() {
		return nil
	}
	return s.begin(ctx)
}

// due says whether there is something to store or to tell.
func (s *session) due() bool {
	return len(s.decided) > 0 || len(s.replies) > 0 || len(s.requested) > 0 || s.cursorDue()
}

// cursorDue says that the cursor must be stored although nothing was decided: standbys keep messages until they
// hear that they were acted on, and the archive does not purge them.
func (s *session) cursorDue() bool {
	return s.acted >= storeCursorEvery || s.acted > 0 && s.storeCursor
}

// drain flushes until nothing is left or on its way.
func (s *session) drain(ctx context.Context) error {
	for {
		if err := s.flush(ctx); err != nil || !s.leading {
			return err
		}
		if s.pipe.idle() && !s.due() {
			return nil
		}
		if err := s.await(ctx); err != nil {
			return err
		}
	}
}

// await waits for something to arrive and takes it in.
func (s *session) await(ctx context.Context) error {
	if s.pipe.idle() {
		return nil
	}
	select {
	case <-s.pipe.wake:
		return s.advance(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// begin makes a group of what was decided and appends it beside the session.
func (s *session) begin(ctx context.Context) error {
	g := &group{
		decided: s.decided, replies: s.replies, requested: s.requested, cursor: s.cursor, appended: make(chan struct{}),
	}
	events := make([]conversation.Event, len(g.decided))
	for i, d := range g.decided {
		events[i] = s.newEvent(d.Conversation, d.at, d.Body)
	}
	if len(events) > 0 || s.cursorDue() {
		if err := s.encode(g, events); err != nil {
			return fmt.Errorf("%w: %w", errBeginAgain, err)
		}
	}
	s.decided, s.replies, s.requested, s.storeCursor = nil, nil, nil, false
	if len(g.batches) == 0 {
		s.finished(g)
		close(g.appended) // only replies, which wait for the groups before
		s.pipe.groups = append(s.pipe.groups, g)
		return s.advance(ctx)
	}
	s.acted = 0
	if s.pipe.idle() {
		s.pipe.move()
	}
	s.pipe.appending = g
	s.pipe.begun++
	last := s.dk
	s.pipe.run(func() {
		defer close(g.appended)
		for i, b := range g.batches {
			seq, err := s.storeBatch(ctx, b.ID, g.data[i], last)
			if err != nil {
				g.err = err
				return
			}
			s.pipe.move()
			g.seqs, last = append(g.seqs, seq), seq
		}
	})
	return nil
}

// finished forgets the requests of a group: the log tells of them, or nothing was decided.
func (s *session) finished(g *group) {
	for _, key := range g.requested {
		delete(s.doing, key)
	}
}

// advance takes in what has arrived: first the decisions that are stored, then the groups of which everything is.
func (s *session) advance(ctx context.Context) error {
	if g := s.pipe.appending; g != nil && isClosed(g.appended) {
		s.pipe.appending = nil
		if g.err != nil {
			s.pipe.groups = append(s.pipe.groups, g) // whose requests are answered at the end of the session
			return fmt.Errorf("%w: %w", errBeginAgain, g.err)
		}
		s.logged(ctx, g)
	}
	for len(s.pipe.groups) > 0 {
		g := s.pipe.groups[0]
		if !g.copied() {
			return nil
		}
		if err := s.settle(ctx, g); err != nil {
			return fmt.Errorf("%w: %w", errBeginAgain, err)
		}
		s.pipe.groups[0] = nil // the array behind it lives on
		s.pipe.groups = s.pipe.groups[1:]
	}
	return nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// logged takes over what the log has, and begins to copy it.
func (s *session) logged(ctx context.Context, g *group) {
	s.pipe.logged++
	g.data = nil
	owed := make([]conversation.Event, 0, len(g.decided))
	for i, b := range g.batches {
		owed = append(owed, s.took(b, g.seqs[i])...)
	}
	s.finished(g)
	s.copyAll(ctx, g, owed)
	s.pipe.groups = append(s.pipe.groups, g)
}

// settle takes over what the copies are, and tells everybody what was decided. Each decision is told with the
// sequence of its own copy: with that of a later one, an agent who lost the conversation could still write.
func (s *session) settle(ctx context.Context, g *group) error {
	errs := make([]error, 0, len(g.copies))
	seqs := map[conversation.ID]uint64{}
	for _, c := range g.copies {
		errs = append(errs, c.err)
		s.settled(c, seqs)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	events := g.events()
	replies := g.replies
	for i := range g.decided {
		replies = s.answerUpTo(ctx, replies, i)
		d := &g.decided[i]
		s.desk.Owned(d.Conversation, seqs[events[i].ID])
		s.publish(ctx, d)
	}
	s.answerUpTo(ctx, replies, len(g.decided))
	g.replies = nil
	for _, c := range g.copies {
		s.desk.Owned(c.conversation, c.ownSeq) // what the router before owed was not decided here
	}
	return nil
}

// answerUpTo sends the replies that wait for no more than n decisions, and returns the others.
func (s *session) answerUpTo(ctx context.Context, replies []reply, n int) []reply {
	for len(replies) > 0 && replies[0].after <= n {
		replies[0].send(ctx, nil)
		replies = replies[1:]
	}
	return replies
}

// answer sends all replies that wait, with the error.
func (s *session) answer(ctx context.Context, err error) {
	all := s.pipe.groups
	if s.pipe.appending != nil {
		all = append(all, s.pipe.appending)
	}
	for _, g := range append(all, &group{replies: s.replies}) {
		for _, r := range g.replies {
			r.send(ctx, err)
		}
		g.replies = nil
	}
	s.replies = nil
}

package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// lease is what the leader says on Subjects.Leader three times in its time. It decides nothing.
type lease struct {
	V      int    `json:"v"`
	Router string `json:"router"`
	Term   uint64 `json:"term"`
	// Left is set once, by a leader that hands over.
	Left bool `json:"left,omitempty"`
}

// renewLease gives the leader its time again. The replicas' times differ a little, so that they do not
// all try at once.
func (s *session) renewLease(now time.Time) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s.instance)) // never fails
	s.leaseEnds = now.Add(s.opts.LeaseFor + s.opts.LeaseFor/5*time.Duration(h.Sum32()%100)/100)
}

func (s *session) takeLease(m *bus.Message) {
	var l lease
	if json.Unmarshal(m.Data, &l) != nil || l.Router == s.instance || l.Term < s.term {
		return
	}
	if l.Left {
		s.leaseEnds = time.Time{}
		return
	}
	s.renewLease(time.Now())
}

func (s *session) sendLease(ctx context.Context, left bool) {
	data, err := json.Marshal(lease{V: 1, Router: s.instance, Term: s.term, Left: left})
	if err == nil {
		err = s.conn.Publish(ctx, s.subjects.Leader(), data)
	}
	if err != nil {
		s.log.WarnContext(ctx, "lease was not sent", "error", err)
	}
	s.leaseSent = time.Now()
}

// deaf is for how long a loop may not turn before it must ask itself whom it did not hear.
const deaf = time.Second

// hears says whether the router can hear its agents. After a time in which it could not, because the bus
// was away or the process stood still, every agent gets its full time again.
func (s *session) hears(now time.Time) bool {
	slept := !s.turned.IsZero() && now.Sub(s.turned) > deaf
	s.turned = now
	if !s.conn.Connected() {
		s.down = true
		return false
	}
	if s.down || slept {
		s.down = false
		s.desk.SeenAll(s.now())
	}
	return true
}

// takeTime does what is due.
func (s *session) takeTime(ctx context.Context) error {
	if !s.hears(time.Now()) {
		return nil
	}
	if !s.leading {
		if s.mayLead(time.Now()) {
			return s.takeOver(ctx)
		}
		s.desk.DropTimers(time.Now())
		return nil
	}
	// A leader that decides and cannot store is as good as dead: another one may have a way to the log.
	if now := time.Now(); now.Sub(s.leaseSent) >= s.opts.LeaseFor/leaseShare && !s.pipe.stalled(now, s.opts.LeaseFor) {
		s.sendLease(ctx, false)
	}
	if err := s.must(routing.Tick{}); err != nil {
		return err
	}
	return s.eachSecond(ctx)
}

func (s *session) mayLead(now time.Time) bool {
	if !s.caughtUp || !s.conn.Connected() || s.term > s.dk || now.Before(s.nextTry) {
		return false // or waiting for the tail to give our own decision back
	}
	return s.left || s.leader == "" || s.led() || !now.Before(s.leaseEnds)
}

// led says whether the leader by the log was this very router: in an earlier session, or in a process before that had
// its name. Neither is there any more, so that nobody has to be waited for. Were it wrong, the log would still let one
// of them decide only.
func (s *session) led() bool {
	i := strings.LastIndexByte(s.leader, '_') // see New
	return i >= 0 && s.leader[:i] == s.opts.Name
}

// takeOver tries to take the lead. The lead begins when the tail gives the decision back: by then
// everything that the router before has stored is folded.
func (s *session) takeOver(ctx context.Context) error {
	// The next try, if this one fails.
	s.renewLease(time.Now())
	s.nextTry = time.Now().Add(housekeeping)
	if err := s.setClock(ctx); err != nil {
		s.log.WarnContext(ctx, "router cannot take the lead", "error", err)
		return nil
	}
	// Only this very batch makes the router lead: the log also has those of earlier sessions, and one whose
	// answer is lost may be stored all the same.
	s.bid = conversation.NewID(s.now())
	b := &conversation.Batch{ID: s.bid, Events: []conversation.Event{s.newEvent("", s.now(), &conversation.TookOver{Router: s.instance})}}
	seq, err := s.appendBatch(ctx, b)
	switch {
	case errors.Is(err, bus.ErrFenced):
		return nil // somebody was faster, or the tail is still behind
	case err != nil:
		s.log.WarnContext(ctx, "router cannot take the lead", "error", err)
		return nil
	}
	s.term = seq
	s.sendLease(ctx, false)
	return nil
}

// promote begins to lead. s.dk is the sequence of our own batch.
func (s *session) promote(ctx context.Context, seq uint64) error {
	s.leading, s.copies, s.term = true, true, seq
	s.forgetSeats()
	s.settings = s.current()
	s.figures = newCounts(s.now(), seq, &s.settings.routing)
	s.positions.since = s.now()
	s.log.InfoContext(ctx, "router leads", "term", seq, "conversations", len(s.desk.Conversations()), "owed", len(s.owed), "messages", len(s.written))
	s.setStatus(func(st *Status) { st.Leading = true })
	s.desk.SeenAll(s.now())
	s.desk.Rearm()
	for _, id := range s.purged() {
		if err := s.must(routing.Forget{Conversation: id}); err != nil {
			return err
		}
	}
	if err := s.payOwed(ctx); err != nil {
		return err
	}
	if err := s.releaseEnded(ctx); err != nil {
		return err
	}
	for _, in := range []routing.Input{routing.Configure{Config: s.settings.routing}, routing.Tick{}} {
		if err := s.must(in); err != nil {
			return err
		}
	}
	if err := s.actOnMessages(ctx); err != nil {
		return err
	}
	if err := s.drain(ctx); err != nil {
		return err
	}
	s.pushAll()
	return nil
}

// payOwed stores the copies that the router before owes, behind what was just decided about them.
func (s *session) payOwed(ctx context.Context) error {
	g := &group{}
	s.pipe.move()
	s.copyAll(ctx, g, s.owed)
	s.pipe.groups = append(s.pipe.groups, g)
	return s.drain(ctx)
}

// pushAll tells every agent again what it has: pushes of the router before may be lost.
func (s *session) pushAll() {
	for _, a := range s.desk.Agents() {
		for _, state := range s.desk.Holding(a.ID) {
			kind := protocol.PushAssigned
			if state.Status == conversation.StatusOffered {
				kind = protocol.PushOffer
			}
			s.push(partyOf(a.Kind), a.ID, protocol.Push{Type: kind, Conversation: s.view(&state)})
		}
	}
}

// leave hands over: a standby takes the lead at once instead of waiting for the lease to end.
func (s *session) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	if !s.leading {
		return nil
	}
	if err := s.finish(ctx); err != nil {
		return err
	}
	b := &conversation.Batch{Events: []conversation.Event{s.newEvent("", s.now(), &conversation.TookOver{Router: s.instance, Left: true})}}
	if _, err := s.appendBatch(ctx, b); err != nil && !errors.Is(err, bus.ErrFenced) {
		return fmt.Errorf("hand over the lead: %w", err)
	}
	s.sendLease(ctx, true)
	s.stepDown("it was told to stop", "")
	s.answer(ctx, errStandsBy)
	return nil
}

// finish stores and tells what it can in a part of the time. What is decided and not stored was told to nobody, and the
// next router stores the copies that are owed: only an append to the decision log must not be under way any more.
func (s *session) finish(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, leaveTimeout/2)
	defer cancel()
	if err := s.drain(within); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errBeginAgain) {
		return err
	}
	g := s.pipe.appending
	if g == nil {
		return nil
	}
	select {
	case <-g.appended:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if g.err != nil {
		return fmt.Errorf("%w: %w", errBeginAgain, g.err)
	}
	for i, b := range g.batches {
		s.took(b, g.seqs[i])
	}
	return nil
}

package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/deskfleet/deskfleet/internal/bot/dialogue"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

// Pauses of a session.
const (
	// hintFirst and hintMost bound the pauses in which it waits for a message to be stored that it has
	// received live. After hintMost it was refused and will never be.
	hintFirst = 2 * time.Millisecond
	hintMost  = time.Second
	// retryFirst and retryMost bound the pauses after a failure.
	retryFirst = 100 * time.Millisecond
	retryMost  = 5 * time.Second
	// appendTimeout of one message, repetitions included.
	appendTimeout = 10 * time.Second
)

// heardMost ids are remembered: a live message may come after the log has given it.
const heardMost = 64

// session is one conversation that the worker holds.
type session struct {
	worker *worker
	id     conversation.ID
	log    *slog.Logger
	// ownSeq fences what the session says.
	ownSeq atomic.Uint64
	// wakeUp has room for one.
	wakeUp chan struct{}
	cancel context.CancelFunc

	mu sync.Mutex
	// hinted is the latest message that was received live; empty when the log has given it.
	hinted conversation.ID

	// All below is the session's goroutine's own.
	talk  dialogue.Talk
	heard []conversation.ID
	// considered says up to which message the session has decided.
	considered uint64
	started    bool
	// unsaid is what is left of a reply whose beginning is stored.
	unsaid []dialogue.Say
	// promise is the hand-off that was said and is to follow, with the id of its request.
	promise   *dialogue.HandOff
	promiseID string
}

// errGone says that the conversation is not, or no longer, the worker's.
var errGone = errors.New("the conversation is no longer this worker's")

func (s *session) wake() {
	select {
	case s.wakeUp <- struct{}{}:
	default:
	}
}

// hint takes a live message: it says that the log has, or is about to have, something new.
func (s *session) hint(m *bus.Message) {
	var head conversation.Header
	if json.Unmarshal(m.Data, &head) != nil {
		return
	}
	s.mu.Lock()
	s.hinted = head.ID
	s.mu.Unlock()
	s.wake()
}

// run the session until it is over. It returns errGone when the router has to be asked what is the worker's.
func (s *session) run(ctx context.Context, finish <-chan struct{}) error {
	subscription, err := s.subscribe(ctx, finish)
	if err != nil {
		return err
	}
	defer subscription.Stop()
	look := time.NewTicker(s.worker.opts.LookEvery)
	defer look.Stop()
	pause := retryFirst
	for {
		select {
		case <-finish:
			return nil // between two turns
		default:
		}
		progress, err := s.step(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, errHandedOff):
			return nil
		case errors.Is(err, errGone), errors.Is(err, bus.ErrFenced):
			return fmt.Errorf("%w: %w", errGone, err)
		case err != nil:
			s.worker.metrics.failures.Inc()
			s.log.Log(ctx, levelOf(err), "bot tries its turn again", "error", err)
			if !s.pause(ctx, finish, pause) {
				return nil
			}
			pause = min(2*pause, retryMost)
			continue
		}
		pause = retryFirst
		if progress {
			continue
		}
		select {
		case <-s.wakeUp:
		case <-look.C:
		case <-finish:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// levelOf a turn that failed: an outage of the bus and a full log are told once and not by each conversation.
func levelOf(err error) slog.Level {
	if errors.Is(err, bus.ErrUnavailable) || errors.Is(err, bus.ErrFull) {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// subscribe before the transcript is read, so that nothing falls in between.
func (s *session) subscribe(ctx context.Context, finish <-chan struct{}) (bus.Subscription, error) {
	for pause := retryFirst; ; pause = min(2*pause, retryMost) {
		subscription, err := s.worker.conn.Subscribe(ctx, s.worker.subjects.Messages(string(s.id)), s.hint, bus.WithDropped(s.wake))
		if err == nil {
			return subscription, nil
		}
		if !s.pause(ctx, finish, pause) {
			return nil, err
		}
	}
}

func (s *session) pause(ctx context.Context, finish <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-finish:
		return false
	case <-ctx.Done():
		return false
	}
}

// errHandedOff ends a session that has done its work.
var errHandedOff = errors.New("handed off")

// step does at most one turn. progress says that there may be more to do at once.
func (s *session) step(ctx context.Context) (progress bool, err error) {
	if err := s.catchUp(ctx); err != nil {
		return false, err
	}
	if len(s.unsaid) > 0 {
		return true, s.sayAll(ctx)
	}
	plan := planOf(s.worker.opts.Source.Current().Document, s.worker.opts.Pool)
	if s.talk.Promised {
		if s.promise == nil { // promised by a worker before this one
			s.setPromise(dialogue.Decide(&s.talk, dialogue.Findings{}, plan.settings).HandOff)
		}
		return false, s.handOff(ctx)
	}
	if s.started && s.talk.Seq <= s.considered || s.talk.From > 0 && len(s.talk.Open) == 0 {
		return false, nil
	}
	begin := time.Now()
	var found dialogue.Findings
	if query, language, ok := dialogue.Question(&s.talk, plan.settings); ok {
		if found = s.worker.lookup(ctx, plan.bases, query, language); ctx.Err() != nil {
			return false, ctx.Err()
		}
	}
	reply := dialogue.Decide(&s.talk, found, plan.settings)
	s.setPromise(reply.HandOff)
	s.unsaid = reply.Say
	if err := s.sayAll(ctx); err != nil {
		if len(s.unsaid) == len(reply.Say) {
			s.unsaid = nil // nothing is stored: decide again, something may have been said in between
		}
		return false, err
	}
	s.started, s.considered = true, reply.Through
	s.worker.countTurn(reply, time.Since(begin))
	return len(reply.Say) > 0, nil
}

// sayAll says what is left of a reply.
func (s *session) sayAll(ctx context.Context) error {
	for len(s.unsaid) > 0 {
		if err := s.say(ctx, &s.unsaid[0]); err != nil {
			return err
		}
		s.unsaid = s.unsaid[1:]
	}
	return nil
}

func (s *session) setPromise(h *dialogue.HandOff) {
	s.promise, s.promiseID = h, ""
	if h != nil {
		s.promiseID = string(conversation.NewID(time.Now()))
	}
}

// catchUp reads what is new in the transcript, what was received live included.
func (s *session) catchUp(ctx context.Context) error {
	for pause := hintFirst; ; pause *= 2 {
		if err := s.read(ctx); err != nil {
			return err
		}
		s.mu.Lock()
		if slices.Contains(s.heard, s.hinted) || pause > hintMost {
			s.hinted = ""
		}
		missing := s.hinted != ""
		s.mu.Unlock()
		if !missing {
			return nil
		}
		if !wait(ctx, pause) {
			return ctx.Err()
		}
	}
}

func (s *session) read(ctx context.Context) error {
	for stored, err := range s.worker.desk.Read(ctx, s.worker.subjects.Messages(string(s.id)), s.talk.Seq+1) {
		if err != nil {
			return fmt.Errorf("read the transcript: %w", err)
		}
		e, err := conversation.Decode(stored.Data)
		if err != nil {
			s.log.Error("bot leaves out a message that it cannot read", "seq", stored.Seq, "error", err)
			continue
		}
		e.Seq = stored.Seq
		s.talk.Hear(e)
		if len(s.heard) == heardMost {
			s.heard = slices.Delete(s.heard, 0, 1)
		}
		s.heard = append(s.heard, e.ID)
	}
	return nil
}

// say stores one message of the bot, if the conversation is still the worker's. The session hears it from the
// log, like everything else: something may have been said in between.
func (s *session) say(ctx context.Context, say *dialogue.Say) error {
	now := time.Now()
	e := conversation.NewEvent(conversation.NewID(now), s.id, now, &conversation.Message{
		From: s.worker.agent().Actor(), Text: say.Text, Language: say.Language, ClientID: say.ClientID, Entry: say.Entry, Missed: say.Missed,
	})
	data, err := conversation.Encode(e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	_, _, err = s.worker.desk.Append(ctx, s.worker.subjects.Messages(string(s.id)), data, bus.AppendOptions{
		MsgID: intake.MsgID(s.id, say.ClientID), ExpectLast: bus.Expect(s.ownSeq.Load()),
		ExpectFilter: s.worker.subjects.Ownership(string(s.id)),
	})
	if errors.Is(err, bus.ErrFenced) {
		s.worker.metrics.fenced.Inc()
	}
	return err
}

// handOff gives the conversation to people. It returns errHandedOff when that is done.
func (s *session) handOff(ctx context.Context) error {
	request := protocol.Request{
		ID: s.promiseID, Type: protocol.HandOff, Conversation: s.id,
		HandOff: &conversation.HandOff{
			TranscriptSeq: s.talk.Seq, Reason: s.promise.Reason, Language: s.promise.Language, Tried: s.promise.Tried,
			Verification: conversation.VerificationNone,
		},
	}
	_, err := s.worker.ask(ctx, request)
	if err == nil {
		s.worker.metrics.handOffs.WithLabelValues(reasonLabel(s.promise.Reason.Code)).Inc()
		s.log.Info("bot handed off", "reason", s.promise.Reason.Code, "words", s.promise.Reason.Words)
		return errHandedOff
	}
	if refused, ok := errors.AsType[*protocol.Error](err); ok {
		switch refused.Code {
		case protocol.CodeNotOwner, protocol.CodeNotFound, protocol.CodeState, protocol.CodeNotSignedOn:
			return fmt.Errorf("%w: %w", errGone, err)
		default: // asked again
		}
	}
	return fmt.Errorf("hand off: %w", err)
}

// reasonLabel bounds the values of a metric's label.
func reasonLabel(code conversation.ReasonCode) string {
	switch code {
	case conversation.ReasonAskedForPerson, conversation.ReasonNoAnswer, conversation.ReasonFault:
		return string(code)
	default:
		return "other"
	}
}

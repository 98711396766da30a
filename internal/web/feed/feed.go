// Package feed spreads what a desk's log stores to the sockets that wait for it: one tail of the log and
// one subscription to live messages a process, however many sockets there are.
//
// It follows the log with a tail and not with core subscriptions of the same subjects: a core subscriber
// also sees what the log then refuses, such as the answer of a bot that no longer owns the conversation,
// and it sees no sequences. With sequences a socket reads history from the log and goes on with the feed
// without losing or doubling anything: whoever joins a topic first and then reads the log up to its end
// misses nothing, and leaves out what the feed brings at or below the sequence that was read.
package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
)

// Topic is what a sink may join.
type Topic string

// OfConversation is the topic of what is said and done in one conversation, stored and live.
func OfConversation(id string) Topic { return Topic("c." + id) }

// OfContact is the topic of the claims of one contact on one channel: which conversation is open.
func OfContact(channel, contact string) Topic {
	return Topic("k." + channel + "." + bus.ContactToken(contact))
}

// Stored is one message of the log.
type Stored struct {
	bus.Stored
	Subject bus.Subject
}

// Live is a message that is not stored, such as typing or a place in the queue.
type Live struct {
	Conversation string
	Data         []byte
}

// Sink receives what happens on the topics that it joined. Its methods must not block; they may join and
// leave topics: a topic that is joined while a stored message is handled brings everything behind it.
type Sink interface {
	// Stored receives the messages of the log in order of sequence, one after the other. Live may run at
	// the same time.
	Stored(Stored)
	// Live receives what is not stored.
	Live(Live)
	// Reset says that the log was replaced: sequences mean nothing any more.
	Reset()
}

// Feed of one desk.
type Feed struct {
	conn     bus.Conn
	log      bus.Log
	subjects bus.Subjects
	filters  []string
	logger   *slog.Logger
	ready    atomic.Bool

	mu     sync.Mutex
	topics map[Topic]map[Sink]struct{}
	joined map[Sink]map[Topic]struct{}
}

// New makes a feed of conversations, and of contacts' claims if they are wanted.
func New(conn bus.Conn, subjects bus.Subjects, claims bool, logger *slog.Logger) *Feed {
	filters := []string{subjects.AllMessages(), subjects.AllOwnership()}
	if claims {
		filters = append(filters, subjects.Claims())
	}
	return &Feed{
		conn: conn, log: conn.Log(subjects.Stream()), subjects: subjects, filters: filters, logger: logger,
		topics: map[Topic]map[Sink]struct{}{}, joined: map[Sink]map[Topic]struct{}{},
	}
}

// Ready says whether the feed follows the log. A sink that joins before may miss something.
func (f *Feed) Ready() bool { return f.ready.Load() }

// Run follows the log until ctx ends. It returns nil then, and an error only when the bus denies the log.
func (f *Feed) Run(ctx context.Context) error {
	sub, err := f.conn.Subscribe(ctx, f.subjects.AllLive(), f.live)
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	defer sub.Stop()
	defer f.ready.Store(false)
	for {
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if !errors.Is(err, bus.ErrLogReplaced) && !errors.Is(err, bus.ErrUnavailable) {
			return fmt.Errorf("feed: %w", err)
		}
		f.logger.WarnContext(ctx, "feed begins anew, its sockets are told to resume", "error", err)
		f.ready.Store(false)
		f.reset()
		if !pause(ctx, time.Second) {
			return nil
		}
	}
}

func (f *Feed) follow(ctx context.Context) error {
	info, err := f.log.Info(ctx)
	if err != nil {
		return err
	}
	return f.log.Tail(ctx, f.filters, info.LastSeq+1, bus.TailHandler{
		Message:  func(m bus.Stored) error { f.stored(m); return nil },
		CaughtUp: func() error { f.ready.Store(true); return nil },
	})
}

// pause waits; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Join adds the sink to a topic. Joining twice is joining once.
func (f *Feed) Join(s Sink, t Topic) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.topics[t] == nil {
		f.topics[t] = map[Sink]struct{}{}
	}
	if f.joined[s] == nil {
		f.joined[s] = map[Topic]struct{}{}
	}
	f.topics[t][s] = struct{}{}
	f.joined[s][t] = struct{}{}
}

// Leave takes the sink from a topic. A call that is under way may still reach it.
func (f *Feed) Leave(s Sink, t Topic) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leave(s, t)
}

// LeaveAll takes the sink from all its topics.
func (f *Feed) LeaveAll(s Sink) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for t := range f.joined[s] {
		f.leave(s, t)
	}
}

func (f *Feed) leave(s Sink, t Topic) {
	delete(f.topics[t], s)
	if len(f.topics[t]) == 0 {
		delete(f.topics, t)
	}
	delete(f.joined[s], t)
	if len(f.joined[s]) == 0 {
		delete(f.joined, s)
	}
}

// Topics that somebody joined.
func (f *Feed) Topics() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.topics)
}

func (f *Feed) sinks(t Topic) []Sink {
	f.mu.Lock()
	defer f.mu.Unlock()
	members := f.topics[t]
	if len(members) == 0 {
		return nil
	}
	out := make([]Sink, 0, len(members))
	for s := range members {
		out = append(out, s)
	}
	return out
}

func (f *Feed) stored(m bus.Stored) {
	subject, err := f.subjects.Parse(m.Subject)
	if err != nil {
		f.logger.Warn("feed ignores a subject", "error", err)
		return
	}
	topic := OfConversation(subject.Conversation)
	if subject.Kind == bus.KindClaim {
		topic = Topic("k." + subject.Channel + "." + subject.ContactToken)
	}
	for _, s := range f.sinks(topic) {
		s.Stored(Stored{Stored: m, Subject: subject})
	}
}

func (f *Feed) live(m *bus.Message) {
	subject, err := f.subjects.Parse(m.Subject)
	if err != nil {
		return
	}
	for _, s := range f.sinks(OfConversation(subject.Conversation)) {
		s.Live(Live{Conversation: subject.Conversation, Data: m.Data})
	}
}

func (f *Feed) reset() {
	f.mu.Lock()
	sinks := make([]Sink, 0, len(f.joined))
	for s := range f.joined {
		sinks = append(sinks, s)
	}
	f.mu.Unlock()
	for _, s := range sinks {
		s.Reset()
	}
}

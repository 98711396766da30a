package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// recorder is a tail that runs until the test ends.
type recorder struct {
	mu       sync.Mutex
	got      []string
	seqs     []uint64
	caughtUp int
	atMarker int
	result   chan error
	stop     context.CancelFunc
}

func startTail(t testing.TB, l Log, from uint64, filters ...string) *recorder {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &recorder{result: make(chan error, 1), stop: cancel}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.result <- l.Tail(ctx, filters, from, TailHandler{Message: r.message, CaughtUp: r.marker})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return r
}

func (r *recorder) message(m Stored) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got, r.seqs = append(r.got, string(m.Data)), append(r.seqs, m.Seq)
	return nil
}

func (r *recorder) marker() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.caughtUp++
	r.atMarker = len(r.got)
	return nil
}

func (r *recorder) state() (got []string, caughtUp, atMarker int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.got...), r.caughtUp, r.atMarker
}

func (r *recorder) waitFor(t testing.TB, want ...string) {
	t.Helper()
	eventually.Nil(t, "the tail gives all messages", func() error {
		got, _, _ := r.state()
		if diff := cmp.Diff(want, got); diff != "" {
			return errors.New(diff)
		}
		return nil
	})
}

func (r *recorder) waitCaughtUp(t testing.TB) {
	t.Helper()
	eventually.True(t, "the tail catches up", func() bool { _, n, _ := r.state(); return n > 0 })
}

func TestTailCatchesUpAndGoesOn(t *testing.T) {
	l, s := testLog(t)
	first := mustAppend(t, l, s.Messages("c1"), "skipped", AppendOptions{})
	mustAppend(t, l, s.Messages("c1"), "a", AppendOptions{})
	mustAppend(t, l, s.Ownership("c1"), "not asked for", AppendOptions{})
	mustAppend(t, l, s.Decisions(), "b", AppendOptions{MsgID: "d"})
	mustAppend(t, l, s.Ownership("c1"), "not asked for", AppendOptions{})
	r := startTail(t, l, first+1, s.AllMessages(), s.Decisions())
	r.waitFor(t, "a", "b")
	r.waitCaughtUp(t)
	mustAppend(t, l, s.Messages("c2"), "c", AppendOptions{})
	mustAppend(t, l, s.Decisions(), "d", AppendOptions{})
	r.waitFor(t, "a", "b", "c", "d")
	if _, n, at := r.state(); n != 1 || at != 2 {
		t.Errorf("caught up %d times, at message %d; want once at 2", n, at)
	}
	r.stop()
	if err := eventually.Receive(t, "the tail ends", r.result); !errors.Is(err, context.Canceled) {
		t.Errorf("tail ended with %v", err)
	}
}

func TestTailOfNothingIsCaughtUp(t *testing.T) {
	l, s := testLog(t)
	mustAppend(t, l, s.Messages("c1"), "other", AppendOptions{})
	r := startTail(t, l, 0, s.Decisions())
	r.waitCaughtUp(t)
	mustAppend(t, l, s.Decisions(), "a", AppendOptions{})
	r.waitFor(t, "a")
}

// What the tail has yet to see is purged: it must not wait for it for ever.
func TestTailCatchesUpWhenTheRestIsPurged(t *testing.T) {
	l, s := testLog(t)
	const n = 3 * tailBatch
	var last uint64
	for i := range n {
		last = mustAppend(t, l, s.Messages("c1"), fmt.Sprint(i), AppendOptions{})
	}
	caughtUp, count := make(chan int, 1), 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() {
		result <- l.Tail(ctx, []string{s.AllMessages()}, 0, TailHandler{
			Message: func(Stored) error {
				if count++; count == 1 {
					return l.PurgeUpTo(t.Context(), s.AllMessages(), last)
				}
				return nil
			},
			CaughtUp: func() error { caughtUp <- count; return nil },
		})
	}()
	if got := eventually.Receive(t, "the tail catches up", caughtUp); got >= n {
		t.Errorf("all %d messages were delivered: the purge came too late to test anything", got)
	}
	cancel()
	eventually.Receive(t, "the tail ends", result)
}

func TestTailEndsWithTheHandlersError(t *testing.T) {
	l, s := testLog(t)
	mustAppend(t, l, s.Messages("c1"), "a", AppendOptions{})
	// A handler's own ErrUnavailable must not make the tail deliver again.
	mine := fmt.Errorf("%w: mine", ErrUnavailable)
	calls := 0
	err := l.Tail(t.Context(), []string{s.AllMessages()}, 0, TailHandler{Message: func(Stored) error { calls++; return mine }})
	if !errors.Is(err, mine) || calls != 1 {
		t.Errorf("got %v after %d calls, want %v after one", err, calls, mine)
	}
	mine = errors.New("mine")
	err = l.Tail(t.Context(), []string{s.AllMessages()}, 0, TailHandler{
		Message: func(Stored) error { return nil }, CaughtUp: func() error { return mine }})
	if !errors.Is(err, mine) {
		t.Errorf("got %v, want %v", err, mine)
	}
}

// The server stops and starts again on its store while messages are appended
// and tailed: nothing is lost, doubled or out of order.
func TestTailAcrossServerRestarts(t *testing.T) {
	s, dir := testSubjects(t), t.TempDir()
	doc := testDocument(16 << 20)
	seed, public := newSeed(t)
	doc.Bus.Users = routerUser(public)
	down := make(chan struct{}, 16)
	var inside replaceable
	start := func() *Server {
		server, err := StartEmbedded(t.Context(), doc, dir, quiet(t))
		if err != nil {
			t.Fatal(err)
		}
		inside.set(server)
		return server
	}
	server := start()
	t.Cleanup(func() { shutdown(t, server) })

	up := make(chan struct{}, 16)
	c, err := insideAs{&inside, routerRole, seed}.Dial(t.Context(), ClientOptions{
		Name: "router", Logger: quiet(t),
		OnDisconnect: func(error) { down <- struct{}{} },
		OnReconnect:  func() { up <- struct{}{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	l := c.Log(s.Stream())
	r := startTail(t, l, 0, s.Conversations())

	var want []string
	appendSome := func(n int) {
		for range n {
			data := fmt.Sprint(len(want))
			want = append(want, data)
			mustAppend(t, l, s.Messages("c1"), data, AppendOptions{MsgID: "c1:" + data})
		}
	}
	appendSome(50)
	for range 3 {
		inside.set(nil)
		shutdown(t, server)
		eventually.Receive(t, "the client notices the loss", down)
		if c.Connected() {
			t.Error("connected to a server that is down")
		}
		// An append that begins while the server is down is stored once it is back.
		late := make(chan error, 1)
		data := fmt.Sprint(len(want))
		want = append(want, data)
		go func() {
			_, _, err := l.Append(t.Context(), s.Messages("c1"), []byte(data), AppendOptions{MsgID: "c1:" + data})
			late <- err
		}()
		server = start()
		eventually.Receive(t, "the client is told that it is back", up)
		if err := eventually.Receive(t, "the late append", late); err != nil {
			t.Fatal(err)
		}
		appendSome(50)
	}
	r.waitFor(t, want...)
	if _, n, _ := r.state(); n != 1 {
		t.Errorf("caught up %d times, want once", n)
	}
	if diff := cmp.Diff(want, readAll(t, l, s.Messages("c1"), 0)); diff != "" {
		t.Error(diff)
	}
}

// Sequences go on after a restart of an emptied log: fences and tails rely on it.
func TestSequencesGoOnAfterPurgeAndRestart(t *testing.T) {
	s, dir := testSubjects(t), t.TempDir()
	doc := testDocument(16 << 20)
	server, err := StartEmbedded(t.Context(), doc, dir, quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	l := connect(t, server).Log(s.Stream())
	last := mustAppend(t, l, s.Messages("c1"), "a", AppendOptions{})
	if err := l.PurgeUpTo(t.Context(), s.Conversations(), last); err != nil {
		t.Fatal(err)
	}
	shutdown(t, server)
	server = startTestServer(t, doc, dir)
	l = connect(t, server).Log(s.Stream())
	r := startTail(t, l, last+1, s.Conversations())
	if got := mustAppend(t, l, s.Messages("c1"), "b", AppendOptions{}); got != last+1 {
		t.Errorf("sequence %d follows %d", got, last)
	}
	r.waitFor(t, "b")
}

func TestTailNoticesAReplacedLog(t *testing.T) {
	s := testSubjects(t)
	server := startTestServer(t, testDocument(16<<20), t.TempDir())
	l := connect(t, server).Log(s.Stream())
	mustAppend(t, l, s.Messages("c1"), "a", AppendOptions{})
	err := l.Tail(t.Context(), []string{s.Conversations()}, 3, TailHandler{Message: func(Stored) error { return nil }})
	if !errors.Is(err, ErrLogReplaced) {
		t.Errorf("a tail from beyond the end gives %v, want %v", err, ErrLogReplaced)
	}

	r := startTail(t, l, 0, s.Conversations())
	r.waitFor(t, "a")
	admin := connect(t, server).(*conn)
	if err := admin.js.DeleteStream(t.Context(), s.Stream()); err != nil {
		t.Fatal(err)
	}
	if err := server.EnsureStream(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := eventually.Receive(t, "the tail ends", r.result); !errors.Is(err, ErrLogReplaced) {
		t.Errorf("got %v, want %v", err, ErrLogReplaced)
	}
}

// The volume of the server was replaced while it was down, and the new log is
// longer than the old one: only its time of birth tells.
func TestTailNoticesALongerReplacedLog(t *testing.T) {
	s := testSubjects(t)
	seed, public := newSeed(t)
	doc := testDocument(16 << 20)
	doc.Bus.Users = routerUser(public)
	var inside replaceable
	first, err := StartEmbedded(t.Context(), doc, t.TempDir(), quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	inside.set(first)
	l := connect(t, insideAs{&inside, routerRole, seed}).Log(s.Stream())
	mustAppend(t, l, s.Messages("c1"), "a", AppendOptions{})
	r := startTail(t, l, 0, s.Conversations())
	r.waitFor(t, "a")
	inside.set(nil)
	shutdown(t, first)
	next := startTestServer(t, doc, t.TempDir())
	for range 3 {
		mustAppend(t, connect(t, next).Log(s.Stream()), s.Messages("c2"), "of another log", AppendOptions{})
	}
	inside.set(next)
	if err := eventually.Receive(t, "the tail ends", r.result); !errors.Is(err, ErrLogReplaced) {
		t.Errorf("got %v, want %v", err, ErrLogReplaced)
	}
	r.waitFor(t, "a")
}

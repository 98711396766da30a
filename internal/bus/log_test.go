package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

func TestAppendAndRead(t *testing.T) {
	l, s := testLog(t)
	first := mustAppend(t, l, s.Messages("c1"), "hello", AppendOptions{MsgID: "c1:1"})
	mustAppend(t, l, s.Messages("c2"), "other", AppendOptions{})
	own := mustAppend(t, l, s.Ownership("c1"), "bot", AppendOptions{ExpectLast: Expect(0)})
	mustAppend(t, l, s.Messages("c1"), "again", AppendOptions{ExpectLast: Expect(own), ExpectFilter: s.Ownership("c1")})

	if diff := cmp.Diff([]string{"hello", "again"}, readAll(t, l, s.Messages("c1"), 0)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"bot", "again"}, readAll(t, l, s.Conversation("c1"), first+1)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"bot"}, readAll(t, l, s.AllOwnership(), own)); diff != "" {
		t.Errorf("from the last one on: %s", diff)
	}
	if got := readAll(t, l, s.Messages("c3"), 0); got != nil {
		t.Errorf("a conversation without messages reads %q", got)
	}
	for m, err := range l.Read(t.Context(), s.Messages("c1"), 0) {
		if err != nil || m.MsgID != "c1:1" || m.Seq != first || m.Subject != s.Messages("c1") {
			t.Errorf("first message is %+v, %v", m, err)
		}
		break // an iterator that is left early must not leak its subscription
	}
}

func TestLast(t *testing.T) {
	l, s := testLog(t)
	mustAppend(t, l, s.Messages("c1"), "one", AppendOptions{})
	last := mustAppend(t, l, s.Ownership("c1"), "two", AppendOptions{MsgID: "d1"})
	mustAppend(t, l, s.Messages("c2"), "other", AppendOptions{})
	got, ok, err := l.Last(t.Context(), s.Conversation("c1"))
	if err != nil || !ok || got.Time.IsZero() {
		t.Fatalf("last is %+v, %t, %v", got, ok, err)
	}
	want := Stored{Subject: s.Ownership("c1"), Seq: last, Time: got.Time, MsgID: "d1", Data: []byte("two")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, ok, err := l.Last(t.Context(), s.Messages("c3")); ok || err != nil {
		t.Errorf("last of nothing is %t, %v", ok, err)
	}
	if seq, err := l.LastSeq(t.Context(), s.Decisions()); seq != 0 || err != nil {
		t.Errorf("last sequence of nothing is %d, %v", seq, err)
	}
}

// A log much larger than one batch is read whole and in order.
func TestReadManyBatches(t *testing.T) {
	l, s := testLog(t)
	const n = 2*readBatch + 7
	var want []string
	for i := range n {
		want = append(want, fmt.Sprint(i))
	}
	for _, data := range want {
		mustAppend(t, l, s.Messages("c1"), data, AppendOptions{})
	}
	if diff := cmp.Diff(want, readAll(t, l, s.AllMessages(), 1)); diff != "" {
		t.Error(diff)
	}
}

func TestDuplicateIsStoredOnce(t *testing.T) {
	l, s := testLog(t)
	seq := mustAppend(t, l, s.Messages("c1"), "hello", AppendOptions{MsgID: "c1:1"})
	again, duplicate, err := l.Append(t.Context(), s.Messages("c1"), []byte("hello"), AppendOptions{MsgID: "c1:1"})
	if err != nil || !duplicate || again != seq {
		t.Errorf("second append gives sequence %d, duplicate %t, %v; want %d and a duplicate", again, duplicate, err, seq)
	}
	if got := readAll(t, l, s.Messages("c1"), 0); len(got) != 1 {
		t.Errorf("stored %q, want it once", got)
	}
}

// A writer whose answer was lost repeats its append. It must learn that it was
// first, although the expected sequence is past by its own append, also after
// another writer has gone on from there.
func TestRepeatedFencedAppendIsADuplicate(t *testing.T) {
	l, s := testLog(t)
	for subject, filter := range map[string]string{s.Decisions(): "", s.Ownership("c1"): s.Conversation("c1")} {
		opts := AppendOptions{MsgID: subject, ExpectLast: Expect(0), ExpectFilter: filter}
		seq := mustAppend(t, l, subject, "one", opts)
		for range 2 {
			again, duplicate, err := l.Append(t.Context(), subject, []byte("one"), opts)
			if err != nil || !duplicate || again != seq {
				t.Errorf("repeated append gives sequence %d, duplicate %t, %v; want %d and a duplicate", again, duplicate, err, seq)
			}
			mustAppend(t, l, subject, "later", AppendOptions{})
		}
		opts.MsgID = "other"
		if _, _, err := l.Append(t.Context(), subject, []byte("one"), opts); !errors.Is(err, ErrFenced) {
			t.Errorf("another writer's append gives %v, want %v", err, ErrFenced)
		}
	}
}

func TestFencedErrorCarriesTheActualSequence(t *testing.T) {
	l, s := testLog(t)
	own := mustAppend(t, l, s.Ownership("c1"), "bot", AppendOptions{ExpectLast: Expect(0)})
	taken := mustAppend(t, l, s.Ownership("c1"), "agent", AppendOptions{ExpectLast: Expect(own)})
	_, _, err := l.Append(t.Context(), s.Messages("c1"), []byte("late"), AppendOptions{
		MsgID: "m1", ExpectLast: Expect(own), ExpectFilter: s.Ownership("c1")})
	var fenced *FencedError
	if !errors.As(err, &fenced) {
		t.Fatalf("error is %v, want a FencedError", err)
	}
	want := FencedError{Subject: s.Ownership("c1"), Expected: own, Actual: taken}
	if *fenced != want {
		t.Errorf("got %+v, want %+v", *fenced, want)
	}
	if got := readAll(t, l, s.Messages("c1"), 0); got != nil {
		t.Errorf("the refused message was stored: %q", got)
	}
}

// Two routers race on the decision log. Each sequence is won by exactly one,
// and a loser that takes the actual sequence over can go on.
func TestTwoWritersOneLog(t *testing.T) {
	s := testSubjects(t)
	server := startTestServer(t, testDocument(16<<20), t.TempDir())
	const each = 100
	var wg sync.WaitGroup
	for w := range 2 {
		l := connect(t, server).Log(s.Stream())
		wg.Go(func() {
			var last uint64
			for i := 0; i < each; {
				seq, _, err := l.Append(t.Context(), s.Decisions(), fmt.Appendf(nil, "%d after %d", w, last),
					AppendOptions{MsgID: fmt.Sprintf("%d-%d-%d", w, i, last), ExpectLast: Expect(last)})
				var fenced *FencedError
				switch {
				case err == nil:
					last, i = seq, i+1
				case errors.As(err, &fenced):
					last = fenced.Actual
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	l := connect(t, server).Log(s.Stream())
	var previous uint64
	count := 0
	for m, err := range l.Read(t.Context(), s.Decisions(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(" after %d", previous); !strings.HasSuffix(string(m.Data), want) {
			t.Fatalf("message %d is %q, want it to end with %q", m.Seq, m.Data, want)
		}
		previous = m.Seq
		count++
	}
	if count != 2*each {
		t.Errorf("%d messages, want %d", count, 2*each)
	}
}

func TestPurgeKeepsTheLaterMessage(t *testing.T) {
	l, s := testLog(t)
	subject := s.Messages("c1")
	mustAppend(t, l, subject, "one", AppendOptions{})
	mustAppend(t, l, s.Messages("c2"), "other", AppendOptions{})
	archived := mustAppend(t, l, subject, "two", AppendOptions{})
	// The message that arrives between archiving and purging.
	mustAppend(t, l, subject, "late", AppendOptions{})
	if err := l.PurgeUpTo(t.Context(), s.Conversation("c1"), archived); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"other", "late"}, readAll(t, l, s.AllMessages(), 0)); diff != "" {
		t.Error(diff)
	}
	if err := l.PurgeUpTo(t.Context(), "", archived); err == nil {
		t.Error("a purge without a filter was accepted")
	}
}

// Messages keep arriving while the archiver purges: none may be lost that it
// has not seen.
func TestPurgeRace(t *testing.T) {
	s := testSubjects(t)
	server := startTestServer(t, testDocument(16<<20), t.TempDir())
	writer, archiver := connect(t, server).Log(s.Stream()), connect(t, server).Log(s.Stream())
	const n = 300
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range n {
			if _, _, err := writer.Append(t.Context(), s.Messages("c1"), fmt.Append(nil, i), AppendOptions{}); err != nil {
				t.Error(err)
			}
		}
	}()
	archived := map[string]int{}
	var upTo uint64
	archive := func() {
		for m, err := range archiver.Read(t.Context(), s.AllMessages(), upTo+1) {
			if err != nil {
				t.Fatal(err)
			}
			archived[string(m.Data)]++
			upTo = m.Seq
		}
		if err := archiver.PurgeUpTo(t.Context(), s.Conversation("c1"), upTo); err != nil {
			t.Fatal(err)
		}
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		archive()
	}
	for i := range n {
		if archived[fmt.Sprint(i)] != 1 {
			t.Errorf("message %d was archived %d times", i, archived[fmt.Sprint(i)])
		}
	}
	if got := readAll(t, archiver, s.AllMessages(), 0); got != nil {
		t.Errorf("left behind: %q", got)
	}
}

// An emptied subject expects sequence 0 again, which would let a deposed
// router in: compacting must keep the last message.
func TestCompactKeepsTheFence(t *testing.T) {
	l, s := testLog(t)
	if err := l.CompactUpTo(t.Context(), s.Decisions(), 100); err != nil {
		t.Fatalf("compacting an empty log: %v", err)
	}
	var last uint64
	for i := range 5 {
		last = mustAppend(t, l, s.Decisions(), fmt.Sprint(i), AppendOptions{})
	}
	if err := l.CompactUpTo(t.Context(), s.Decisions(), last-3); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2", "3", "4"}, readAll(t, l, s.Decisions(), 0)); diff != "" {
		t.Error(diff)
	}
	if err := l.CompactUpTo(t.Context(), s.Decisions(), last+100); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"4"}, readAll(t, l, s.Decisions(), 0)); diff != "" {
		t.Error(diff)
	}
	_, _, err := l.Append(t.Context(), s.Decisions(), nil, AppendOptions{ExpectLast: Expect(0)})
	if !errors.Is(err, ErrFenced) {
		t.Errorf("a writer that knows nothing gives %v, want %v", err, ErrFenced)
	}
}

func TestAppendToAMissingStreamIsUnavailable(t *testing.T) {
	server := startTestServer(t, testDocument(16<<20), t.TempDir())
	ctx, cancel := context.WithTimeoutCause(t.Context(), attemptTimeout/10, errors.New("test is out of patience"))
	defer cancel()
	c := connect(t, server)
	_, _, err := c.Log("DESK_other").Append(ctx, "cv.other.desk.c1.msg", nil, AppendOptions{MsgID: "m"})
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want %v", err, ErrUnavailable)
	}
	if err := c.WaitStream(ctx, "DESK_other"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("waiting gives %v, want %v", err, ErrUnavailable)
	}
}

// Nothing was stored while nobody served the log, so that even an append that
// cannot be repeated safely waits for it.
func TestAppendWaitsForTheStream(t *testing.T) {
	s := testSubjects(t)
	server, err := StartServer(t.Context(), testDocument(16<<20), ServerOptions{Name: "bus-0", Dir: t.TempDir(), Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, server) })
	c := connect(t, server).(*conn)
	result := make(chan error, 1)
	go func() {
		_, _, err := c.Log(s.Stream()).Append(deadline(t), s.Decisions(), nil, AppendOptions{})
		result <- err
	}()
	eventually.True(t, "the append was tried", func() bool { return c.nc.Stats().OutMsgs > 0 })
	if err := server.EnsureStream(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := eventually.Receive(t, "the append", result); err != nil {
		t.Error(err)
	}
}

// A stored message with forged headers must not pass for another one.
func TestForgedHeadersAreIgnored(t *testing.T) {
	s := testSubjects(t)
	server := startTestServer(t, testDocument(16<<20), t.TempDir())
	c := connect(t, server).(*conn)
	l := c.Log(s.Stream())
	msg := l.(*streamLog).message(s.Messages("c1"), []byte("forged"), AppendOptions{})
	msg.Header.Set("Nats-Subject", s.Decisions())
	msg.Header.Set("Nats-Sequence", "4711")
	msg.Header.Set("Status", "204")
	if _, err := c.roundTrip(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, s.Messages("c1"), "next", AppendOptions{})
	var got []string
	for m, err := range l.Read(t.Context(), s.Conversations(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(m.Seq, m.Subject))
	}
	want := []string{fmt.Sprint(1, s.Messages("c1")), fmt.Sprint(2, s.Messages("c1"))}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadEndsWhenEverythingIsPurgedMeanwhile(t *testing.T) {
	l, s := testLog(t)
	var last uint64
	for i := range readBatch + 10 {
		last = mustAppend(t, l, s.Messages("c1"), fmt.Sprint(i), AppendOptions{})
	}
	n := 0
	for _, err := range l.Read(t.Context(), s.Messages("c1"), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			if err := l.PurgeUpTo(t.Context(), s.Messages("c1"), last); err != nil {
				t.Fatal(err)
			}
		}
		n++
	}
	if n == 0 || n >= int(last) {
		t.Errorf("read %d messages of %d", n, last)
	}
	if got := readAll(t, l, s.Messages("c1"), 0); got != nil {
		t.Errorf("%d messages left", len(got))
	}
}

package feed_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/feed"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink collects what it is given.
type sink struct {
	onStored func(feed.Stored)

	mu     sync.Mutex
	stored []uint64
	live   []string
	resets int
}

func (s *sink) Stored(m feed.Stored) {
	if s.onStored != nil {
		s.onStored(m)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stored = append(s.stored, m.Seq)
}

func (s *sink) Live(l feed.Live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = append(s.live, l.Conversation+" "+string(l.Data))
}

func (s *sink) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resets++
}

func (s *sink) seqs() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]uint64(nil), s.stored...)
}

func follow(t *testing.T, r *webtest.Rig, claims bool) *feed.Feed {
	t.Helper()
	f := feed.New(r.Conn, r.Subjects, claims, webtest.Quiet(t))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := eventually.Receive(t, "the feed ends", done); err != nil {
			t.Error(err)
		}
	})
	eventually.True(t, "the feed follows the log", f.Ready)
	return f
}

func newConversation() conversation.ID { return conversation.NewID(time.Now()) }

func say(r *webtest.Rig, conv conversation.ID, text string) uint64 {
	return r.Say(conv, conversation.Message{From: webtest.Bot.Actor(), Text: text})
}

// TestJoinThenRead: whoever joins a topic and then reads the log gets everything, once, wherever in the
// stream of messages it joins.
func TestJoinThenRead(t *testing.T) {
	r := webtest.New(t)
	f := follow(t, r, false)
	conv, other := newConversation(), newConversation()
	const n = 300
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := range n {
			say(r, conv, fmt.Sprint(i))
			if i%3 == 0 {
				say(r, other, "elsewhere")
			}
		}
	})
	type result struct{ read []uint64 }
	sinks := make([]*sink, 8)
	results := make([]result, len(sinks))
	var reading sync.WaitGroup
	for i := range sinks {
		reading.Go(func() {
			eventually.True(t, "somewhere in the middle", func() bool { return rand.IntN(50) == 0 })
			sinks[i] = &sink{}
			f.Join(sinks[i], feed.OfConversation(string(conv)))
			for m, err := range r.Log.Read(t.Context(), r.Subjects.Conversation(string(conv)), 0) {
				if err != nil {
					t.Error(err)
					return
				}
				results[i].read = append(results[i].read, m.Seq)
			}
		})
	}
	reading.Wait()
	writing.Wait()
	var all []uint64
	for m, err := range r.Log.Read(t.Context(), r.Subjects.Conversation(string(conv)), 0) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m.Seq)
	}
	for i, s := range sinks {
		last := uint64(0)
		if read := results[i].read; len(read) > 0 {
			last = read[len(read)-1]
		}
		eventually.True(t, "the feed has brought the last message", func() bool {
			fed := s.seqs()
			return last == all[len(all)-1] || len(fed) > 0 && fed[len(fed)-1] == all[len(all)-1]
		})
		got := results[i].read
		for _, seq := range s.seqs() {
			if seq > last {
				got = append(got, seq)
			}
		}
		if diff := cmp.Diff(all, got); diff != "" {
			t.Fatalf("sink %d (-stored +received):\n%s", i, diff)
		}
	}
	f.LeaveAll(sinks[0])
	if f.Topics() != 1 {
		t.Errorf("%d topics are left", f.Topics())
	}
	for _, s := range sinks[1:] {
		f.Leave(s, feed.OfConversation(string(conv)))
	}
	if f.Topics() != 0 {
		t.Errorf("%d topics are left", f.Topics())
	}
}

// TestJoinWhileHandling: a sink that follows a claim misses nothing of the conversation that it names.
func TestJoinWhileHandling(t *testing.T) {
	r := webtest.New(t)
	f := follow(t, r, true)
	conv := newConversation()
	s := &sink{}
	s.onStored = func(m feed.Stored) {
		if m.Subject.Kind == bus.KindClaim {
			f.Join(s, feed.OfConversation(string(conv)))
		}
	}
	f.Join(s, feed.OfContact("web", "c-1"))
	data, err := conversation.EncodeClaim(conversation.Claim{V: 1, Conversation: conv, Channel: "web", Contact: "c-1", At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	claim, _, err := r.Log.Append(t.Context(), r.Subjects.Claim("web", "c-1"), data, bus.AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []uint64{claim}
	for range 20 {
		want = append(want, say(r, conv, "x"))
	}
	eventually.True(t, "all has come", func() bool { return len(s.seqs()) == len(want) })
	if diff := cmp.Diff(want, s.seqs()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRefusedIsNotFed: what the log refuses is seen by core subscribers, but not by the feed.
func TestRefusedIsNotFed(t *testing.T) {
	r := webtest.New(t)
	f := follow(t, r, false)
	conv := newConversation()
	s := &sink{}
	f.Join(s, feed.OfConversation(string(conv)))
	first := r.Own(conv, &conversation.Opened{Channel: "web", Contact: "c", Queue: conversation.BotQueue, Arrival: conversation.Arrival{At: time.Now()}})
	data, err := conversation.Encode(conversation.NewEvent(newConversation(), conv, time.Now(),
		&conversation.Message{From: webtest.Bot.Actor(), Text: "I am fenced off", ClientID: "x"}))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = r.Log.Append(t.Context(), r.Subjects.Messages(string(conv)), data, bus.AppendOptions{
		ExpectLast: bus.Expect(first + 1), ExpectFilter: r.Subjects.Ownership(string(conv)),
	})
	if err == nil {
		t.Fatal("the log took what it should refuse")
	}
	last := say(r, conv, "stored")
	eventually.True(t, "the stored one has come", func() bool { return len(s.seqs()) >= 2 })
	if diff := cmp.Diff([]uint64{first, last}, s.seqs()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLive(t *testing.T) {
	r := webtest.New(t)
	f := follow(t, r, false)
	conv := newConversation()
	s := &sink{}
	f.Join(s, feed.OfConversation(string(conv)))
	for _, c := range []conversation.ID{newConversation(), conv} {
		if err := r.Conn.Publish(t.Context(), r.Subjects.Live(string(c)), []byte("typing")); err != nil {
			t.Fatal(err)
		}
	}
	eventually.True(t, "it has come", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.live) == 1 })
	if s.live[0] != string(conv)+" typing" {
		t.Errorf("got %q", s.live)
	}
}

func TestLiveFrames(t *testing.T) {
	conv := newConversation()
	data, err := feed.EncodeTyping(conv, webtest.Bot.Actor(), true)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := feed.DecodeTyping(data); !ok || !got.On || got.From.Name != "Ada" || feed.TypeOf(data) != feed.LiveTyping {
		t.Errorf("typing is %+v, %t", got, ok)
	}
	for _, bad := range []string{"", "{}", `{"type":"typing"}`, `{"type":"typing","from":{"kind":"boss"}}`, `[]`} {
		if _, ok := feed.DecodeTyping([]byte(bad)); ok {
			t.Errorf("%s is taken for typing", bad)
		}
		if _, ok := feed.DecodeAttendance([]byte(bad)); ok {
			t.Errorf("%s is taken for attendance", bad)
		}
	}
}

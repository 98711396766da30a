package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

func ignore(*Message) {}

func TestPublishSubscribe(t *testing.T) {
	s := testSubjects(t)
	server := startTestServer(t, testDocument(16<<20), t.TempDir())
	c := connect(t, server)
	got := make(chan string, 16)
	sub, err := c.Subscribe(t.Context(), s.Heartbeats(), func(m *Message) {
		if m.WantsReply() {
			t.Error("a publish wants a reply")
		}
		if err := m.Respond(nil); err == nil {
			t.Error("a publish was answered")
		}
		got <- m.Subject + " " + string(m.Data)
	})
	if err != nil {
		t.Fatal(err)
	}
	subject := s.Heartbeat(PartyBot, "b-0")
	if err := c.Publish(t.Context(), subject, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if m := eventually.Receive(t, "the heartbeat", got); m != subject+" one" {
		t.Errorf("got %q", m)
	}
	sub.Stop()
	sub.Stop()
	eventually.True(t, "the server forgets the subscription", func() bool {
		varz, err := server.nats.Varz(nil)
		if err != nil {
			t.Fatal(err)
		}
		conn := c.(*conn)
		conn.mu.Lock()
		defer conn.mu.Unlock()
		return varz.Connections == 1 && len(conn.subs) == 0
	})
	if err := c.Publish(t.Context(), subject, []byte("two")); err != nil {
		t.Fatal(err)
	}
	if err := c.(*conn).flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(got) != 0 {
		t.Errorf("a stopped subscription received %q", <-got)
	}
}

func TestRequestReplyInAQueueGroup(t *testing.T) {
	s := testSubjects(t)
	server := startTestServer(t, testDocument(16<<20), t.TempDir())
	client := connect(t, server)
	subject := s.Request(ServiceKnowledgeSearch)
	if _, err := client.Request(t.Context(), subject, nil); !errors.Is(err, ErrNoResponders) {
		t.Errorf("nobody serves, but the error is %v", err)
	}
	var mu sync.Mutex
	served := map[int]int{}
	for i := range 2 {
		_, err := connect(t, server).QueueSubscribe(t.Context(), subject, ServiceKnowledgeSearch.QueueGroup(), func(m *Message) {
			mu.Lock()
			served[i]++
			mu.Unlock()
			if err := m.Respond(append([]byte("echo "), m.Data...)); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	const n = 100
	for i := range n {
		got, err := client.Request(t.Context(), subject, fmt.Append(nil, i))
		if err != nil || string(got) != fmt.Sprint("echo ", i) {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if served[0]+served[1] != n || served[0] == 0 || served[1] == 0 {
		t.Errorf("the members served %v of %d requests", served, n)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Request(canceled, subject, nil); err == nil {
		t.Error("a cancelled request succeeded")
	}
	if err := client.Publish(canceled, subject, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled publish gives %v", err)
	}
}

func TestSlowHandlerIsTold(t *testing.T) {
	s := testSubjects(t)
	reg := prometheus.NewRegistry()
	metrics := NewMetrics(reg)
	server := startTestServer(t, testDocument(16<<20), t.TempDir())
	c, err := server.Dial(t.Context(), ClientOptions{Name: "slow", Logger: quiet(t), Metrics: metrics})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	gate, dropped := make(chan struct{}), make(chan struct{}, 16)
	last := make(chan struct{}, 1)
	_, err = c.Subscribe(t.Context(), s.Figures(), func(m *Message) {
		<-gate
		if string(m.Data) == "last" {
			select {
			case last <- struct{}{}:
			default: // it is published until it comes
			}
		}
	}, WithPending(4, 1<<20), WithDropped(func() { dropped <- struct{}{} }))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if err := c.Publish(t.Context(), s.Figures(), fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.(*conn).flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(gate)
	eventually.Receive(t, "the handler is told of the loss", dropped)
	eventually.Nil(t, "messages flow again", func() error {
		if err := c.Publish(t.Context(), s.Figures(), []byte("last")); err != nil {
			return err
		}
		select {
		case <-last:
			return nil
		default:
			return errors.New("not yet")
		}
	})
	if testutil.ToFloat64(metrics.dropped) == 0 || testutil.ToFloat64(metrics.connected) != 1 {
		t.Errorf("metrics: dropped %v, connected %v", testutil.ToFloat64(metrics.dropped), testutil.ToFloat64(metrics.connected))
	}
}

// Drain lets the handlers finish, also their replies, and only then closes.
func TestDrainFinishesWhatIsPending(t *testing.T) {
	s := testSubjects(t)
	server := startTestServer(t, testDocument(16<<20), t.TempDir())
	client, service := connect(t, server), connect(t, server)
	subject := s.Request(ServiceArchiveSearch)
	entered, gate := make(chan struct{}, 16), make(chan struct{})
	_, err := service.Subscribe(t.Context(), subject, func(m *Message) {
		entered <- struct{}{}
		<-gate
		if err := m.Respond(m.Data); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	const n = 5
	answers := make(chan error, n)
	for range n {
		go func() {
			_, err := client.Request(t.Context(), subject, []byte("x"))
			answers <- err
		}()
	}
	eventually.Receive(t, "the first request is being served", entered)
	eventually.True(t, "the others wait", func() bool {
		c := service.(*conn)
		c.mu.Lock()
		defer c.mu.Unlock()
		for sub := range c.subs {
			pending, _, err := sub.sub.Pending()
			return err == nil && pending == n-1
		}
		return false
	})
	drained := make(chan error, 1)
	go func() { drained <- service.Drain(t.Context()) }()
	close(gate)
	if err := eventually.Receive(t, "drained", drained); err != nil {
		t.Error(err)
	}
	for range n {
		if err := eventually.Receive(t, "an answer", answers); err != nil {
			t.Error(err)
		}
	}
	if service.Connected() {
		t.Error("still connected")
	}
	if err := service.Publish(t.Context(), subject, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("publish after drain gives %v, want %v", err, ErrClosed)
	}
	if _, _, err := service.Log(s.Stream()).Append(t.Context(), s.Decisions(), nil, AppendOptions{}); !errors.Is(err, ErrClosed) {
		t.Errorf("append after drain gives %v, want %v", err, ErrClosed)
	}
}

func TestDrainGivesUpWithItsContext(t *testing.T) {
	s := testSubjects(t)
	server := startTestServer(t, testDocument(16<<20), t.TempDir())
	service := connect(t, server)
	entered, gate, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
	_, err := service.Subscribe(t.Context(), s.Figures(), func(*Message) { close(entered); <-gate; close(left) })
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Publish(t.Context(), s.Figures(), nil); err != nil {
		t.Fatal(err)
	}
	eventually.Receive(t, "handler runs", toValue(entered))
	ctx, cancel := context.WithCancelCause(t.Context())
	impatient := errors.New("impatient")
	cancel(impatient)
	if err := service.Drain(ctx); !errors.Is(err, impatient) {
		t.Errorf("got %v, want %v", err, impatient)
	}
	close(gate)
	eventually.Receive(t, "handler ends", toValue(left))
}

// toValue turns a closed channel into one value.
func toValue(ch <-chan struct{}) <-chan struct{} {
	out := make(chan struct{}, 1)
	go func() { <-ch; out <- struct{}{} }()
	return out
}

// A reader of the log asks the server to deliver a stored message onto a
// subject that it may not publish on. Subscribers must not take it for a publish.
func TestReplayedMessagesAreNotHeard(t *testing.T) {
	s := testSubjects(t)
	server := startTestServer(t, testDocument(16<<20), t.TempDir())
	victim, attacker := connect(t, server), connect(t, server).(*conn)
	mustAppend(t, attacker.Log(s.Stream()), s.Messages("c1"), "forged intent", AppendOptions{})
	heard := make(chan string, 16)
	_, err := victim.Subscribe(t.Context(), s.Intents(), func(m *Message) { heard <- string(m.Data) })
	if err != nil {
		t.Fatal(err)
	}
	target := s.Intent(PartyAgent, "boss")
	_, err = attacker.js.CreateOrUpdatePushConsumer(t.Context(), s.Stream(), jetstream.ConsumerConfig{
		DeliverSubject: target, AckPolicy: jetstream.AckNonePolicy, FilterSubject: s.Messages("c1")})
	if err != nil {
		t.Fatal(err)
	}
	direct := &nats.Msg{Subject: "$JS.API.DIRECT.GET." + s.Stream() + "." + s.Messages("c1"), Reply: target}
	if err := attacker.nc.PublishMsg(direct); err != nil {
		t.Fatal(err)
	}
	// Both forgeries reach the subject, as a raw subscriber shows.
	raw, err := attacker.nc.SubscribeSync(target)
	if err != nil {
		t.Fatal(err)
	}
	if err := attacker.nc.PublishMsg(direct); err != nil {
		t.Fatal(err)
	}
	if _, err := raw.NextMsgWithContext(deadline(t)); err != nil {
		t.Fatalf("the attack itself does not work: %v", err)
	}
	if err := attacker.Publish(t.Context(), target, []byte("genuine")); err != nil {
		t.Fatal(err)
	}
	if got := eventually.Receive(t, "the genuine intent", heard); got != "genuine" {
		t.Errorf("heard %q first", got)
	}
}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), eventually.Limit)
	t.Cleanup(cancel)
	return ctx
}

// A requester names a subject of another role as its reply subject.
func TestOnlyInboxesAreAnswered(t *testing.T) {
	s := testSubjects(t)
	server := startTestServer(t, testDocument(16<<20), t.TempDir())
	service, attacker := connect(t, server), connect(t, server).(*conn)
	served := make(chan error, 1)
	_, err := service.Subscribe(t.Context(), s.Request(ServiceKnowledgeSearch), func(m *Message) { served <- m.Respond([]byte("answer")) })
	if err != nil {
		t.Fatal(err)
	}
	if err := attacker.nc.PublishRequest(s.Request(ServiceKnowledgeSearch), s.Offer(PartyAgent, "li"), nil); err != nil {
		t.Fatal(err)
	}
	if err := eventually.Receive(t, "the request", served); err == nil {
		t.Error("the service answered onto a subject of the router")
	}
}

func TestReconnectDelayGrowsAndIsBounded(t *testing.T) {
	var previous []int64
	for attempt := range 40 {
		d := reconnectDelay(attempt)
		if d < minReconnect/2 || d > maxReconnect {
			t.Errorf("attempt %d waits %s", attempt, d)
		}
		previous = append(previous, int64(d))
	}
	if slices.Max(previous[:2]) > int64(minReconnect) || slices.Min(previous[20:]) < int64(maxReconnect)/2 {
		t.Errorf("delays %v", previous)
	}
}

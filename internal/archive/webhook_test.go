package archive

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/webhook"
)

func TestWebhookTellsEverythingInOrder(t *testing.T) {
	r := newReceiver(t)
	b, secrets := hooked(t, r)
	o := b.hookOptions(secrets)
	registry := prometheus.NewRegistry()
	o.Registerer = registry
	b.run(o)
	b.waitDeclared()
	want, s := map[conversation.ID][]string{}, newScript(t)
	for i := range 5 {
		question := fmt.Sprint("where is order ", i, " 我的订单")
		id, _ := s.served(fmt.Sprintf("c-%d", i), question)
		want[id] = storyOf(question)
	}
	b.play(s)
	r.waitStories(want)
	for _, e := range r.taken {
		if e.SpecVersion != "1.0" || e.Source != "/namespaces/shop/servicedesks/web" || e.DataContentType != "application/json" ||
			e.PartitionKey != e.Subject || len(e.Sequence) != 20 || e.Time.IsZero() || e.Data.Conversation.ID != conversation.ID(e.Subject) {
			t.Errorf("event %+v", e)
		}
		if e.Type == "dev.deskfleet.conversation.closed.v1" && (e.Data.Disposition != "refunded" || e.Data.By.ID != "mei" ||
			e.Data.Conversation.Channel != "web" || !strings.HasPrefix(e.Data.Conversation.Contact, "c-")) {
			t.Errorf("event %+v", e.Data)
		}
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v, %v", problems, err)
	}
	eventually.Nil(t, "the deliveries are counted", func() error {
		return testutil.GatherAndCompare(registry, strings.NewReader(fmt.Sprintf(`
# HELP deskfleet_webhook_deliveries_total Attempts by result: delivered, failed (tried again), dead (given up), gone (deleted before it was sent).
# TYPE deskfleet_webhook_deliveries_total counter
deskfleet_webhook_deliveries_total{result="delivered",webhook="crm"} %d
`, 5*9)), "deskfleet_webhook_deliveries_total")
	})
}

func TestWebhookIsToldWhatItWants(t *testing.T) {
	r := newReceiver(t)
	b, secrets := hooked(t, r, func(h *runtimeconfig.Webhook) {
		h.Events = []runtimeconfig.WebhookEvent{runtimeconfig.EventMessage, runtimeconfig.EventNote, runtimeconfig.EventClosed}
		h.Channel, h.OnlyAnswers = "web", true
	})
	b.run(b.hookOptions(secrets))
	b.waitDeclared()
	s := newScript(t)
	foreign := conversation.NewID(s.now)
	s.event(foreign, &conversation.Opened{Channel: "mail", Contact: "c-2", Queue: conversation.BotQueue, Arrival: conversation.Arrival{At: s.now, Seq: 1}})
	s.event(foreign, &conversation.Assigned{Agent: robot})
	s.says(foreign, robot.Actor(), "by mail")
	id, _ := s.served("c-1", "hello")
	b.play(s)
	r.waitStories(map[conversation.ID][]string{id: {
		"message I do not know; a person will.", "note check the order first", "message It is done.", "conversation.closed",
	}})
	if story := r.story(foreign); len(story) > 0 {
		t.Errorf("another channel: %q", story)
	}
}

// mortalOutbox dies with the role.
type mortalOutbox struct {
	webhook.Outbox
	*killer
}

func (s mortalStore) Webhooks() webhook.Outbox { return mortalOutbox{s.Store.Webhooks(), s.killer} }

func (o mortalOutbox) Queue(ctx context.Context, h *runtimeconfig.Webhook, now time.Time, most int) error {
	return o.around("queueing", func() error { return o.Outbox.Queue(ctx, h, now, most) })
}

func (o mortalOutbox) Due(ctx context.Context, hook string, now time.Time, limit int) (items []webhook.Item, next time.Time, err error) {
	err = o.around("looking", func() error { items, next, err = o.Outbox.Due(ctx, hook, now, limit); return err })
	return items, next, err
}

func (o mortalOutbox) Record(ctx context.Context, v []webhook.Verdict, now time.Time) error {
	return o.around("recording", func() error { return o.Outbox.Record(ctx, v, now) })
}

// Wherever the archive is killed, each event reaches the receiver, and those of a conversation in order.
func TestWebhookKilledAtEachStep(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		r := newReceiver(t)
		b, secrets := hooked(t, r)
		want := map[conversation.ID][]string{}
		open := func(k *killer) func(context.Context, bus.Subjects) (Store, error) {
			return func(ctx context.Context, s bus.Subjects) (Store, error) {
				db, err := d.open(ctx, s)
				return mortalStore{db, k}, err
			}
		}
		// Declared before anything is said.
		db := d.store()
		if err := db.Webhooks().Declare(t.Context(), b.source.Current().Document.Webhooks); err != nil {
			t.Fatal(err)
		}
		for i, place := range []string{"write", "queueing", "looking", "recording"} {
			for j, side := range []string{"before ", "after "} {
				s := newScript(t)
				for c := range 2 {
					question := fmt.Sprint("killed ", side, place, c)
					id, _ := s.served(fmt.Sprintf("c-%d-%d-%d", i, j, c), question)
					want[id] = storyOf(question)
				}
				b.play(s)
				b.decide()
				k := newKiller(side+place, 1+j)
				o := b.hookOptions(secrets)
				o.Open, o.Dialer = open(k), mortalDialer{b.server, k}
				stop := b.run(o)
				b.waitDeadOr(k, func(s *protocol.Status) bool { return s.Lag == 0 && len(r.story(lastOf(want))) == len(storyOf("")) })
				stop()
			}
		}
		o := b.hookOptions(secrets)
		o.Open = func(ctx context.Context, s bus.Subjects) (Store, error) { return d.open(ctx, s) }
		b.run(o)
		r.waitStories(want)
	})
}

// lastOf gives the youngest conversation: ids order by time.
func lastOf(want map[conversation.ID][]string) conversation.ID {
	var last conversation.ID
	for id := range want {
		last = max(last, id)
	}
	return last
}

// A receiver that never answers holds neither archiving nor purging, and is told afterwards what the log has lost.
func TestI18WebhooksHoldNobodyUp(t *testing.T) {
	r := newReceiver(t)
	b, secrets := hooked(t, r)
	let := make(chan struct{})
	var once sync.Once
	release := func() { once.Do(func() { close(let) }) }
	t.Cleanup(release)
	r.answers(func(http.ResponseWriter, *webhook.CloudEvent) bool {
		<-let
		return true
	})
	b.run(b.hookOptions(secrets))
	b.waitDeclared()
	s := newScript(t)
	want := map[conversation.ID][]string{}
	for i := range 20 {
		id, _ := s.served(fmt.Sprintf("c-%d", i), "hello")
		want[id] = storyOf("hello")
	}
	b.play(s)
	b.decide()
	b.waitStatus("everything is archived and has left the log", func(s *protocol.Status) bool {
		return s.Conversations == 20 && s.Unpurged == 0 && s.Lag == 0
	})
	for id := range want {
		if n := b.inLog(id); n != 0 {
			t.Errorf("the log holds %d events of %s", n, id)
		}
	}
	eventually.True(t, "the receiver is being told", func() bool { return r.tried() > 0 })
	release()
	r.waitStories(want)
}

// A receiver that fails in all the ways that a receiver can is told everything in the end.
func TestWebhookReceiverFails(t *testing.T) {
	r := newReceiver(t)
	b, secrets := hooked(t, r)
	n := 0
	r.answers(func(w http.ResponseWriter, _ *webhook.CloudEvent) bool {
		r.mu.Lock()
		n++
		turn := n
		r.mu.Unlock()
		switch {
		case turn > 24:
			return true
		case turn%6 == 0:
			panic(http.ErrAbortHandler) // the connection ends without an answer
		case turn%6 == 1:
			http.Redirect(w, new(http.Request), "https://elsewhere.example", http.StatusFound)
		default:
			w.WriteHeader([]int{500, 503, 404, 408, 502, 400}[turn%6])
		}
		return false
	})
	b.run(b.hookOptions(secrets))
	b.waitDeclared()
	s := newScript(t)
	want := map[conversation.ID][]string{}
	for i := range 3 {
		id, _ := s.served(fmt.Sprintf("c-%d", i), "hello")
		want[id] = storyOf("hello")
	}
	b.play(s)
	r.waitStories(want)
}

// A receiver that is shut down and comes back at the same address has missed nothing.
func TestWebhookReceiverIsKilled(t *testing.T) {
	r := newReceiver(t)
	b, secrets := hooked(t, r)
	b.run(b.hookOptions(secrets))
	o := b.waitDeclared()
	s := newScript(t)
	first, _ := s.served("c-1", "before")
	b.play(s)
	want := map[conversation.ID][]string{first: storyOf("before")}
	r.waitStories(want)
	address, certificate := r.server.Listener.Addr().String(), r.server.TLS
	r.server.CloseClientConnections()
	r.server.Close()
	second, _ := s.served("c-2", "meanwhile")
	want[second] = storyOf("meanwhile")
	b.play(s)
	b.waitState(o, "it is noticed", func(s *webhook.State) bool { return s.Pending == 9 && strings.Contains(s.Problem, "cannot be reached") })
	back := httptest.NewUnstartedServer(r)
	if err := back.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	listener, err := listenAgain(t, address)
	if err != nil {
		t.Skipf("somebody else has taken the port: %v", err)
	}
	back.Listener, back.TLS = listener, certificate
	back.StartTLS()
	t.Cleanup(back.Close)
	r.waitStories(want)
}

func listenAgain(t testing.TB, address string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
}

func TestWebhookRetryAfter(t *testing.T) {
	r := newReceiver(t)
	b, secrets := hooked(t, r)
	refused := false
	r.answers(func(w http.ResponseWriter, _ *webhook.CloudEvent) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		if refused {
			return true
		}
		refused = true
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return false
	})
	b.run(b.hookOptions(secrets))
	b.waitDeclared()
	s := newScript(t)
	id, _ := s.served("c-1", "hello")
	b.play(s)
	r.waitStories(map[conversation.ID][]string{id: storyOf("hello")})
	if waited := r.times[1].Sub(r.times[0]); waited < time.Second {
		t.Errorf("it came again after %s, it was asked to wait 1 s", waited)
	}
}

func TestWebhookGone(t *testing.T) {
	r := newReceiver(t)
	b, secrets := hooked(t, r)
	r.answers(status(http.StatusGone))
	b.run(b.hookOptions(secrets))
	o := b.waitDeclared()
	s := newScript(t)
	id, _ := s.served("c-1", "hello")
	b.play(s)
	b.waitState(o, "it is disabled", func(s *webhook.State) bool {
		return !s.Disabled.IsZero() && strings.Contains(s.Why, "410") && s.Pending == 9 && s.DeadLetters == 0
	})
	tried := r.tried()
	r.answers(nil)
	other, _ := s.served("c-2", "more")
	b.play(s)
	b.waitState(o, "what is said meanwhile waits", func(s *webhook.State) bool { return s.Pending == 18 })
	if n := r.tried(); n != tried || tried != 1 {
		t.Errorf("%d attempts, then %d, want one alone", tried, n)
	}
	// Another URL is another receiver.
	doc := b.source.Current().Document.Webhooks[0]
	doc.URL += "&v=2"
	b.declare(doc)
	r.waitStories(map[conversation.ID][]string{id: storyOf("hello"), other: storyOf("more")})
}

// What a receiver refuses for good is a dead letter, does not hold other conversations, and can be replayed.
func TestWebhookDeadLetters(t *testing.T) {
	r := newReceiver(t)
	b, secrets := hooked(t, r)
	s := newScript(t)
	poison, _ := s.served("c-1", "poison")
	good, _ := s.served("c-2", "good")
	r.answers(func(w http.ResponseWriter, e *webhook.CloudEvent) bool {
		if e.Subject == string(poison) && e.Data.Message != nil {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return false
		}
		return true
	})
	options := b.hookOptions(secrets)
	options.WebhookPolicy.MaxAttempts = 3
	stop := b.run(options)
	o := b.waitDeclared()
	b.play(s)
	rest := slices.DeleteFunc(storyOf("poison"), func(s string) bool { return strings.HasPrefix(s, "message") })
	r.waitStories(map[conversation.ID][]string{good: storyOf("good"), poison: rest})
	b.waitState(o, "four dead letters", func(s *webhook.State) bool { return s.DeadLetters == 4 && s.Pending == 0 })
	status := b.waitStatus("the dead letters are trouble", func(s *protocol.Status) bool { return s.Webhooks != nil && len(s.Webhooks.Troubled) == 1 })
	if trouble := status.Webhooks.Troubled[0]; trouble.Name != crm || trouble.DeadLetters != 4 || !trouble.FailingSince.IsZero() || !trouble.DisabledAt.IsZero() {
		t.Errorf("the archive tells of %+v", trouble)
	}
	letters, err := o.DeadLetters(t.Context(), crm, "", 3)
	if err != nil || len(letters) != 3 {
		t.Fatalf("letters %+v, %v", letters, err)
	}
	more, err := o.DeadLetters(t.Context(), crm, letters[2].ID, 3)
	if err != nil || len(more) != 1 {
		t.Fatalf("more letters %+v, %v", more, err)
	}
	for _, l := range append(letters, more...) {
		if l.Event != "message" || l.Conversation != poison || l.Attempts != 3 || !strings.Contains(l.Problem, "422") || l.DeadAt.IsZero() || l.At.IsZero() {
			t.Errorf("letter %+v", l)
		}
	}
	stop()
	r.answers(nil)
	if n, err := o.Replay(t.Context(), crm, []string{letters[0].ID, "7-7"}, time.Now()); n != 1 || err != nil {
		t.Errorf("replayed %d, %v", n, err)
	}
	if n, err := o.Replay(t.Context(), crm, []string{"x"}, time.Now()); n != 0 || err == nil {
		t.Errorf("replayed %d without an id", n)
	}
	if n, err := o.Replay(t.Context(), crm, nil, time.Now()); n != 3 || err != nil {
		t.Errorf("replayed all %d, %v", n, err)
	}
	b.run(options)
	r.waitStories(map[conversation.ID][]string{poison: slices.Concat(rest, []string{
		"message poison", "message I do not know; a person will.", "message It is done.", "message Thank you",
	})})
}

// What has waited too long for a dead receiver is given up, without an attempt for each.
func TestWebhookExpires(t *testing.T) {
	r := newReceiver(t)
	b, secrets := hooked(t, r)
	r.answers(status(http.StatusInternalServerError))
	o := b.hookOptions(secrets)
	o.WebhookPolicy.MaxAge = time.Nanosecond
	b.run(o)
	box := b.waitDeclared()
	s := newScript(t)
	for i := range 10 {
		s.served(fmt.Sprintf("c-%d", i), "hello")
	}
	b.play(s)
	b.waitState(box, "everything is given up", func(s *webhook.State) bool { return s.DeadLetters == 90 && s.Pending == 0 })
}

func TestWebhookAddressIsRefused(t *testing.T) {
	r := newReceiver(t)
	b, secrets := hooked(t, r, func(h *runtimeconfig.Webhook) { h.AllowPrivateAddresses = false })
	b.run(b.hookOptions(secrets))
	o := b.waitDeclared()
	s := newScript(t)
	s.served("c-1", "hello")
	b.play(s)
	b.waitState(o, "it is refused", func(s *webhook.State) bool {
		return strings.Contains(s.Problem, "allowPrivateAddresses") && !strings.Contains(s.Problem, "of-the-url")
	})
	if n := r.tried(); n != 0 {
		t.Errorf("the receiver was reached %d times", n)
	}
}

// A Secret that comes later is enough; a rotated one signs at once.
func TestWebhookSecretComesLater(t *testing.T) {
	r := newReceiver(t)
	b, secrets := hooked(t, r)
	file := filepath.Join(secrets, crm, runtimeconfig.FileWebhookSecret)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	b.run(b.hookOptions(secrets))
	o := b.waitDeclared()
	s := newScript(t)
	id, _ := s.served("c-1", "hello")
	b.play(s)
	b.waitState(o, "events wait for it", func(s *webhook.State) bool { return s.Pending == 9 })
	other := "whsec_" + base64.StdEncoding.EncodeToString([]byte("another secret, the one to come."))
	if err := os.WriteFile(file, []byte(other+" "+signingSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	r.waitStories(map[conversation.ID][]string{id: storyOf("hello")})
}

// A webhook that is declared late is not told the past; one that is no longer declared is forgotten.
func TestWebhooksAreDeclared(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		db, s := d.store(), newScript(t)
		o := db.Webhooks()
		old, _ := s.served("c-1", "past")
		s.store(db)
		hook := runtimeconfig.Webhook{Name: crm, URL: "https://crm.example", Events: []runtimeconfig.WebhookEvent{runtimeconfig.EventClosed}}
		if err := o.Declare(t.Context(), []runtimeconfig.Webhook{hook}); err != nil {
			t.Fatal(err)
		}
		id, _ := s.served("c-2", "present")
		s.store(db)
		if err := o.Queue(t.Context(), &hook, start, 10); err != nil {
			t.Fatal(err)
		}
		items, _, err := o.Due(t.Context(), crm, start, 10)
		if err != nil || len(items) != 1 || items[0].Conversation != id || items[0].Conversation == old || items[0].Card.Contact != "c-2" {
			t.Fatalf("due are %+v, %v", items, err)
		}
		later := start.Add(time.Hour)
		if err := o.Record(t.Context(), []webhook.Verdict{{Item: items[0], Next: later, Problem: "no"}}, start); err != nil {
			t.Fatal(err)
		}
		if items, next, err := o.Due(t.Context(), crm, start, 10); len(items) != 0 || !next.Equal(later) || err != nil {
			t.Errorf("due are %+v, next at %s, %v", items, next, err)
		}
		if err := o.Disable(t.Context(), "nobody", "why", start); err == nil {
			t.Error("an unknown webhook is disabled")
		}
		if err := o.Declare(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if states, err := o.States(t.Context()); len(states) != 0 || err != nil {
			t.Errorf("states %+v, %v", states, err)
		}
	})
}

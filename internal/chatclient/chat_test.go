package chatclient_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/deskfleet/deskfleet/internal/chatclient"
	"github.com/deskfleet/deskfleet/internal/chatclient/chattest"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/socket"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// swift reconnects without the pauses of the field.
var swift = chatclient.Reconnect{First: time.Millisecond, Most: 10 * time.Millisecond}

func options(url string) chatclient.Options {
	return chatclient.Options{URL: url, Language: "en", Reconnect: swift}
}

func connect(t testing.TB, opts chatclient.Options) *chatclient.Chat {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventually.Limit)
	defer cancel()
	c, err := chatclient.Connect(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func send(t testing.TB, c *chatclient.Chat, clientID, text string) conversation.ID {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventually.Limit)
	defer cancel()
	ack, err := c.Send(ctx, chatclient.Outgoing{ClientID: clientID, Text: text})
	if err != nil {
		t.Fatalf("send %q: %v", text, err)
	}
	return ack.Conversation
}

// until takes events up to the first one of a type that suits.
func until[E chatclient.Event](t testing.TB, c *chatclient.Chat, what string, suits func(E) bool) E {
	t.Helper()
	for {
		if e, ok := eventually.Receive(t, what, c.Events()).(E); ok && suits(e) {
			return e
		}
	}
}

func says(text string) func(chatclient.Said) bool {
	return func(s chatclient.Said) bool { return s.Text == text }
}

func becomes(status conversation.Status) func(chatclient.Changed) bool {
	return func(s chatclient.Changed) bool { return s.Status == status }
}

func TestDialogueWithRouter(t *testing.T) {
	d := chattest.New(t)
	url, _ := d.Gateway("gw-0")
	d.Router("router-0")
	cited := &conversation.Citation{KnowledgeBase: "shop", ID: "shipping", Question: "When does it ship?", Confidence: 0.9}
	d.Bot(func(m *conversation.Message) chattest.Answer {
		if m.AsksForPerson {
			return chattest.Answer{HandOff: "asked for a person"}
		}
		return chattest.Answer{Text: "It ships tomorrow.", Entry: cited}
	})
	c := connect(t, chatclient.Options{URL: url, Name: "Li Wei", Language: "en", Reconnect: swift})
	if s := c.Standing(); s.Token == "" || s.Contact.Name != "Li Wei" || s.Desk.DisplayName != "Lantern Shop" || s.Conversation != "" {
		t.Fatalf("stands at %+v", s)
	}
	conv := send(t, c, "m1", "When do you ship?")
	until(t, c, "the bot owns it", becomes(conversation.StatusBot))
	answer := until(t, c, "the bot answers", says("It ships tomorrow."))
	if diff := cmp.Diff(cited, answer.Entry); diff != "" || answer.From.Kind != conversation.KindBot || answer.Conversation != conv {
		t.Errorf("answer is %+v, cited (-want +got):\n%s", answer, diff)
	}
	if got := send(t, c, "m2", "I want to talk to a human"); got != conv {
		t.Errorf("the second message went to %s", got)
	}
	// The place is live and may come before the state, which is stored.
	for queued, placed := false, false; !queued || !placed; {
		switch e := eventually.Receive(t, "the queue and the place in it", c.Events()).(type) {
		case chatclient.Changed:
			queued = queued || e.Status == conversation.StatusQueued && e.Queue == "general"
		case chatclient.Placed:
			placed = placed || e.Position.Position == 1 && e.Waiting == 1 && e.Queue == "general"
		}
	}
	c.Typing(true)
	if err := c.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := c.Standing(); s.State == nil || !s.State.Status.Ended() || s.Waiting != 0 {
		t.Errorf("after the end it stands at %+v", s)
	}
	if err := c.End(t.Context()); err != nil {
		t.Errorf("ending twice: %v", err)
	}

	// The next message opens another conversation, and a client that goes on elsewhere sees only what is new.
	before := c.Standing()
	next := send(t, c, "m3", "One more thing")
	if next == conv {
		t.Error("the message went into the ended conversation")
	}
	until(t, c, "the bot answers again", func(s chatclient.Said) bool { return s.Conversation == next && s.From.Kind == conversation.KindBot })
	c.Close()
	if _, err := c.Send(t.Context(), chatclient.Outgoing{Text: "late"}); !errors.Is(err, chatclient.ErrClosed) {
		t.Errorf("sending on a closed client: %v", err)
	}
	again := options(url)
	again.Token, again.Conversation, again.After = before.Token, before.Conversation, before.Seq
	late := connect(t, again)
	first := until(t, late, "something new", func(chatclient.Said) bool { return true })
	if first.Text != "One more thing" {
		t.Errorf("the first thing that the next client sees is %q", first.Text)
	}
}

// TestExactlyOnce: connections are cut after random numbers of bytes, in the middle of whatever is under
// way, at two gateways in turn, while both sides talk. Nothing is lost, nothing comes twice, all in order.
func TestExactlyOnce(t *testing.T) {
	d := chattest.New(t)
	first, _ := d.Gateway("gw-0")
	second, _ := d.Gateway("gw-1")
	proxy := chattest.NewProxy(t, first)
	proxy.CutAfter(func() int {
		// Every turn of the test is another mix of cut hellos, cut backlogs and cut acknowledgements.
		return 200 + rand.IntN(1<<(8+rand.IntN(6)))
	})
	c := connect(t, options(proxy.URL()))
	conv := send(t, c, "", "customer 0")
	d.BotTakes(conv, c.Standing().Contact.ID)

	const each = 80
	var talk sync.WaitGroup
	talk.Go(func() {
		for i := range each {
			d.Say(conv, conversation.Message{From: webtest.Bot.Actor(), Text: fmt.Sprint("bot ", i)})
			proxy.Turn([]string{first, second}[rand.IntN(2)])
		}
	})
	talk.Go(func() {
		for i := 1; i < each; i++ {
			if i%3 == 0 { // some wait for their acknowledgement, most do not
				send(t, c, "", fmt.Sprint("customer ", i))
			} else if _, err := c.Post(chatclient.Outgoing{Text: fmt.Sprint("customer ", i)}); err != nil {
				t.Error(err)
			}
		}
	})
	var got []uint64
	said := map[string]int{}
	for len(said) < 2*each {
		switch e := eventually.Receive(t, "all messages", c.Events()).(type) {
		case chatclient.Said:
			got = append(got, e.Seq)
			said[e.Text]++
		case chatclient.Changed:
			got = append(got, e.Seq)
		case chatclient.Refused:
			t.Errorf("refused: %v", e.Problem)
		}
	}
	talk.Wait()
	proxy.CutAfter(func() int { return -1 })
	d.Say(conv, conversation.Message{From: webtest.Bot.Actor(), Text: "the end"})
	got = append(got, until(t, c, "the end", func(e chatclient.Said) bool {
		if e.Text != "the end" {
			t.Errorf("%q came twice", e.Text)
		}
		return e.Text == "the end"
	}).Seq)

	var want []uint64
	next := map[string]int{}
	for m, err := range d.Log.Read(t.Context(), d.Subjects.Conversation(string(conv)), 0) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, m.Seq)
		e, err := conversation.Decode(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := e.Body.(*conversation.Message); ok && m.Text != "the end" {
			who := string(m.From.Kind)
			if text := fmt.Sprint(who, " ", next[who]); m.Text != text {
				t.Errorf("stored is %q where %q was due", m.Text, text)
			}
			next[who]++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored (-) and seen (+) differ:\n%s", diff)
	}
	if n := proxy.Connections(); n < 5 {
		t.Errorf("only %d connections were made: the test proves little", n)
	} else {
		t.Logf("%d connections for %d messages", n, 2*each)
	}
}

// TestRollingGateways: every gateway is replaced while a customer talks; hints of the draining ones are used.
func TestRollingGateways(t *testing.T) {
	d := chattest.New(t)
	url, stop := d.Gateway("gw-0")
	proxy := chattest.NewProxy(t, url)
	c := connect(t, options(proxy.URL()))
	for i := range 4 {
		next, stopNext := d.Gateway(fmt.Sprint("gw-", i+1))
		var posted []string
		for j := range 5 {
			text := fmt.Sprint("round ", i, " message ", j)
			posted = append(posted, text)
			if _, err := c.Post(chatclient.Outgoing{Text: text}); err != nil {
				t.Fatal(err)
			}
		}
		proxy.Turn(next)
		stop()
		stop = stopNext
		for _, text := range posted {
			until(t, c, text, func(s chatclient.Said) bool {
				if s.Text != text {
					t.Errorf("%q came where %q was due", s.Text, text)
				}
				return s.Text == text
			})
		}
	}
}

func TestRefused(t *testing.T) {
	d := chattest.New(t)
	doc := webtest.Document()
	doc.WebChat = runtimeconfig.WebChat{MaxMessageLength: 5, MessagesPerMinute: 600}
	d.Config.Set(t, doc)
	url, _ := d.Gateway("gw-0")
	c := connect(t, options(url))
	var p *problem.Problem
	if _, err := c.Send(t.Context(), chatclient.Outgoing{ClientID: "m1", Text: "too long"}); !errors.As(err, &p) || p.Field != "text" {
		t.Errorf("a long message is refused with %v", err)
	}
	if e := until(t, c, "the refusal", func(chatclient.Refused) bool { return true }); e.ClientID != "m1" || e.Text != "too long" {
		t.Errorf("refused is %+v", e)
	}
	for _, m := range []chatclient.Outgoing{
		{Text: " "}, {ClientID: "a b", Text: "x"}, {Text: "x", Language: "not a tag"}, {Text: strings.Repeat("x", conversation.MaxTextBytes+1)},
	} {
		if _, err := c.Post(m); !errors.As(err, &p) {
			t.Errorf("%+v is refused with %v", m, err)
		}
	}
	send(t, c, "m2", "short") // one refusal does not hold up the next message
}

// TestRate: what the desk does not take yet comes later, in order.
func TestRate(t *testing.T) {
	d := chattest.New(t)
	doc := webtest.Document()
	doc.WebChat = runtimeconfig.WebChat{MaxMessageLength: 2000, MessagesPerMinute: 40}
	d.Config.Set(t, doc)
	url, _ := d.Gateway("gw-0")
	c := connect(t, options(url))
	var want, got []string
	for i := range 42 {
		want = append(want, fmt.Sprint("message ", i))
		if _, err := c.Post(chatclient.Outgoing{Text: want[i]}); err != nil {
			t.Fatal(err)
		}
	}
	delayed := 0
	for len(got) < len(want) {
		switch e := eventually.Receive(t, "all messages", c.Events()).(type) {
		case chatclient.Said:
			got = append(got, e.Text)
		case chatclient.Delayed:
			delayed++
		case chatclient.Refused:
			t.Errorf("refused: %v", e.Problem)
		case chatclient.Lost:
			t.Errorf("the connection ended: %v", e.Err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("posted (-) and stored (+) differ:\n%s", diff)
	}
	if delayed == 0 {
		t.Error("the desk took everything at once: the test proves nothing")
	}
}

// TestEndIsRefused: the router is asked again while it is away, and its refusal reaches the caller.
func TestEndIsRefused(t *testing.T) {
	d := chattest.New(t)
	url, _ := d.Gateway("gw-0")
	c := connect(t, options(url))
	if err := c.End(t.Context()); err != nil {
		t.Errorf("ending nothing: %v", err)
	}
	send(t, c, "m1", "hello")
	code := protocol.CodeUnavailable
	d.AnswerAs(func(webtest.Asked) *protocol.Reply {
		refusal := &protocol.Reply{V: protocol.Version, Error: &protocol.Error{Code: code, What: "close", Why: "because", Remedy: "wait"}}
		code = protocol.CodeState
		return refusal
	})
	var p *problem.Problem
	if err := c.End(t.Context()); !errors.As(err, &p) || p.Code() != problem.CodeConflict {
		t.Errorf("the end is refused with %v", err)
	}
}

func TestTokenIsForgotten(t *testing.T) {
	d := chattest.New(t)
	url, stop := d.Gateway("gw-0")
	proxy := chattest.NewProxy(t, url)
	c := connect(t, options(proxy.URL()))
	token := c.Standing().Token
	d.ReplaceKey(8)
	next, _ := d.Gateway("gw-1")
	proxy.Turn(next)
	stop()
	eventually.True(t, "the client ends", func() bool { return c.Err() != nil })
	if err := c.Err(); !errors.Is(err, chatclient.ErrToken) {
		t.Errorf("the client ended with %v", err)
	}
	if strings.Contains(c.Err().Error(), token) {
		t.Error("the error shows the token")
	}
}

func TestWrongAddresses(t *testing.T) {
	for _, tc := range []struct{ url, want string }{
		{"", "give the address"},
		{"ftp://desk", "use http, https"},
		{"http://", "name the host"},
		{"http://me:hunter2@desk/", "leave out"},
		{"http://desk/?token=hunter2", "leave out"},
		{"http://desk/#hunter2", "leave out"},
		{"me:hunter2@desk", "leave out"},
		{"http://desk:port/?hunter2", "write it as"},
	} {
		_, err := chatclient.Open(chatclient.Options{URL: tc.url})
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q gives %v", tc.url, err)
		}
	}
	for _, status := range []int{http.StatusOK, http.StatusNotFound, http.StatusForbidden} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		_, err := chatclient.Connect(t.Context(), options(server.URL))
		if refused, ok := errors.AsType[*chatclient.RefusedError](err); !ok || refused.Status != status {
			t.Errorf("status %d gives %v", status, err)
		}
		server.Close()
	}
}

// TestAwayDesk: a desk that is not there yet is waited for, one that stays away is given up.
func TestAwayDesk(t *testing.T) {
	d := chattest.New(t)
	answers := []http.HandlerFunc{
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		},
	}
	var mu sync.Mutex
	asked := 0
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		answers[asked%len(answers)](w, r)
		asked++
	}))
	defer away.Close()
	proxy := chattest.NewProxy(t, away.URL)
	c, err := chatclient.Open(options(proxy.URL()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	until(t, c, "the first refusal", func(chatclient.Lost) bool { return true })
	lost := until(t, c, "the second refusal", func(chatclient.Lost) bool { return true })
	if lost.RetryIn < time.Second {
		t.Errorf("the desk asked for a second and the client comes back in %s", lost.RetryIn)
	}
	url, _ := d.Gateway("gw-0")
	proxy.Turn(url)
	proxy.Cut() // the kept connection to the server that is away
	until(t, c, "online", func(chatclient.Online) bool { return true })

	opts := options(away.URL)
	opts.Reconnect.GiveUpAfter = time.Millisecond
	if _, err := chatclient.Connect(t.Context(), opts); !errors.Is(err, chatclient.ErrUnreachable) {
		t.Errorf("a desk that stays away gives %v", err)
	}
}

// TestAnotherLog: after a restore of the bus everything comes again, and the caller is told so.
func TestAnotherLog(t *testing.T) {
	d := chattest.New(t)
	url, _ := d.Gateway("gw-0")
	c := connect(t, options(url))
	conv := send(t, c, "m1", "hello")
	opts := options(url)
	opts.Token, opts.Conversation, opts.After = c.Standing().Token, conv, 1<<40
	late, err := chatclient.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	until(t, late, "that the log is another one", func(chatclient.Anew) bool { return true })
	until(t, late, "the message again", says("hello"))
}

// TestSilentDesk: a desk that says nothing is left for a new connection, and closing does not wait for it.
func TestSilentDesk(t *testing.T) {
	d := chattest.New(t)
	url, _ := d.Gateway("gw-0", func(o *gateway.Options) { o.Socket = socket.Options{PingEvery: time.Hour} })
	proxy := chattest.NewProxy(t, url)
	c, err := chatclient.OpenImpatient(options(proxy.URL()), 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	until(t, c, "the silence", func(l chatclient.Lost) bool { return strings.Contains(l.Err.Error(), "said nothing") })
	send(t, c, "m1", "hello")
	proxy.Stall()
	closed := make(chan bool, 1)
	go func() { c.Close(); closed <- true }()
	eventually.Receive(t, "the client has ended", closed)
}

// TestSlowReader: a program that takes events slower than they come holds up nobody else and misses nothing.
func TestSlowReader(t *testing.T) {
	d := chattest.New(t)
	url, _ := d.Gateway("gw-0", func(o *gateway.Options) {
		o.Socket = socket.Options{QueueLimit: 8, WriteTimeout: 200 * time.Millisecond}
	})
	proxy := chattest.NewProxy(t, url)
	c, err := chatclient.OpenCrammed(options(proxy.URL()), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conv := send(t, c, "m1", "hello")
	// More than the kernel's buffers of two connections hold.
	const n = 1200
	long := strings.Repeat("x", 15<<10)
	for i := range n {
		d.Say(conv, conversation.Message{From: webtest.Bot.Actor(), Text: fmt.Sprint(i, " ", long)})
	}
	for i := range n {
		until(t, c, fmt.Sprint("message ", i), func(s chatclient.Said) bool {
			if s.From.Kind == conversation.KindBot && s.Text != fmt.Sprint(i, " ", long) {
				t.Fatalf("%.10q came where message %d was due", s.Text, i)
			}
			return s.From.Kind == conversation.KindBot
		})
	}
	if proxy.Connections() < 2 {
		t.Error("the desk never found the reader slow: the test proves nothing")
	}
}

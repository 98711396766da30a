package chatclient_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/chatclient"
	"github.com/deskfleet/deskfleet/internal/chatclient/chattest"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

func openAgent(t testing.TB, url, name string, presence agentwire.Presence) *chatclient.Agent {
	t.Helper()
	a, err := chatclient.OpenAgent(chatclient.AgentOptions{
		URL: url, Token: chattest.TokenOf(name), Presence: presence, Reconnect: swift,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	ctx, cancel := context.WithTimeout(t.Context(), eventually.Limit)
	defer cancel()
	if err := a.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return a
}

// agentUntil takes events up to the first one of a type that suits.
func agentUntil[E chatclient.AgentEvent](t testing.TB, a *chatclient.Agent, what string, suits func(E) bool) E {
	t.Helper()
	for {
		if e, ok := eventually.Receive(t, what, a.Events()).(E); ok && suits(e) {
			return e
		}
	}
}

func relates(r agentwire.Relation) func(chatclient.Related) bool {
	return func(e chatclient.Related) bool { return e.Relation == r }
}

// take accepts the next offer.
func take(t testing.TB, a *chatclient.Agent) conversation.ID {
	t.Helper()
	offer := agentUntil(t, a, "an offer", relates(agentwire.Offered))
	if err := a.Accept(t.Context(), offer.Conversation.Conversation); err != nil {
		t.Fatal(err)
	}
	agentUntil(t, a, "that it is the agent's", relates(agentwire.Owned))
	return offer.Conversation.Conversation
}

func TestAgent(t *testing.T) {
	d, url := shop(t)
	console, _ := d.Console("console-0")
	customer := connect(t, options(url))
	conv := send(t, customer, "m1", "hello")
	until(t, customer, "the bot's answer", says("You said:\nhello\x1b[2J"))
	send(t, customer, "m2", "I want to talk to a human")

	a := openAgent(t, console, "chen", agentwire.Available)
	// The router offers as soon as it has signed the agent on, which the console tells at the same time.
	var present chatclient.Present
	var offer chatclient.Related
	for !present.SignedOn || offer.Relation == "" {
		switch e := eventually.Receive(t, "being available, and an offer", a.Events()).(type) {
		case chatclient.Present:
			present = e
		case chatclient.Related:
			offer = e
		}
	}
	if present.Presence != agentwire.Available || present.Slots != 3 {
		t.Errorf("presence is %+v", present)
	}
	if h := offer.Card.HandOff; offer.Conversation.Conversation != conv || h == nil || h.Reason.Words != "asked for a person" {
		t.Fatalf("offered is %+v", offer)
	}
	if err := a.Accept(t.Context(), conv); err != nil {
		t.Fatal(err)
	}
	var transcript []string
	for read := false; !read; {
		switch e := eventually.Receive(t, "the transcript", a.Events()).(type) {
		case chatclient.Heard:
			transcript = append(transcript, string(e.From.Kind)+": "+e.Text)
		case chatclient.Read:
			read = true
		}
	}
	want := []string{"customer: hello", "bot: You said:\nhello\x1b[2J", "customer: I want to talk to a human", "bot: A person will help you."}
	if diff := cmp.Diff(want, transcript); diff != "" {
		t.Errorf("transcript (-want +got):\n%s", diff)
	}

	until(t, customer, "an agent", becomes(conversation.StatusActive))
	if _, err := a.Say(t.Context(), conv, chatclient.Outgoing{Text: "fraud?", Note: true}); err != nil {
		t.Fatal(err)
	}
	receipt, err := a.Say(t.Context(), conv, chatclient.Outgoing{ClientID: "a1", Text: "Hello, Chen here."})
	if err != nil || receipt.Seq == 0 {
		t.Fatalf("stored at %+v, %v", receipt, err)
	}
	if said := until(t, customer, "the agent's message", func(s chatclient.Said) bool { return s.From.Kind == conversation.KindAgent }); said.Text != "Hello, Chen here." {
		t.Errorf("the customer reads %q", said.Text)
	}
	customer.Typing(true)
	agentUntil(t, a, "that the customer writes", func(w chatclient.CustomerWriting) bool { return w.On })

	// Other agents cannot speak in it, and not every hand-off is possible.
	other := openAgent(t, console, "wu", agentwire.Available)
	agentUntil(t, other, "available", func(p chatclient.Present) bool { return p.SignedOn })
	if _, err := other.Say(t.Context(), conv, chatclient.Outgoing{Text: "mine?"}); !errors.Is(err, chatclient.ErrReleased) {
		t.Errorf("another agent is refused with %v", err)
	}
	if err := other.Accept(t.Context(), conv); !errors.Is(err, chatclient.ErrReleased) {
		t.Errorf("another agent accepts with %v", err)
	}
	var p *problem.Problem
	if err := a.HandOff(t.Context(), conv, chatclient.Transfer{Queue: "no-queue", Reason: "needs a refund"}); !errors.As(err, &p) || !strings.Contains(p.Error(), "no-queue") {
		t.Errorf("an unknown queue is refused with %v", err)
	}
	if err := a.HandOff(t.Context(), conv, chatclient.Transfer{Queue: "refunds", Reason: "needs a refund", Summary: "wants 20 back"}); err != nil {
		t.Fatal(err)
	}
	offer = agentUntil(t, other, "the offer to the other", relates(agentwire.Offered))
	if h := offer.Card.HandOff; h == nil || h.Summary != "wants 20 back" || offer.Card.Queue != "refunds" {
		t.Errorf("handed off is %+v", offer.Card)
	}
	if err := other.Accept(t.Context(), conv); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Post(conv, chatclient.Outgoing{Text: "Good bye."}); err != nil {
		t.Fatal(err)
	}
	if err := other.Finish(t.Context(), conv, "solved", "paid"); err != nil {
		t.Fatal(err)
	}
	until(t, customer, "the last message", says("Good bye."))
	until(t, customer, "the end", becomes(conversation.StatusClosed))
	ended := agentUntil(t, other, "the end", relates(agentwire.None))
	if ended.Card.Disposition != "solved" {
		t.Errorf("closed as %q", ended.Card.Disposition)
	}
	for _, presence := range []agentwire.Presence{agentwire.Away, agentwire.Available, agentwire.Offline, agentwire.Offline} {
		if err := a.SetPresence(t.Context(), presence); err != nil {
			t.Errorf("going %s: %v", presence, err)
		}
	}
	a.Close()
	if err := a.SetPresence(t.Context(), agentwire.Available); !errors.Is(err, chatclient.ErrClosed) {
		t.Errorf("a closed client goes available with %v", err)
	}
}

// TestAgentExactlyOnce: the agent's connections are cut at random points, at two consoles in turn, while both
// sides talk and conversations are taken and closed. Nothing is lost, nothing comes twice, all in order.
func TestAgentExactlyOnce(t *testing.T) {
	d, url := shop(t)
	first, _ := d.Console("console-0")
	second, _ := d.Console("console-1")
	proxy := chattest.NewProxy(t, first)
	a := openAgent(t, proxy.URL(), "chen", agentwire.Available)
	agentUntil(t, a, "available", func(p chatclient.Present) bool { return p.SignedOn })
	proxy.CutAfter(func() int { return 400 + rand.IntN(1<<(9+rand.IntN(5))) })
	proxy.Cut()

	const rounds, each = 3, 25
	for round := range rounds {
		customer := connect(t, options(url))
		conv := send(t, customer, "", "I want to talk to a human")
		if got := take(t, a); got != conv {
			t.Fatalf("round %d: offered is %s, want %s", round, got, conv)
		}
		var talk sync.WaitGroup
		talk.Go(func() {
			for i := range each {
				send(t, customer, "", fmt.Sprint("customer ", i))
				proxy.Turn([]string{first, second}[rand.IntN(2)])
			}
		})
		for i := range each {
			if _, err := a.Post(conv, chatclient.Outgoing{Text: fmt.Sprint("agent ", i), Note: i%5 == 0}); err != nil {
				t.Fatal(err)
			}
		}
		var got []uint64
		for len(got) < 2+2*each { // the request for a human and the bot's answer come before
			switch e := eventually.Receive(t, "all messages", a.Events()).(type) {
			case chatclient.Heard:
				got = append(got, e.Seq)
			case chatclient.Related:
				t.Fatalf("round %d: the conversation is %s: %v", round, e.Relation, e.Card.Why)
			case chatclient.AgentRefused:
				t.Errorf("refused: %v", e.Problem)
			}
		}
		talk.Wait()
		if err := a.Finish(t.Context(), conv, "solved", ""); err != nil {
			t.Fatal(err)
		}
		agentUntil(t, a, "the end", relates(agentwire.None))

		var want []uint64
		next := map[string]int{}
		for _, e := range d.Messages(conv) {
			want = append(want, e.Seq)
			m, ok := e.Body.(*conversation.Message)
			if !ok || !strings.HasPrefix(m.Text, string(m.From.Kind)) {
				continue
			}
			who := string(m.From.Kind)
			if text := fmt.Sprint(who, " ", next[who]); m.Text != text {
				t.Errorf("round %d: stored is %q where %q was due", round, m.Text, text)
			}
			next[who]++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("round %d: stored (-) and heard (+) differ:\n%s", round, diff)
		}
		if diff := cmp.Diff(map[string]int{"agent": each, "customer": each}, next); diff != "" {
			t.Errorf("round %d: stored (-want +got):\n%s", round, diff)
		}
		customer.Close()
	}
	if n := proxy.Connections(); n < 5 {
		t.Errorf("only %d connections were made: the test proves little", n)
	} else {
		t.Logf("%d connections", n)
	}
}

func TestAgentRefusals(t *testing.T) {
	d := chattest.New(t)
	d.Router("router-0")
	console, _ := d.Console("console-0")
	for _, tc := range []struct{ url, token, want string }{
		{"ftp://desk", "x", "use http"},
		{console, "", "the token is empty"},
		{console, "a b", "give it alone"},
		{console, "geheim\n", "give it alone"},
		{console, strings.Repeat("x", 600), "give it alone"},
	} {
		_, err := chatclient.OpenAgent(chatclient.AgentOptions{URL: tc.url, Token: tc.token})
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q with token %.10q gives %v", tc.url, tc.token, err)
		}
	}
	wrong, err := chatclient.OpenAgent(chatclient.AgentOptions{URL: console, Token: "geheim-geheim-geheim", Reconnect: swift})
	if err != nil {
		t.Fatal(err)
	}
	defer wrong.Close()
	if err := wrong.Ready(t.Context()); !errors.Is(err, chatclient.ErrToken) || strings.Contains(err.Error(), "geheim") {
		t.Errorf("a wrong token gives %v", err)
	}

	// Somebody who is in no pool signs in, but not on.
	nobody := openAgent(t, console, "nobody", agentwire.Offline)
	if err := nobody.SetPresence(t.Context(), agentwire.Available); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("an agent of no pool goes available with %v", err)
	}

	// A token that is withdrawn ends the client.
	chen := openAgent(t, console, "chen", agentwire.Available)
	d.WriteTokens("wu")
	eventually.True(t, "the client ends", func() bool { return chen.Err() != nil })
	if err := chen.Err(); !errors.Is(err, chatclient.ErrToken) {
		t.Errorf("a withdrawn token gives %v", err)
	}
}

package chatclient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/chatclient"
	"github.com/deskfleet/deskfleet/internal/chatclient/chattest"
	"github.com/deskfleet/deskfleet/internal/chatclient/script"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// screen collects what is printed.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(data)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// lines of the dialogue itself, without the lines about it.
func (s *screen) lines() []string {
	var out []string
	for line := range strings.Lines(s.String()) {
		if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, "--") {
			out = append(out, line)
		}
	}
	return out
}

func (s *screen) shows(t testing.TB, texts ...string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("the screen shows\n%s", s)
		}
	}()
	for _, text := range texts {
		eventually.True(t, fmt.Sprintf("%q is shown", text), func() bool { return strings.Contains(s.String(), text) })
	}
}

// play plays a script and returns what was printed.
func play(t testing.TB, url, text string) (*screen, error) {
	t.Helper()
	s, err := script.Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*eventually.Limit)
	defer cancel()
	out := &screen{}
	err = chatclient.RunChat(ctx, chatclient.ChatOptions{Connection: options(url), Script: s, Out: out})
	return out, err
}

// shop starts a desk with a router and a bot that knows one answer, says two things to "twice", hands off
// who asks for a person, and closes behind "bye".
func shop(t testing.TB) (d *chattest.Desk, url string) {
	t.Helper()
	d = chattest.New(t)
	url, _ = d.Gateway("gw-0")
	d.Router("router-0")
	d.Bot(func(m *conversation.Message) chattest.Answer {
		switch {
		case m.AsksForPerson:
			return chattest.Answer{Text: "A person will help you.", HandOff: "asked for a person"}
		case m.Text == "bye":
			return chattest.Answer{Text: "Good bye!", Close: true}
		case m.Text == "silence":
			return chattest.Answer{}
		}
		return chattest.Answer{Text: "You said:\n" + m.Text + "\x1b[2J", Entry: &conversation.Citation{
			KnowledgeBase: "shop", ID: "echo", Question: "What did I say?", Confidence: 0.909,
		}}
	})
	return d, url
}

func TestScript(t *testing.T) {
	_, url := shop(t)
	out, err := play(t, url, `
# within: 60s
one
# expect: ^You said:\none
# expect-from: bot
two
three
# expect: two
# expect: three
bye
# wait: closed
## What came before the end is passed over. The next message opens another conversation.
four
# expect: four
I want to talk to a human
# wait: handed-off
# close
five
# expect: five
`)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var want []string
	said := func(text string) { want = append(want, "customer Li: "+text) }
	answered := func(text string) {
		want = append(want, "bot Ada: You said:", "  "+text+"\ufffd[2J", `  [from shop/echo "What did I say?", 90 % sure]`)
	}
	said("one")
	answered("one")
	said("two")
	answered("two")
	said("three")
	answered("three")
	said("bye")
	want = append(want, "bot Ada: Good bye!")
	said("four")
	answered("four")
	said("I want to talk to a human")
	want = append(want, "bot Ada: A person will help you.")
	said("five")
	answered("five")
	got := out.lines()
	for i := range got {
		got[i] = strings.Replace(got[i], "customer:", "customer Li:", 1)
	}
	// The second answer may come before or behind the third message.
	if diff := cmp.Diff(sorted(want), sorted(got)); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
	out.shows(t, "-- bot Ada has joined", `-- waits for an agent in queue "general"`, "-- the conversation is closed")
	if strings.Contains(out.String(), "\x1b") {
		t.Error("what others write commands the terminal")
	}
}

func sorted(lines []string) string {
	seen := map[string]int{}
	for _, line := range lines {
		seen[line]++
	}
	return fmt.Sprint(seen) // maps print in order of their keys
}

// TestScriptWithAgent: states and messages are looked at in the order in which they are stored.
func TestScriptWithAgent(t *testing.T) {
	d := chattest.New(t)
	url, _ := d.Gateway("gw-0")
	chen := conversation.Agent{Kind: conversation.KindAgent, ID: "chen", Name: "Chen"}
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() {
		var conv conversation.ID
		var contact string
		eventually.True(t, "a conversation is open", func() bool {
			m, found, err := d.Log.Last(t.Context(), d.Subjects.Claims())
			if err != nil || !found {
				return false
			}
			claim, err := conversation.DecodeClaim(m.Data)
			conv, contact = claim.Conversation, claim.Contact
			return err == nil
		})
		d.BotTakes(conv, contact)
		seq := d.Say(conv, conversation.Message{From: webtest.Bot.Actor(), Text: "I hand you over."})
		d.Queue(conv, "refunds", webtest.HandOff(seq, "not sure"))
		d.Own(conv, &conversation.Offered{Agent: chen, Deadline: time.Now().Add(time.Minute)})
		d.Own(conv, &conversation.Accepted{Agent: chen})
		d.Say(conv, conversation.Message{From: chen.Actor(), Text: "Hello, Chen here."})
		d.Say(conv, conversation.Message{From: chen.Actor(), Text: "How can I help?"})
	})
	out, err := play(t, url, `
a refund please
# wait: handed-off
# wait: agent
# expect: Chen
# expect-from: agent
# wait: agent
# expect: help
`)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out.shows(t, "-- an agent is asked", "-- agent Chen has joined", "agent Chen: Hello, Chen here.")
}

func TestScriptErrors(t *testing.T) {
	_, url := shop(t)
	for _, tc := range []struct{ name, script, want string }{
		{"other text", "one\n# expect: zwei", `test:2: want a message that matches "zwei", got "You said:\none\x1b[2J" from bot Ada`},
		{"other kind", "one\n# expect: one\n# expect-from: agent", `test:2: want a message from an agent that matches "one", got "You said:`},
		{"nothing", "silence\n# within: 300ms\n# expect: .", `test:3: want a message that matches ".", got nothing of it within 300ms; the last state: bot Ada has joined`},
		{"other state", "one\n# within: 300ms\n# wait: agent", `test:3: want the conversation to be with an agent, got nothing of it within 300ms`},
		{"passed over", "one\nbye\n# wait: closed\n# expect: one", `test:4: want a message that matches "one", got the end: the conversation is closed`},
		{"ended", "bye\n# wait: handed-off", `test:2: want the conversation to be handed off, got the end: the conversation is closed`},
		{"nothing to close", "# close", `test:1: want the conversation to be closed, got no conversation: say something first`},
		{"too long", strings.Repeat("x", 2001), `to be stored within 30s, got Too large: text "xxx`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, err := play(t, url, tc.script)
			if step, ok := errors.AsType[*chatclient.StepError](err); !ok || !strings.Contains(step.Error(), tc.want) {
				t.Errorf("error is %v, want %s\n%s", err, tc.want, out)
			}
		})
	}
	t.Run("no desk", func(t *testing.T) {
		_, err := play(t, "http://127.0.0.1:1", "# within: 200ms\none")
		if err == nil || !strings.Contains(err.Error(), "test:2: want \"one\" to be stored within 200ms, got nothing of it within 200ms: failed to WebSocket dial") {
			t.Errorf("error is %v", err)
		}
	})
}

// TestScriptOverBadLines: a script means the same when connections are cut all the time.
func TestScriptOverBadLines(t *testing.T) {
	_, url := shop(t)
	proxy := chattest.NewProxy(t, url)
	proxy.CutAfter(func() int { return 1000 + rand.IntN(4000) })
	var text strings.Builder
	for i := range 20 {
		fmt.Fprintf(&text, "message %d\n# expect: message %d\\D\n", i, i)
	}
	out, err := play(t, proxy.URL(), text.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(out.String(), "customer: "); n != 20 {
		t.Errorf("%d messages are printed", n)
	}
	if n := proxy.Connections(); n < 3 {
		t.Errorf("only %d connections were made: the test proves little", n)
	}
}

func TestInteractive(t *testing.T) {
	d, url := shop(t)
	in, keyboard := io.Pipe()
	out := &screen{}
	done := make(chan error, 1)
	go func() {
		done <- chatclient.RunChat(t.Context(), chatclient.ChatOptions{
			Connection: options(url), In: chatclient.Lines(in), Echoed: true, Out: out,
		})
	}()
	enter := func(line string) {
		t.Helper()
		if _, err := io.WriteString(keyboard, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	out.shows(t, "Lantern Shop (en, zh). Write a message.")
	enter("  one ")
	out.shows(t, "bot Ada: You said:\n  one")
	enter("")
	enter("/cloze")
	out.shows(t, `-- "/cloze" is no command: use /close, /callback, /rate or /quit`)
	enter(strings.Repeat("x", 17000))
	out.shows(t, "-- not sent: \"xxx")
	enter("/path is /etc")
	out.shows(t, "bot Ada: You said:\n  /path is /etc")
	enter("I want a human")
	out.shows(t, `-- waits for an agent in queue "general"`, `-- number 1 of 1 in queue "general"`)
	enter("/close")
	out.shows(t, "-- the conversation has ended before an agent answered")
	enter("two")
	out.shows(t, "bot Ada: You said:\n  two")

	// Waiting elsewhere, being served, and rating.
	enter("I want a human")
	eventually.True(t, "it waits again", func() bool { return strings.Count(out.String(), "-- number 1 of 1") == 2 })
	enter("/callback tomorrow")
	out.shows(t, `-- "tomorrow" is no time`)
	enter("/callback")
	out.shows(t, "-- your place is kept, you need not stay")
	console, _ := d.Console("console-0")
	_, left := runAgent(t.Context(), t, console, "chen", automatic(chatclient.Auto{CloseAtOnce: true}, 1))
	out.shows(t, "-- the conversation is closed: /rate 1 to 5")
	if err := left(); err != nil {
		t.Error(err)
	}
	enter("/rate well")
	out.shows(t, "-- write /rate 1 (bad) to 5 (good)")
	enter("/rate 5 that was quick")
	out.shows(t, "-- rated with 5 of 5")
	enter("/quit")
	if err := eventually.Receive(t, "the end", done); err != nil {
		t.Error(err)
	}
	_ = keyboard.Close()
	if strings.Contains(out.String(), "customer:") {
		t.Errorf("what was typed is printed again:\n%s", out)
	}
}

// TestPiped: what is piped in is stored before the end, and a failing reader is told.
func TestPiped(t *testing.T) {
	d, url := shop(t)
	out := &screen{}
	opts := chatclient.ChatOptions{Connection: options(url), In: chatclient.Lines(strings.NewReader("one\ntwo\nthree")), Out: out}
	if err := chatclient.RunChat(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	m, _, err := d.Log.Last(t.Context(), d.Subjects.Claims())
	if err != nil {
		t.Fatal(err)
	}
	claim, err := conversation.DecodeClaim(m.Data)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, e := range d.Messages(claim.Conversation) {
		if m, ok := e.Body.(*conversation.Message); ok && m.From.Kind == conversation.KindCustomer {
			texts = append(texts, m.Text)
		}
	}
	if diff := cmp.Diff([]string{"one", "two", "three"}, texts); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	opts.In = chatclient.Lines(strings.NewReader(strings.Repeat("x", 1<<20)))
	if err := chatclient.RunChat(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "write shorter messages") {
		t.Errorf("an endless line gives %v", err)
	}
}

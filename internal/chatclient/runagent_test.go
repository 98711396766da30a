package chatclient_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/chatclient"
	"github.com/deskfleet/deskfleet/internal/chatclient/chattest"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
	"github.com/deskfleet/deskfleet/internal/web/webtest"
)

// runAgent runs an agent; what it returns waits for its end.
func runAgent(ctx context.Context, t testing.TB, url, name string, change func(*chatclient.RunAgentOptions)) (out *screen, wait func() error) {
	t.Helper()
	out = &screen{}
	opts := chatclient.RunAgentOptions{
		Connection: chatclient.AgentOptions{URL: url, Token: chattest.TokenOf(name), Reconnect: swift}, Out: out,
	}
	change(&opts)
	done := make(chan error, 1)
	go func() { done <- chatclient.RunAgent(ctx, opts) }()
	return out, func() error {
		t.Helper()
		err := eventually.Receive(t, "the agent leaves", done)
		if t.Failed() {
			t.Logf("the agent saw\n%s", out)
		}
		return err
	}
}

func automatic(auto chatclient.Auto, conversations int) func(*chatclient.RunAgentOptions) {
	return func(o *chatclient.RunAgentOptions) { o.Auto, o.Conversations = &auto, conversations }
}

func mustPlay(t testing.TB, url, text string) *screen {
	t.Helper()
	out, err := play(t, url, text)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return out
}

func TestAutomaticAgent(t *testing.T) {
	d, url := shop(t)
	console, _ := d.Console("console-0")
	out, wait := runAgent(t.Context(), t, console, "chen", automatic(chatclient.Auto{}, 2))
	mustPlay(t, url, `
hello
# expect: You said
我要人工客服
# wait: agent
# expect: ^您好，我是chen。您之前的对话（共\d条消息）我都已看过。关于“我要人工客服”
# expect-from: agent
订单号是 1234
# expect: “订单号是 1234”我记下了
谢谢！
# expect: 不客气
# wait: closed
`)
	mustPlay(t, url, `
I want to talk to a human
# wait: agent
# expect: I have read the whole dialogue so far, 2 messages
Thanks, but where is my parcel?
# expect: I have noted “Thanks, but where is my parcel\?”
Thank you
# expect: You are welcome
# wait: closed
`)
	if err := wait(); err != nil {
		t.Error(err)
	}
	out.shows(t,
		"-- signed in at Lantern Shop as chen (agent)",
		"-- available for 3 conversations at a time",
		`-- [1] offered from queue "general": a customer, language zh`,
		"-- [1] handed off: asked for a person (noAnswer)",
		`-- [1] tried: shop/returns "How do I return goods?", 31 % sure`,
		"-- [1] the transcript, 4 messages:\n[1] customer: hello\n[1] bot Ada: You said:\n  hello\ufffd[2J\n  [from shop/echo",
		"[1] customer: 我要人工客服\n[1] bot Ada: A person will help you.\n-- [1] end of the transcript\n",
		"[1] agent chen: 不客气",
		"-- [1] is no longer yours: closed by agent: resolved, disposition solved",
		"-- [2] is no longer yours",
	)
	if strings.Contains(out.String(), chattest.TokenOf("chen")) {
		t.Error("the token is shown")
	}
}

// TestAutomaticAgentCloses: at once, and customers who say nothing.
func TestAutomaticAgentCloses(t *testing.T) {
	for name, auto := range map[string]chatclient.Auto{
		"at once": {CloseAtOnce: true}, "after silence": {Idle: 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			d, url := shop(t)
			console, _ := d.Console("console-0")
			_, wait := runAgent(t.Context(), t, console, "chen", automatic(auto, 1))
			out := mustPlay(t, url, "let me talk to a human\n# wait: agent\n# expect: read the whole dialogue\n# wait: closed")
			if err := wait(); err != nil {
				t.Error(err)
			}
			if said := strings.Contains(out.String(), "We have not heard from you"); said == auto.CloseAtOnce {
				t.Errorf("the customer read\n%s", out)
			}
		})
	}
}

// TestAutomaticAgentLeaves: an agent that ends gives its conversations back at once, and the next one, here
// under the same name, goes on with them without saying everything again.
func TestAutomaticAgentLeaves(t *testing.T) {
	d, url := shop(t)
	console, stopConsole := d.Console("console-0")
	proxy := chattest.NewProxy(t, console)
	ctx, leave := context.WithCancel(t.Context())
	_, wait := runAgent(ctx, t, proxy.URL(), "chen", automatic(chatclient.Auto{}, 0))
	customer := connect(t, options(url))
	conv := send(t, customer, "m1", "I want to talk to a human")
	greeted := func(s chatclient.Said) bool { return strings.HasPrefix(s.Text, "Hello, this is ") }
	until(t, customer, "the first answer", greeted)

	// The console is replaced under the agent.
	next, _ := d.Console("console-1")
	proxy.Turn(next)
	stopConsole()
	send(t, customer, "m2", "are you still there?")
	until(t, customer, "an answer through the other console", func(s chatclient.Said) bool {
		return strings.Contains(s.Text, "still there") && s.From.Kind == conversation.KindAgent
	})

	leave()
	if err := wait(); err != nil {
		t.Error(err)
	}
	until(t, customer, "that the conversation waits again", becomes(conversation.StatusQueued))
	_, wait = runAgent(t.Context(), t, next, "chen", automatic(chatclient.Auto{}, 1))
	until(t, customer, "an agent", becomes(conversation.StatusActive))
	send(t, customer, "m3", "thanks")
	until(t, customer, "the farewell", func(s chatclient.Said) bool { return strings.HasPrefix(s.Text, "You are welcome") })
	until(t, customer, "the end", becomes(conversation.StatusClosed))
	if err := wait(); err != nil {
		t.Error(err)
	}
	var said []string
	for _, e := range d.Messages(conv) {
		if m, ok := e.Body.(*conversation.Message); ok && m.From.Kind == conversation.KindAgent {
			said = append(said, strings.Fields(m.Text)[0])
		}
	}
	if diff := cmp.Diff([]string{"Hello,", "Thank", "You"}, said); diff != "" {
		t.Errorf("the agent's messages begin with (-want +got):\n%s", diff)
	}
}

// TestAutomaticAgentTakesNoMore: an agent for one conversation leaves the others to others.
func TestAutomaticAgentTakesNoMore(t *testing.T) {
	d, url := shop(t)
	console, _ := d.Console("console-0")
	first, second := connect(t, options(url)), connect(t, options(url))
	convs := map[conversation.ID]*chatclient.Chat{
		send(t, first, "m1", "I want to talk to a human"):  first,
		send(t, second, "m1", "I want to talk to a human"): second,
	}
	for _, customer := range convs {
		until(t, customer, "the queue", func(s chatclient.Changed) bool { return s.Queue == "general" })
	}
	_, wait := runAgent(t.Context(), t, console, "chen", automatic(chatclient.Auto{CloseAtOnce: true}, 1))
	if err := wait(); err != nil {
		t.Error(err)
	}
	closed := 0
	for conv := range convs {
		for _, e := range d.Messages(conv) {
			if m, ok := e.Body.(*conversation.Message); ok && m.From.Kind == conversation.KindAgent {
				closed++
			}
		}
	}
	if closed != 1 {
		t.Errorf("%d conversations were answered", closed)
	}
}

func TestAgentOfNoPool(t *testing.T) {
	d, _ := shop(t)
	console, _ := d.Console("console-0")
	_, wait := runAgent(t.Context(), t, console, "nobody", automatic(chatclient.Auto{}, 0))
	if err := wait(); err == nil || !strings.Contains(err.Error(), "the desk does not sign nobody on: ") {
		t.Errorf("the agent ended with %v", err)
	}
}

func TestInteractiveAgent(t *testing.T) {
	d, url := shop(t)
	console, _ := d.Console("console-0")
	in, keyboard := io.Pipe()
	out, wait := runAgent(t.Context(), t, console, "chen", func(o *chatclient.RunAgentOptions) {
		o.In, o.Echoed = chatclient.Lines(in), true
	})
	enter := func(line string) {
		t.Helper()
		if _, err := io.WriteString(keyboard, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	out.shows(t, "-- available for 3 conversations at a time")
	enter("hello?")
	out.shows(t, "-- no conversation is chosen: /take or /use one")
	enter("/list")
	out.shows(t, "-- nothing is offered and nothing is yours")
	enter("/help")
	out.shows(t, "/handoff QUEUE REASON")
	enter("/dance")
	out.shows(t, `-- "/dance" is no command`)

	first, second := connect(t, options(url)), connect(t, options(url))
	send(t, first, "", "I want to talk to a human")
	out.shows(t, "-- [1] /take 1 or /decline 1 until ")
	enter("/take 7")
	out.shows(t, `-- "7" names 0 conversations that are offered`)
	enter("/take 1")
	out.shows(t, "[1] customer: I want to talk to a human", "-- what you type goes to [1]")
	send(t, second, "", "A human, please")
	out.shows(t, "-- [2] /take 2 or /decline 2 until ")
	enter("/take")
	out.shows(t, "-- [2] end of the transcript")
	enter("Hello first")
	until(t, first, "the agent's message", says("Hello first"))
	enter("/use 2")
	out.shows(t, "-- what you type goes to [2]")
	enter("Hello second")
	until(t, second, "the agent's message", says("Hello second"))
	enter("/note tell nobody")
	enter("/list")
	out.shows(t, `-- [1] owned, queue "general", unknown`, `-- [2] owned, queue "general", unknown, chosen`)
	send(t, second, "", "\x1b[31mred")
	out.shows(t, "[2] customer: \ufffd[31mred")
	enter("/handoff refunds")
	out.shows(t, "-- write /handoff QUEUE REASON; the queues are general, refunds")
	enter("/handoff nowhere because")
	out.shows(t, "-- hand off: ")
	enter("/close told")
	until(t, second, "the end", becomes(conversation.StatusClosed))
	out.shows(t, "-- [2] is no longer yours: closed by agent: resolved, disposition told")
	enter("is anybody here?")
	enter("/away")
	out.shows(t, "-- away")
	enter("/use")
	out.shows(t, "-- what you type goes to [1]")
	enter("Good bye first")
	enter("/close")
	until(t, first, "the last message", says("Good bye first"))
	until(t, first, "the end", becomes(conversation.StatusClosed))
	out.shows(t, "-- [1] is no longer yours")
	enter("/available")
	enter("/quit")
	if err := wait(); err != nil {
		t.Error(err)
	}
	_ = keyboard.Close()
	for _, unwanted := range []string{"agent chen: Hello", "tell nobody", "\x1b"} {
		if strings.Contains(out.String(), unwanted) {
			t.Errorf("the screen shows %q:\n%s", unwanted, out)
		}
	}
}

// TestCommands plays an agent and a supervisor at their terminals: why, tags, later work, watching with a note for the
// agent, taking over, a transfer by name, and a merge.
func TestCommands(t *testing.T) {
	d, url := shop(t)
	doc := webtest.Document()
	doc.Pools[1].Human.Members = []string{"chen", "boss"}
	doc.Queues[0].Overflow = []runtimeconfig.Overflow{{PredictedWaitSeconds: 3600, Action: runtimeconfig.OverflowBot}}
	d.Config.Set(t, doc)
	d.WriteTokens("chen", "boss:supervisor")
	console, _ := d.Console("console-0")
	terminal := func(name string) (*screen, func(string), func() error) {
		in, keyboard := io.Pipe()
		out, wait := runAgent(t.Context(), t, console, name, func(o *chatclient.RunAgentOptions) {
			o.In, o.Echoed = chatclient.Lines(in), true
		})
		enter := func(line string) {
			t.Helper()
			if _, err := io.WriteString(keyboard, line+"\n"); err != nil {
				t.Fatal(err)
			}
		}
		return out, enter, func() error {
			enter("/quit")
			err := wait()
			_ = keyboard.Close()
			return err
		}
	}
	chen, chenTypes, chenLeaves := terminal("chen")
	chen.shows(t, "-- available for 3 conversations at a time")
	first := connect(t, options(url))
	send(t, first, "", "I want to talk to a human")
	chen.shows(t, "-- [1] why: score ", "-- [1] why: chen: idle longest")
	chenTypes("/take")
	chen.shows(t, "-- [1] end of the transcript")
	chenTypes("/why 1")
	chenTypes("/tags")
	chen.shows(t, "-- [1] tags: none")
	chenTypes("/tags broken 退款")
	chen.shows(t, "-- [1] tags: broken, 退款")
	chenTypes("/tags a/b")
	chen.shows(t, `-- tags: `, `a/b`)
	eventually.True(t, "the list shows the tags that are stored", func() bool {
		chenTypes("/list")
		return strings.Contains(chen.String(), "tags broken, 退款, chosen")
	})
	chenTypes("/postpone soon")
	chen.shows(t, `-- "soon" is no time`)
	chenTypes("/takeover")
	chen.shows(t, "supervisors")

	boss, bossTypes, bossLeaves := terminal("boss")
	boss.shows(t, "-- signed in at Lantern Shop as boss (supervisor)", "-- available for 3")
	bossTypes("/colleagues")
	boss.shows(t, "-- chen is available, 1 of 3 slots, serves refunds, general")
	eventually.True(t, "the router has seen that somebody is there", func() bool {
		bossTypes("/queues")
		return strings.Contains(boss.String(), "--   step 1 Bot: from a predicted wait of 1h0m0s")
	})
	boss.shows(t, "-- general: 0 waiting")
	bossTypes("/hold general 1 2h sale day")
	boss.shows(t, "-- step 1 of general is held until ")
	bossTypes("/hold general 2 2h sale day")
	boss.shows(t, "use 1 for Bot")
	bossTypes("/queues")
	boss.shows(t, "--   step 1 Bot: held by boss until ", ": sale day")
	bossTypes("/release general 1")
	boss.shows(t, "-- step 1 of general is released")
	chenTypes("/hold general 1 2h because")
	chen.shows(t, "ask somebody with that role")
	bossTypes("/opened")
	boss.shows(t, ` Active with agent chen, queue "general", unknown, tags broken, 退款`)
	id := string(first.Standing().Conversation)
	bossTypes("/watch " + id)
	boss.shows(t, "-- [1] you watch", "[1] customer: I want to talk to a human")
	bossTypes("/use 1")
	bossTypes("hello")
	boss.shows(t, "-- you only watch [1]")
	bossTypes("/note be kind")
	chen.shows(t, "[1] agent boss (note): be kind")
	bossTypes("/takeover 1")
	boss.shows(t, "-- [1] is yours", "-- [1] why: ")
	chen.shows(t, "-- [1] is no longer yours: ", "boss takes it over")
	bossTypes("Hello, this is boss")
	until(t, first, "the supervisor's message", says("Hello, this is boss"))
	bossTypes("/transfer chen knows the customer")
	chen.shows(t, "-- [2] handed off: knows the customer (transfer)")
	chenTypes("/take 2")
	chen.shows(t, "-- [2] end of the transcript")

	second := connect(t, options(url))
	bossTypes("/away")
	boss.shows(t, "-- away")
	send(t, second, "", "A human, please, I am the same")
	chen.shows(t, "-- [3] /take 3")
	chenTypes("/take 3")
	chen.shows(t, "-- [3] end of the transcript")
	chenTypes("/use 2")
	chen.shows(t, "-- what you type goes to [2]")
	chenTypes("/merge 3")
	until(t, second, "the end", becomes(conversation.StatusClosed))
	chen.shows(t, "-- [3] is no longer yours: closed by agent: merged, it goes on in "+id, "[2] system (note): Merged with conversation")
	chenTypes("/callback 2h")
	chen.shows(t, "-- [2] is no longer yours: put aside until ", "chen calls the customer back")
	if err := errors.Join(chenLeaves(), bossLeaves()); err != nil {
		t.Error(err)
	}
}

package dialogue

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/escalation"
	"github.com/deskfleet/deskfleet/internal/knowledge"
)

var (
	at   = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	conv = conversation.NewID(at)

	settings = Settings{Languages: []string{"zh", "en"}, MinConfidence: 0.6}
	greeting = []escalation.LocalisedText{{Language: "en", Text: "Welcome!"}, {Language: "zh", Text: "欢迎光临！"}}

	returns  = Hit{KnowledgeBase: "faq", ID: "returns", Question: "How do I return it?", Answer: "Within 30 days.", Language: "en", Confidence: 0.93}
	refunds  = Hit{KnowledgeBase: "faq", ID: "refunds", Question: "When is my refund?", Answer: "In 5 days.", Language: "en", Confidence: 0.71}
	returnZh = Hit{KnowledgeBase: "faq", ID: "returns-zh", Question: "怎么退货", Answer: "30 天内可退。", Language: "zh", Confidence: 0.9}
)

// chat plays a conversation: the customer's lines, and what the bot makes of them.
type chat struct {
	t        *testing.T
	settings Settings
	talk     Talk
	events   []conversation.Event
	seq      uint64
}

func newChat(t *testing.T) *chat { return &chat{t: t, settings: settings} }

func (c *chat) hear(m *conversation.Message) {
	c.t.Helper()
	c.seq += 2 // other conversations lie in between
	e := conversation.NewEvent(conversation.NewID(at), conv, at, m)
	if err := e.Validate(); err != nil {
		c.t.Fatal(err)
	}
	e.Seq = c.seq
	c.events = append(c.events, e)
	c.talk.Hear(e)
}

func (c *chat) customer(text string) {
	c.t.Helper()
	c.hear(&conversation.Message{
		From: conversation.Actor{Kind: conversation.KindCustomer, ID: "c-17"}, Text: text,
		ClientID: fmt.Sprintf("m%d", c.seq), AsksForPerson: knowledge.AsksForPerson(text),
	})
}

// turn decides and hears what the bot says.
func (c *chat) turn(found Findings) Reply {
	c.t.Helper()
	r := Decide(&c.talk, found, c.settings)
	for _, s := range r.Say {
		c.hear(&conversation.Message{
			From: conversation.Actor{Kind: conversation.KindBot, ID: "bot-0"}, Text: s.Text, Language: s.Language,
			ClientID: s.ClientID, Entry: s.Entry, Missed: s.Missed,
		})
	}
	return r
}

// says is one line of the customer and the bot's turn.
func (c *chat) says(text string, hits ...Hit) Reply {
	c.t.Helper()
	c.customer(text)
	return c.turn(Findings{Hits: hits})
}

// summary of a reply: kinds with the first letters of what is said, and the code of a hand-off.
func summary(r Reply) string {
	var out []string
	for _, s := range r.Say {
		entry := ""
		if s.Entry != nil {
			entry = " " + s.Entry.ID
		}
		if s.Missed {
			entry += " missed"
		}
		out = append(out, fmt.Sprintf("%s(%s%s)", s.Kind, s.Language, entry))
	}
	if r.HandOff != nil {
		out = append(out, "→"+string(r.HandOff.Reason.Code))
	}
	return strings.Join(out, " ")
}

func TestOneTurn(t *testing.T) {
	for _, c := range []struct {
		name     string
		says     string
		hits     []Hit
		greeting bool
		want     string
	}{
		{"answer", "How do I send it back?", []Hit{returns, refunds}, false, "answer(en returns)"},
		{"answer in Chinese", "怎么退货？", []Hit{returnZh}, false, "answer(zh returns-zh)"},
		{"greeting first", "How do I send it back?", []Hit{returns}, true, "greeting(en) answer(en returns)"},
		{"unsure", "Do you sell bicycles?", []Hit{{ID: "x", KnowledgeBase: "faq", Answer: "y", Confidence: 0.59}}, false, "handoff(en missed) →noAnswer"},
		{"at the floor", "Do you sell bicycles?", []Hit{{ID: "x", KnowledgeBase: "faq", Answer: "y", Confidence: 0.6}}, false, "answer(en x)"},
		{"nothing", "你们卖自行车吗？", nil, false, "handoff(zh missed) →noAnswer"},
		{"no number", "Do you sell bicycles?", []Hit{{ID: "x", KnowledgeBase: "faq", Answer: "y", Confidence: math.NaN()}}, false, "handoff(en missed) →noAnswer"},
		{"empty answer", "Do you sell bicycles?", []Hit{{ID: "x", KnowledgeBase: "faq", Answer: " ", Confidence: 1}}, false, "handoff(en missed) →noAnswer"},
		{"a person", "Can I talk to a human please", []Hit{returns}, false, "handoff(en) →askedForPerson"},
		{"a person in Chinese", "转人工", []Hit{returnZh}, true, "handoff(zh) →askedForPerson"},
		{"a person and a question", "怎么退货？算了，我要人工客服", []Hit{returnZh}, false, "handoff(zh) →askedForPerson"},
		{"no person", "不用转人工，怎么退货？", []Hit{returnZh}, false, "answer(zh returns-zh)"},
		{"hello", "Hello!", []Hit{returns}, false, "chat(en)"},
		{"hello, with a greeting", "你好", nil, true, "chat(zh)"},
		{"thanks", "谢谢！", []Hit{returnZh}, false, "chat(zh)"},
		{"hello and a question", "Hello, how do I send it back?", []Hit{returns}, false, "answer(en returns)"},
		{"does not work", "It doesn't work", []Hit{returns}, false, "answer(en returns)"},
		{"sign", "👍", nil, false, "chat(zh)"},
		{"another language", "Wie kann ich das zurückgeben und wo ist meine Bestellung?", nil, false, "handoff(zh missed) →noAnswer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			talk := newChat(t)
			if c.greeting {
				talk.settings.Greeting = greeting
			}
			if got := summary(talk.says(c.says, c.hits...)); got != c.want {
				t.Errorf("%q: %s, want %s", c.says, got, c.want)
			}
		})
	}
}

// A question is looked up only where the answer depends on it.
func TestQuestion(t *testing.T) {
	for says, want := range map[string]string{
		"Where is my order?":       "Where is my order?",
		"Hello!":                   "",
		"转人工":                      "",
		"谢谢":                       "",
		"Hi, where is my order?":   "Hi, where is my order?",
		"That is not what I asked": "That is not what I asked",
	} {
		c := newChat(t)
		c.customer(says)
		query, _, ok := Question(&c.talk, settings)
		if query != want || ok != (want != "") {
			t.Errorf("%q is looked up as %q, %t", says, query, ok)
		}
	}
	c := newChat(t)
	if _, _, ok := Question(&c.talk, settings); ok {
		t.Error("nothing is looked up")
	}
	c.customer("你好")
	c.customer("我的订单")
	c.customer("到哪里了")
	if query, language, ok := Question(&c.talk, settings); query != "我的订单\n到哪里了" || language != "zh" || !ok {
		t.Errorf("three lines are looked up as %q, %q", query, language)
	}
}

func TestNeverTheSameAnswerTwice(t *testing.T) {
	c := newChat(t)
	c.says("How do I send it back?", returns)
	if got := summary(c.says("But how do I return it?", returns, refunds)); got != "answer(en refunds)" {
		t.Errorf("asked again: %s, want the next sure entry", got)
	}
	r := c.says("How do I return it?!", returns, refunds, Hit{KnowledgeBase: "faq", ID: "shoes", Answer: "x", Confidence: 0.3})
	if got := summary(r); got != "handoff(en missed) →noAnswer" {
		t.Errorf("asked a third time: %s", got)
	}
	if len(r.HandOff.Tried) != 3 || r.HandOff.Tried[0].ID != "returns" || r.HandOff.Tried[1].ID != "refunds" || r.HandOff.Tried[2].ID != "shoes" {
		t.Errorf("tried %+v", r.HandOff.Tried)
	}
	if r.HandOff.Reason.Words != reasonRepeated {
		t.Errorf("reason %q", r.HandOff.Reason.Words)
	}
}

func TestNoHelp(t *testing.T) {
	for _, says := range []string{"That doesn't help.", "没用", "不对", "No", "答非所问！！"} {
		c := newChat(t)
		c.says("How do I send it back?", returns)
		if r := c.says(says, returns); summary(r)[strings.Index(summary(r), "→"):] != "→noAnswer" || r.HandOff.Tried[0].ID != "returns" {
			t.Errorf("%q after an answer: %s", says, summary(r))
		}
	}
	c := newChat(t)
	c.says("How do I send it back?", returns)
	c.says("thanks")
	if r := c.says("no"); summary(r) != "" {
		t.Errorf(`"no" to "anything else?": %s`, summary(r))
	}
}

func TestHandOffContract(t *testing.T) {
	c := newChat(t)
	c.says("How do I send it back?", returns)
	c.customer("Comment puis-je avoir une facture pour ma commande avec vous ?")
	r := c.turn(Findings{Hits: []Hit{{KnowledgeBase: "faq", ID: "invoice", Question: strings.Repeat("问", 600), Answer: "x", Confidence: 0.41}}})
	h := &conversation.HandOff{
		TranscriptSeq: c.seq, Reason: r.HandOff.Reason, Language: r.HandOff.Language, Tried: r.HandOff.Tried, Verification: conversation.VerificationNone,
	}
	if err := h.Validate(); err != nil {
		t.Fatal(err)
	}
	if h.Language != "fr" {
		t.Errorf("language %q: the next owner must know that the customer speaks French", h.Language)
	}
	for _, want := range []string{`"invoice"`, "41 %", "60 %"} {
		if !strings.Contains(h.Reason.Words, want) {
			t.Errorf("reason %q does not say %s", h.Reason.Words, want)
		}
	}
}

func TestKnowledgeFails(t *testing.T) {
	c := newChat(t)
	c.customer("怎么退货")
	r := c.turn(Findings{Failed: true})
	if got := summary(r); got != "handoff(zh) →fault" {
		t.Errorf("%s", got)
	}
}

// What came while the bot was thinking is answered next, and not taken for answered.
func TestMessageDuringTheTurn(t *testing.T) {
	c := newChat(t)
	c.customer("How do I send it back?")
	r := Decide(&c.talk, Findings{Hits: []Hit{returns}}, c.settings)
	c.customer("and where is my refund?")
	for _, s := range r.Say {
		c.hear(&conversation.Message{From: conversation.Actor{Kind: conversation.KindBot, ID: "bot-0"}, Text: s.Text, ClientID: s.ClientID, Entry: s.Entry})
	}
	if query, _, ok := Question(&c.talk, c.settings); !ok || query != "and where is my refund?" {
		t.Fatalf("open is %q", query)
	}
	if got := summary(c.turn(Findings{Hits: []Hit{refunds}})); got != "answer(en refunds)" {
		t.Errorf("%s", got)
	}
}

// A worker that died between its promise and the hand-off is replaced by one that keeps the promise.
func TestPromiseIsKept(t *testing.T) {
	c := newChat(t)
	c.says("转人工")
	c.customer("好的")
	r := c.turn(Findings{})
	if len(r.Say) != 0 || r.HandOff == nil || r.HandOff.Reason.Code != conversation.ReasonAskedForPerson {
		t.Errorf("after the promise: %s", summary(r))
	}
	// Once a person was there, it is kept: a bot that gets the conversation again does not hand off for ever.
	c.hear(&conversation.Message{From: conversation.Actor{Kind: conversation.KindAgent, ID: "mei"}, Text: "您好", ClientID: "p1"})
	if got := summary(c.says("怎么退货？", returnZh)); got != "answer(zh returns-zh)" {
		t.Errorf("after the person: %s", got)
	}
}

func TestLongAnswerIsSplit(t *testing.T) {
	long := strings.Repeat(strings.Repeat("退货说明。", 100)+"\n\n", 24)
	c := newChat(t)
	hit := returnZh
	hit.Answer = long
	r := c.says("怎么退货", hit)
	if len(r.Say) < 2 {
		t.Fatalf("%d bytes are said in %d messages", len(long), len(r.Say))
	}
	said := ""
	for _, s := range r.Say {
		if len(s.Text) > conversation.MaxTextBytes || !utf8.ValidString(s.Text) || s.Entry == nil {
			t.Errorf("part of %d bytes", len(s.Text))
		}
		said += s.Text
	}
	if strings.ReplaceAll(said, "\n", "") != strings.ReplaceAll(long, "\n", "") {
		t.Error("the parts are not the whole")
	}
	if len(c.talk.Given) != 1 || len(c.talk.Open) != 0 {
		t.Errorf("talk %+v", c.talk)
	}
}

func TestForeignAnswer(t *testing.T) {
	c := newChat(t)
	r := c.says("怎么退货", returns)
	if !strings.HasPrefix(r.Say[0].Text, "这方面的资料只有英文版") || !strings.HasSuffix(r.Say[0].Text, returns.Answer) || r.Say[0].Language != "en" {
		t.Errorf("said %+v", r.Say[0])
	}
}

func TestLanguage(t *testing.T) {
	for _, c := range []struct {
		text, client string
		desk         []string
		want         string
	}{
		{"怎么退货", "en", []string{"en", "zh"}, "zh"}, // the menus of the browser do not count
		{"how do I return it", "zh-CN", []string{"zh", "en"}, "en"},
		{"4711", "zh-CN", []string{"en", "zh"}, "zh"},
		{"4711", "", []string{"en", "zh"}, "en"},
		{"怎么退货", "zh-Hant", []string{"en", "zh-Hant"}, "zh-Hant"},
		{"怎么退货", "", []string{"en"}, "en"},
	} {
		var talk Talk
		e := conversation.NewEvent(conversation.NewID(at), conv, at, &conversation.Message{
			From: conversation.Actor{Kind: conversation.KindCustomer, ID: "c"}, Text: c.text, Language: c.client, ClientID: "m",
		})
		e.Seq = 1
		talk.Hear(e)
		if got := speaks(&talk, Settings{Languages: c.desk}); got != c.want {
			t.Errorf("%q from a client in %q at a desk with %v: %s, want %s", c.text, c.client, c.desk, got, c.want)
		}
	}
}

// Every text exists in every language, and none is the same in two.
func TestTexts(t *testing.T) {
	languages := texts[textHello]
	for key := textHello; key <= textFault; key++ {
		seen := map[string]bool{}
		for language := range languages {
			s := texts[key][language]
			if strings.TrimSpace(s) == "" || seen[s] {
				t.Errorf("text %d in %s is %q", key, language, s)
			}
			seen[s] = true
			if detected := knowledge.DetectLanguage(s); detected != language {
				t.Errorf("%q counts as %q, not %q", s, detected, language)
			}
		}
	}
	if len(languages) < 2 || text(textMiss, "zh-TW") != texts[textMiss]["zh"] || text(textMiss, "sw") != texts[textMiss]["en"] {
		t.Error("texts are not found by their language")
	}
}

// No small talk is one that asks for a person, and none is folded away from what people write.
func TestSmallTalkWords(t *testing.T) {
	for w, kind := range smallTalkWords {
		if foldTalk(w) != w {
			t.Errorf("%q is never found: it folds to %q", w, foldTalk(w))
		}
		if got, only := smallTalkOf(w + "!!"); got != kind || !only {
			t.Errorf("%q with signs is %d, %t", w, got, only)
		}
	}
	for text, want := range map[string]bool{
		"Hi! Thanks, bye.": true, "ＯＫ": true, "Don't": false, "谢谢，再见": true, "thank you for nothing": false, "ok, but where is it": false, "": true, "???": true,
	} {
		if _, only := smallTalkOf(text); only != want {
			t.Errorf("%q is small talk: %t", text, only)
		}
	}
}

// Whatever was said in whatever order: the reply is valid, no entry is given twice, and folding the transcript
// anew gives the same talk, so that another worker would do the same.
func TestAnyConversation(t *testing.T) {
	lines := []string{"怎么退货", "hello", "thanks", "where is my order", "转人工", "no", "没用", "👍", "I want a human", "ok", "退款什么时候到账", strings.Repeat("长", 300)}
	rapid.Check(t, func(rt *rapid.T) {
		c := newChat(t)
		c.settings.MinConfidence = rapid.Float64Range(0, 1).Draw(rt, "floor")
		if rapid.Bool().Draw(rt, "greeting") {
			c.settings.Greeting = greeting
		}
		given := map[string]bool{}
		for range rapid.IntRange(1, 40).Draw(rt, "turns") {
			for range rapid.IntRange(0, 3).Draw(rt, "lines") {
				c.customer(rapid.SampledFrom(lines).Draw(rt, "line"))
			}
			before := len(c.talk.Open)
			r := c.turn(drawFindings(rt))
			for _, s := range r.Say {
				if s.Entry == nil {
					continue
				}
				if given[s.Entry.ID] {
					rt.Fatalf("%s is given twice", s.Entry.ID)
				}
				given[s.Entry.ID] = true
			}
			if len(r.Say) == 0 && r.HandOff == nil && before > 0 && !c.talk.Greeted {
				rt.Fatalf("a first message is not answered")
			}
			if err := contract(r.HandOff); err != nil {
				rt.Fatal(err)
			}
			var again Talk
			for _, e := range c.events {
				again.Hear(e)
				again.Hear(e) // twice is once
			}
			if diff := cmp.Diff(c.talk, again); diff != "" {
				rt.Fatal(diff)
			}
		}
	})
}

func drawFindings(rt *rapid.T) (found Findings) {
	for range rapid.IntRange(0, 3).Draw(rt, "hits") {
		found.Hits = append(found.Hits, Hit{
			KnowledgeBase: "faq", ID: fmt.Sprintf("e%d", rapid.IntRange(0, 40).Draw(rt, "entry")), Answer: "because",
			Question: strings.Repeat("q", rapid.IntRange(0, 3000).Draw(rt, "question")), Confidence: rapid.Float64Range(0, 1).Draw(rt, "confidence"),
		})
	}
	found.Failed = rapid.IntRange(0, 9).Draw(rt, "failed") == 0
	return found
}

// contract checks a hand-off as the router does; nil is fine.
func contract(h *HandOff) error {
	if h == nil {
		return nil
	}
	full := &conversation.HandOff{TranscriptSeq: 1, Reason: h.Reason, Language: h.Language, Tried: h.Tried, Verification: conversation.VerificationNone}
	return full.Validate()
}

func TestClientIDs(t *testing.T) {
	for _, c := range []struct {
		id      string
		kind    Kind
		through uint64
	}{
		{clientID(KindAnswer, 17, 0), KindAnswer, 17},
		{clientID(KindHandOff, 99, 1), KindHandOff, 40}, // never beyond the message itself
		{"m17", KindChat, 40},
		{"bot-answer-x-0", KindChat, 40},
	} {
		if kind, through := parseClientID(c.id, 40); kind != c.kind || through != c.through {
			t.Errorf("%s: %s, %d", c.id, kind, through)
		}
	}
	if !conversation.IsToken(clientID(KindGreeting, math.MaxUint64, 99)) {
		t.Error("the longest id is no token")
	}
}

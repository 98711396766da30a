package escalation

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func say(text string) Facts {
	return Facts{Message: MessageFacts{Text: text}, Conversation: ConversationFacts{Turns: 1, Queue: "bot"}}
}

// TestConditions holds what each fact and function means when it runs.
func TestConditions(t *testing.T) {
	facts := Facts{
		Message:      MessageFacts{Text: "我要退款! I want a REFUND, order 1234-56", Language: "zh", AsksForPerson: true},
		Conversation: ConversationFacts{Misses: 2, Turns: 5, Waited: 90 * time.Second, Channel: "web", Queue: "refunds"},
	}
	tests := []struct {
		when string
		want bool
	}{
		{`message.text.matchesAny(["退款"])`, true},
		{`matchesAny(message.text, ["退货", "refund"])`, true},
		{`message.text.matchesAny(["退货", "fund"])`, false},
		{`message.language.matchesAny(["ZH"])`, true},
		{`message.text.contains("REFUND")`, true},
		{`message.text.contains("refund")`, false},
		{`message.text.startsWith("我要")`, true},
		{`message.text.endsWith("-56")`, true},
		{`message.text.matches("(?i)refund, order \\d{4}")`, true},
		{`matches(message.text, r"\d{5}")`, false},
		{`size(message.text) == 36`, true},
		{`message.language == "zh"`, true},
		{`message.asksForPerson`, true},
		{`!message.asksForPerson`, false},
		{`conversation.misses >= 2`, true},
		{`conversation.misses > 2`, false},
		{`conversation.turns == 5`, true},
		{`conversation.waited > duration("1m")`, true},
		{`conversation.waited > duration("1m30s")`, false},
		{`conversation.waited - duration("30s") == duration("1m")`, true},
		{`conversation.channel in ["app", "web"]`, true},
		{`conversation.queue == "bot"`, false},
		{`conversation.queue == "refunds"`, true},
		{`["app", "web"].exists(c, c == conversation.channel)`, true},
		{`["退款", "REFUND"].all(w, message.text.contains(w))`, true},
		{`["退款", "x"].all(w, message.text.contains(w))`, false},
		{`double(conversation.misses) / double(conversation.turns) < 0.5`, true},
		{`["web", "app"][1] == "app"`, true},
		{`conversation.turns % 2 == 1 && conversation.turns / 2 == 2 && -conversation.turns == -5`, true},
		{`(message.language == "zh" ? conversation.misses : conversation.turns) == 2`, true},
	}
	for _, test := range tests {
		d, err := mustCompile(t, rule("r", test.when)).Evaluate(facts)
		if err != nil {
			t.Errorf("%s: %v", test.when, err)
		}
		if got := len(d.Rules) == 1; got != test.want {
			t.Errorf("%s is %v, want %v", test.when, got, test.want)
		}
	}
}

func shopPolicy(t *testing.T) *Policy {
	high := int32(90)
	return mustCompile(t,
		Rule{
			Name: "angry", When: `message.text.matchesAny(["投诉", "骗子", "lawyer", "scam*"])`,
			Then: Actions{Priority: &high, Continue: true},
		},
		Rule{
			Name: "refund", When: `message.text.matchesAny(["退款", "退钱", "refund*", "money back"])`,
			Then: Actions{
				HandOff: &HandOff{Queue: "refunds"},
				Say:     []LocalisedText{{"zh", "正在为您转接退款专员。"}, {"en", "I am passing you to our refund team."}},
			},
		},
		rule("person", `message.asksForPerson || conversation.misses >= 2`),
		Rule{
			Name: "long-wait", When: `conversation.waited > duration("60s")`,
			Then: Actions{Say: []LocalisedText{{"zh", "抱歉让您久等。"}, {"en", "Sorry for the wait."}}},
		})
}

func TestEvaluate(t *testing.T) {
	high := int32(90)
	tests := []struct {
		name  string
		facts Facts
		want  Decision
	}{
		{
			"nothing", say("你好，请问几点发货？"), Decision{Reason: "no rule matched"},
		},
		{
			"refund in Chinese",
			Facts{Message: MessageFacts{Text: "我要退 款", Language: "zh-CN"}},
			Decision{
				Rules: []string{"refund"}, HandOff: &HandOff{"refunds"}, Say: []LocalisedText{{"zh", "正在为您转接退款专员。"}},
				Reason: "rule refund: hand off to queue refunds, say a message",
			},
		},
		{
			"angry refund in English, first match after continue ends it",
			Facts{
				Message:      MessageFacts{Text: "Scammers! Give me my MONEY  back", Language: "en", AsksForPerson: true},
				Conversation: ConversationFacts{Misses: 7},
			},
			Decision{
				Rules: []string{"angry", "refund"}, HandOff: &HandOff{"refunds"}, Priority: &high,
				Say:    []LocalisedText{{"en", "I am passing you to our refund team."}},
				Reason: "rule angry: priority 90; rule refund: hand off to queue refunds, say a message",
			},
		},
		{
			"a person, please",
			Facts{Message: MessageFacts{AsksForPerson: true}},
			Decision{Rules: []string{"person"}, HandOff: &HandOff{"people"}, Reason: "rule person: hand off to queue people"},
		},
		{
			"waiting, in a language there is no text for",
			Facts{Message: MessageFacts{Language: "fr"}, Conversation: ConversationFacts{Waited: 61 * time.Second}},
			Decision{
				Rules: []string{"long-wait"}, Say: []LocalisedText{{"zh", "抱歉让您久等。"}},
				Reason: "rule long-wait: say a message",
			},
		},
	}
	policy := shopPolicy(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := policy.Evaluate(test.facts)
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestEarlierRuleStands holds that what an earlier matching rule set is not overruled.
func TestEarlierRuleStands(t *testing.T) {
	low, high := int32(10), int32(80)
	policy := mustCompile(t,
		Rule{Name: "a", When: "true", Then: Actions{HandOff: &HandOff{"first"}, Priority: &low, Continue: true}},
		Rule{Name: "b", When: "true", Then: Actions{
			HandOff: &HandOff{"second"}, Priority: &high, Say: []LocalisedText{{"en", "one"}}, Continue: true,
		}},
		Rule{Name: "c", When: "true", Then: Actions{Priority: &high, Continue: true}},
		Rule{Name: "d", When: "true", Then: Actions{Say: []LocalisedText{{"en", "two"}}}})
	got, err := policy.Evaluate(Facts{})
	if err != nil {
		t.Fatal(err)
	}
	want := Decision{
		Rules: []string{"a", "b", "c", "d"}, HandOff: &HandOff{"first"}, Priority: &low,
		Say: []LocalisedText{{"en", "one"}, {"en", "two"}},
		Reason: "rule a: hand off to queue first, priority 10; rule b: say a message; " +
			"rule c: nothing that an earlier rule has not set; rule d: say a message",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDefaults(t *testing.T) {
	rules := []Rule{{Name: "r", When: "true", Then: Actions{
		HandOff: &HandOff{}, Say: []LocalisedText{{"de", "Hallo"}, {"zh", "您好"}, {"en", "Hello"}},
	}}}
	policy, problems := Compile(rules, Options{Language: "zh-CN"})
	if len(problems) > 0 {
		t.Fatal(lines(problems))
	}
	got, err := policy.Evaluate(Facts{Message: MessageFacts{Language: "fr"}})
	want := Decision{
		Rules: []string{"r"}, HandOff: &HandOff{}, Say: []LocalisedText{{"zh", "您好"}},
		Reason: "rule r: hand off to the default queue, say a message",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func TestLocalised(t *testing.T) {
	texts := []LocalisedText{{"en", "en"}, {"zh-Hans", "hans"}, {"zh-Hant", "hant"}, {"pt-BR", "br"}}
	for language, want := range map[string]string{
		"en": "en", "EN-us": "en", "zh-Hant-TW": "hant", "zh-Hans": "hans", "zh": "hans", "zh-CN": "hans", "pt": "br",
		"fr": "en", "": "en",
	} {
		if got := localised(texts, language).Text; got != want {
			t.Errorf("%q gives %q, want %q", language, got, want)
		}
	}
	if got := localised(texts, "fr", "pt").Text; got != "br" {
		t.Errorf("fr, else pt gives %q", got)
	}
}

// TestDecisionIsItsOwn holds that neither the rules given to Compile nor a decision are a way to
// change a compiled policy.
func TestDecisionIsItsOwn(t *testing.T) {
	priority := int32(5)
	rules := []Rule{{Name: "r", When: "true", Then: Actions{
		HandOff: &HandOff{"people"}, Priority: &priority, Say: []LocalisedText{{"en", "hello"}},
	}}}
	policy := mustCompile(t, rules...)
	rules[0].Then.HandOff.Queue, priority, rules[0].Then.Say[0].Text = "changed", 99, "changed"
	first, _ := policy.Evaluate(Facts{})
	first.HandOff.Queue, *first.Priority, first.Say[0].Text = "changed", 98, "changed"
	second, _ := policy.Evaluate(Facts{})
	if second.HandOff.Queue != "people" || *second.Priority != 5 || second.Say[0].Text != "hello" {
		t.Errorf("decision is %+v, %d, %v", *second.HandOff, *second.Priority, second.Say)
	}
}

func TestFailingRuleIsSkipped(t *testing.T) {
	policy := mustCompile(t,
		rule("divides", `10 / conversation.misses > 3`),
		rule("indexes", `["a", "b"][conversation.turns] == "a"`),
		rule("works", `conversation.turns > 2`))
	d, err := policy.Evaluate(Facts{Conversation: ConversationFacts{Turns: 3}})
	if !slices.Equal(d.Rules, []string{"works"}) {
		t.Errorf("matched %v, want works", d.Rules)
	}
	var failed *RuleError
	if !errors.As(err, &failed) || failed.Rule != "divides" {
		t.Errorf("error is %v, want a RuleError of divides", err)
	}
	want := "escalation rule \"divides\" skipped: division by zero\n" +
		"escalation rule \"indexes\" skipped: index out of bounds: 3"
	if err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	if d, err = policy.Evaluate(Facts{Conversation: ConversationFacts{Misses: 1}}); err != nil || d.Rules[0] != "divides" {
		t.Errorf("after the fault: %v, %v", d, err)
	}
}

// TestFirstMatch compares the order of rules with a model: rules up to and including the first
// match without continue.
func TestFirstMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		misses := rapid.IntRange(0, 5).Draw(t, "misses")
		var rules []Rule
		var want []string
		stopped := false
		for i := range rapid.IntRange(0, 12).Draw(t, "rules") {
			atLeast := rapid.IntRange(0, 6).Draw(t, "atLeast")
			r := rule(fmt.Sprintf("r%d", i), fmt.Sprintf("conversation.misses >= %d", atLeast))
			r.Then.Continue = rapid.Bool().Draw(t, "continue")
			rules = append(rules, r)
			if misses >= atLeast && !stopped {
				want = append(want, r.Name)
				stopped = !r.Then.Continue
			}
		}
		policy, problems := Compile(rules, Options{})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		d, err := policy.Evaluate(Facts{Conversation: ConversationFacts{Misses: misses}})
		if err != nil || !slices.Equal(d.Rules, want) {
			t.Fatalf("matched %v, %v, want %v", d.Rules, err, want)
		}
		if (d.HandOff != nil) != (len(want) > 0) {
			t.Fatalf("hand-off is %v with matches %v", d.HandOff, want)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	policy := shopPolicy(t)
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for i := range 200 {
				text, want := "请问几点发货", 0
				if (i+worker)%2 == 0 {
					text, want = strings.Repeat("！", i)+"ＲＥＦＵＮＤ please", 1
				}
				if d, err := policy.Evaluate(say(text)); err != nil || len(d.Rules) != want {
					t.Errorf("%q gives %v, %v", text, d, err)
				}
			}
		})
	}
	wait.Wait()
}

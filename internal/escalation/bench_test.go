package escalation

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// fiftyRules is a policy as a busy shop might have it: lists of words in two languages, names,
// waits, counts and a regular expression here and there.
func fiftyRules(tb testing.TB) *Policy {
	tb.Helper()
	conditions := []string{
		`message.text.matchesAny(["退款%d", "退货%d", "refund%d*", "money back %d"])`,
		`message.language == "zh" && message.text.matchesAny(["投诉%d", "举报%d", "12315-%d"])`,
		`conversation.misses >= 1%d && !message.asksForPerson`,
		`conversation.waited > duration("1%ds") && conversation.queue in ["refunds", "vip"]`,
		`conversation.channel == "web%d" && conversation.turns > 10`,
		`message.text.matchesAny(["complaint %d", "lawyer %d", "chargeback%d"]) || conversation.turns > 90`,
		`message.text.contains("账号被盗%d") || message.text.startsWith("hacked %d")`,
		`message.asksForPerson && conversation.queue == "bot%d"`,
		`message.text.matches("(?i)order *#?%d[0-9]+")`,
		`conversation.misses * 2 + %d > conversation.turns + 40`,
	}
	var rules []Rule
	for i := range 50 {
		rules = append(rules, Rule{
			Name: fmt.Sprintf("rule-%d", i),
			When: strings.ReplaceAll(conditions[i%len(conditions)], "%d", fmt.Sprint(i/len(conditions))),
			Then: Actions{HandOff: &HandOff{Queue: "people"}},
		})
	}
	policy, problems := Compile(rules, Options{})
	if problems != nil {
		tb.Fatal(problems)
	}
	return policy
}

func BenchmarkEvaluate(b *testing.B) {
	policy := fiftyRules(b)
	for name, text := range map[string]string{
		"chinese": "你好，我上周买的耳机右边没有声音，想问一下怎么换一副新的，谢谢",
		"english": "Hello, the headphones I bought last week have no sound on the right side, what can I do?",
	} {
		facts := Facts{
			Message:      MessageFacts{Text: text, Language: "zh"},
			Conversation: ConversationFacts{Misses: 1, Turns: 3, Waited: 5 * time.Second, Channel: "web", Queue: "bot"},
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d, err := policy.Evaluate(facts); err != nil || len(d.Rules) > 0 {
					b.Fatal(d, err)
				}
			}
		})
	}
}

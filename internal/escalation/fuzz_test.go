package escalation

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
)

// FuzzCompile feeds the compiler anything. What it refuses must come with a place inside the
// source and a remedy; what it accepts must run on any text without a panic and without costing
// more than was estimated, because without a loop the estimate is the only bound.
func FuzzCompile(f *testing.F) {
	for _, fn := range functions {
		f.Add(fn.Use, "我要退款 REFUND")
	}
	for _, seed := range []string{
		``, `true`, `message`, `message.txet`, `message{text: "a"}`, `{"a": message}`, `[[], {}]`, `((((`, `"`, `'''`, `"\q"`,
		`b"x" == b"x" && r'\d' == "x" && 5u > 4u`, `true ? 1 : 2`, `[1][9] == 1 || 1 / 0 == 1`, "true //\n&& false", "a\x00\xff",
		`message.text == “退款” and 退款`, `["a"].exists(w, ["b"].all(v, v == w && message.text.matches("(a|b){60}")))`,
		`["a"].exists_one(w, true)`, `has(message.text)`, `message.?text`, "`a`.b", `.message.text == ""`, `message.text.matches("(?i)a{200}[^\\x00-\\x{10FFFF}]")`,
		`-9223372036854775808 / -1 == 1 % 0`, `duration("2562047h") + duration("2562047h") > duration("1s")`, `null == null`, `int == int`,
		`[message.text][conversation.turns].matches("a+")`, `(true ? message.text : message.language).matchesAny(["a*"])`,
		`message.text.matches("(((((((((((((((((((((((((a)))))))))))))))))))))))))")`, `@facts == 1`, `__result__`, `x.y.z()`, `a.b.c.d.e`,
	} {
		f.Add(seed, "aab b\u200bc 退款")
	}
	env, err := environment()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, when, text string) {
		policy, problems := Compile([]Rule{rule("fuzz", when)}, Options{})
		if (policy == nil) != (len(problems) > 0) || len(problems) > maxProblemsPerRule {
			t.Fatalf("policy %v with %d problems", policy, len(problems))
		}
		for _, p := range problems {
			checkProblem(t, when, p)
		}
		if policy == nil {
			return
		}
		for _, text := range []string{text, strings.Repeat(text+" ", MaxTextLength/(len(text)+1))} {
			facts := Facts{
				Message:      MessageFacts{Text: text, Language: "zh", AsksForPerson: len(text)%2 == 0},
				Conversation: ConversationFacts{Turns: len(text), Waited: time.Second, Channel: "web", Queue: "bot"},
			}
			_, _ = policy.Evaluate(facts) // an overflow or a division by zero is an error, a panic is not
			facts.Message.Text = cutText(text, MaxTextLength)
			if actual := actualCost(t, env, when, facts); actual > policy.rules[0].cost {
				t.Fatalf("%q costs %d, estimated %d", when, actual, policy.rules[0].cost)
			}
		}
	})
}

func checkProblem(t *testing.T, when string, p Problem) {
	t.Helper()
	if p.Message == "" || p.Remedy == "" || p.Rule != "fuzz" || p.Field == "" || !utf8.ValidString(p.String()) {
		t.Fatalf("%q: incomplete problem %+v", when, p)
	}
	if p.Line == 0 && p.Column == 0 {
		return
	}
	source := strings.Split(when, "\n")
	if p.Line < 1 || p.Line > len(source) || p.Column < 1 || p.Column > utf8.RuneCountInString(source[p.Line-1])+1 {
		t.Fatalf("%q: problem outside the source: %+v", when, p)
	}
}

// actualCost runs a condition with its cost counted.
func actualCost(tb testing.TB, env *cel.Env, when string, f Facts) uint64 {
	tb.Helper()
	checked, issues := env.Compile(when)
	if issues.Err() != nil {
		tb.Fatal(issues.Err())
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize, cel.OptTrackCost), cel.CustomDecoratorV2(planWords))
	if err != nil {
		tb.Fatal(err)
	}
	a := newActivation()
	a.facts = f
	_, details, _ := program.Eval(a)
	return *details.ActualCost()
}

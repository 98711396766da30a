package escalation

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"cel.dev/cel-go/interpreter"
)

// TestCompileRefusesBombs holds that an expression made to be costly does not become a policy.
func TestCompileRefusesBombs(t *testing.T) {
	words := `"` + strings.Repeat(`a","`, 200) + `b"`
	tests := []struct{ name, when, want string }{
		{"huge literal", `message.text == "` + strings.Repeat("x", MaxWhenLength) + `"`, "1042 characters, 1024 are allowed"},
		{"huge literal in Chinese", `message.text == "` + strings.Repeat("退", MaxWhenLength) + `"`, "1042 characters, 1024 are allowed"},
		{"nested brackets", strings.Repeat("(", 25) + "true" + strings.Repeat(")", 25), "nested more than 24 deep"},
		{"nested conditions", strings.Repeat("true ? true : ", 70) + "true", "nested too deeply"},
		{"long sum", strings.Repeat("1+", 400) + "1 > 0", "nested too deeply"},
		{"large repetition", `message.text.matches("a{500}")`, "takes 502 steps, 256 are allowed"},
		{"nested repetition", `message.text.matches("((a{9}){9}){9}")`, "steps, 256 are allowed"},
		{"repetition RE2 refuses", `message.text.matches("(a{999}){999}")`, "invalid repeat count"},
		{"long regular expression", `message.text.matches("` + strings.Repeat("a?", 150) + `")`, "300 bytes, 256 are allowed"},
		{"many regular expressions", strings.Repeat(`message.text.matches("(a|b){60}")||`, 25) + "true", "could take"},
		{"the same, called as functions", strings.Repeat(`matches(message.text,"(a|b){60}")||`, 25) + "true", "could take"},
		{"nested loops", `[1,2].exists(a, [1,2].exists(b, [1,2].exists(c, a == b && b == c)))`, "nested more than 2 deep"},
		{
			"loop over words with passes over the text",
			`[` + words + `].exists(x, [` + words[:99] + `].exists(y, message.text.contains(x) && message.text.contains(y)))`,
			"could take",
		},
		{"loop over matchesAny with many words", `["a","b"].exists(x, x == "c" || message.text.matchesAny([` + words + `]))`, "could take"},
		{"list in a list", `[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]] == [[1]]`, "nested more than 24 deep"},
		{"not UTF-8", "message.text == \"\xff\"", "not UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			policy, problems := Compile([]Rule{rule("bomb", test.when)}, Options{})
			if policy != nil || len(problems) != 1 || !strings.Contains(problems[0].Message, test.want) {
				t.Errorf("want one problem with %q, got\n%s", test.want, lines(problems))
			}
		})
	}
}

func TestCompileRefusesTooMuch(t *testing.T) {
	many := make([]Rule, MaxRules+1)
	for i := range many {
		many[i] = rule(fmt.Sprintf("r%d", i), "true")
	}
	if _, problems := Compile(many[:MaxRules], Options{}); len(problems) > 0 {
		t.Errorf("%d rules: %s", MaxRules, lines(problems))
	}
	want := "rules: there are 101 rules, 100 are allowed; merge rules that do the same\n"
	if _, problems := Compile(many, Options{}); lines(problems) != want {
		t.Errorf("got %s want %s", lines(problems), want)
	}

	for i := range many {
		many[i].When = `message.text.matches("(a|b){40}")`
	}
	_, problems := Compile(many[:MaxRules], Options{})
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "all rules together could take") {
		t.Errorf("dear rules: %s", lines(problems))
	}
	if _, problems := Compile(many[:3], Options{}); len(problems) > 0 {
		t.Errorf("three dear rules: %s", lines(problems))
	}

	broken := rule("broken", strings.Repeat("a || ", 100)+"a")
	if _, problems := Compile([]Rule{broken}, Options{}); len(problems) != maxProblemsPerRule {
		t.Errorf("%d problems of one rule, want %d", len(problems), maxProblemsPerRule)
	}

	texts := make([]LocalisedText, MaxSayTexts+1)
	silent := Rule{Name: "r", When: "true", Then: Actions{Say: texts}}
	if _, problems := Compile([]Rule{silent}, Options{}); len(problems) != 1 || problems[0].Field != "then.say" {
		t.Errorf("too many texts: %s", lines(problems))
	}
	silent.Then.Say = []LocalisedText{{"en", strings.Repeat("x", MaxSayLength+1)}}
	if _, problems := Compile([]Rule{silent}, Options{}); len(problems) != 1 || problems[0].Field != "then.say[0].text" {
		t.Errorf("too long a text: %s", lines(problems))
	}
}

// TestCostLimitAtRunTime lets the estimate pass, to see that the limit while a rule runs holds by
// itself and costs nobody but that rule.
func TestCostLimitAtRunTime(t *testing.T) {
	env, err := environment()
	if err != nil {
		t.Fatal(err)
	}
	bomb := rule("bomb", `["a", "b", "c"].exists(w, message.text.contains(w) && conversation.turns > 100)`)
	compiled, problems := compileRule(env, nil, 0, &bomb, math.MaxUint64, 200)
	if len(problems) > 0 {
		t.Fatal(lines(problems))
	}
	policy := mustCompile(t, rule("bomb", "false"), rule("after", "true"))
	policy.rules[0] = compiled

	d, err := policy.Evaluate(say(strings.Repeat("abc", 4000)))
	if len(d.Rules) != 1 || d.Rules[0] != "after" {
		t.Errorf("matched %v, want after", d.Rules)
	}
	var failed *RuleError
	var cancelled interpreter.EvalCancelledError
	if !errors.As(err, &failed) || failed.Rule != "bomb" || !errors.As(err, &cancelled) ||
		cancelled.Cause != interpreter.CostLimitExceeded {
		t.Errorf("error is %v, want a RuleError of bomb for its cost", err)
	}
	if d, err = policy.Evaluate(say("x")); err != nil || len(d.Rules) != 1 {
		t.Errorf("a short message: %v, %v", d, err)
	}
}

func TestLongText(t *testing.T) {
	policy := mustCompile(t, rule("refund", `message.text.matchesAny(["refund"])`))
	tests := []struct {
		text    string
		matches int
		tooLong bool
	}{
		{strings.Repeat("x ", (MaxTextLength-6)/2) + "refund", 1, false},
		{strings.Repeat("退", MaxTextLength-6) + "refund", 1, false},
		{"refund " + strings.Repeat("退", MaxTextLength), 1, true},
		{strings.Repeat("退", MaxTextLength) + "refund", 0, true},
	}
	for _, test := range tests {
		d, err := policy.Evaluate(say(test.text))
		if len(d.Rules) != test.matches || errors.Is(err, ErrTextTooLong) != test.tooLong || (err != nil) != test.tooLong {
			t.Errorf("a text of %d bytes: %v, %v", len(test.text), d.Rules, err)
		}
	}
}

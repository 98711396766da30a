package escalation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rule makes a rule that hands off to people when the condition holds.
func rule(name, when string) Rule {
	return Rule{Name: name, When: when, Then: Actions{HandOff: &HandOff{Queue: "people"}}}
}

func mustCompile(tb testing.TB, rules ...Rule) *Policy {
	tb.Helper()
	policy, problems := Compile(rules, Options{})
	if len(problems) > 0 {
		tb.Fatalf("unexpected problems:\n%s", lines(problems))
	}
	return policy
}

func lines(problems []Problem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&b, p)
	}
	return b.String()
}

func TestCompileGood(t *testing.T) {
	for _, when := range []string{
		`true`,
		`message.asksForPerson`,
		`message.text.matchesAny(["退款", "refund"])`,
		`matchesAny(message.text, ["退款", "refund"])`,
		`conversation.misses >= 2 || conversation.waited > duration("1m30s")`,
		"message.language == \"zh\" &&\n  // 中文客户\n  conversation.queue != 'bot'",
		`["web", "app"].exists(c, conversation.channel == c)`,
		`["a", "b"].all(w, message.text.contains(w))`,
		`["a", "b"].exists(w, w.matches("a+"))`,
		`message.text.matches(r"\d{4}-\d{2}")`,
		`message.text.matches("(?i)order *[0-9]+") && matches(message.text, "[a-z]")`,
		`size(message.text) > 200 && message.text.size() < 400`,
		`conversation.channel in ["web", "app"]`,
		`(conversation.misses + 1) * 2 - conversation.turns / 2 % 3 > -1`,
		`conversation.waited + duration("1s") > duration("30s")`,
		`(message.language == "zh" ? conversation.misses : conversation.turns) > 2`,
		`message.text == "“退款”，（好）= and or not"`,
		`message.text.contains('''it's "so"''')`,
		strings.Repeat("message.asksForPerson || ", 40) + "true",
	} {
		if _, problems := Compile([]Rule{rule("good", when)}, Options{}); len(problems) > 0 {
			t.Errorf("%s\n%s", when, lines(problems))
		}
	}
}

// TestCompileBad holds the exact place and words of each mistake: they are what the author of a
// policy sees in a condition.
func TestCompileBad(t *testing.T) {
	tests := []struct{ name, when, want string }{
		{"misspelt fact", `message.txet == "a"`, `1:9 there is no fact message.txet; did you mean message.text?`},
		{"misspelt group", `mesage.text == "a"`, `1:1 there is no fact mesage.text; did you mean message.text?`},
		{"fact without group", `waited > duration("3s")`, `1:1 there is no fact waited; did you mean conversation.waited?`},
		{"wrong case", `Message.Text == "a"`, `1:1 there is no fact Message.Text; did you mean message.text?`},
		{"swapped letters", `conversation.trusn > 1`, `1:14 there is no fact conversation.trusn; did you mean conversation.turns?`},
		{"True", `True`, `1:1 there is no fact True; write true`},
		{
			"text without quotes", `conversation.queue == refunds`,
			`1:23 there is no fact refunds; the facts are ` + strings.Join(factNames(), ", ") + `; text stands in quotes: "refunds"`,
		},
		{"field of a text", `message.language.text == ""`, `1:18 there is no fact message.language.text; did you mean message.text?`},
		{"after Chinese text", `message.text == "退款" && message.txet == "a"`, `1:33 there is no fact message.txet; did you mean message.text?`},
		{"after an emoji", `message.text == "😡" && message.txet == "a"`, `1:32 there is no fact message.txet; did you mean message.text?`},
		{"second line", "true &&\n  message.txet == \"a\"", `2:11 there is no fact message.txet; did you mean message.text?`},
		{
			"misspelt function", `message.text.matchAny(["a"])`,
			`1:14 there is no function matchAny; did you mean matchesAny? For example message.text.matchesAny(["退款", "refund*"])`,
		},
		{
			"function of CEL that is left out", `["a"].map(x, x) == ["a"]`,
			`1:7 there is no function map; the functions are matchesAny, contains, startsWith, endsWith, matches, size, duration, double, exists, all`,
		},
		{
			"group as value", `message == message`,
			`1:1 message is a group of facts and has no value itself; write one of its facts: message.text, message.language, message.asksForPerson` + "\n" +
				`1:12 message is a group of facts and has no value itself; write one of its facts: message.text, message.language, message.asksForPerson`,
		},
		{
			"text and number", `message.text == 5`,
			`1:14 == does not work with text and a whole number; numbers, true and false stand without quotes, text stands in quotes`,
		},
		{
			"duration and number", `conversation.waited > 30`,
			`1:21 > does not work with a duration and a whole number; write a length of time as duration("30s")`,
		},
		{
			"whole and decimal number", `conversation.misses >= 2.5`,
			`1:21 >= does not work with a whole number and a decimal number; write the number without decimals, or double(…) around the whole number`,
		},
		{
			"text put together", `message.text + "x" == "y"`,
			`1:14 + does not work with text and text; text cannot be put together in a rule; use matchesAny or contains`,
		},
		{
			"in a text", `"refund" in message.text`,
			`1:10 in does not work with text and text; write a list of the same kind, as in conversation.channel in ["web", "app"]; to look into a text use contains`,
		},
		{"text as condition", `message.text`, `1:1 a condition must give true or false, this gives text; compare it with something`},
		{"number as condition", `1 + 1`, `1:1 a condition must give true or false, this gives a whole number; compare it with something`},
		{"text and condition", `message.text && true`, `1:1 true or false is needed here, this is text; compare it with something, or remove it`},
		{"not of a text", `!message.text`, `1:1 ! needs true or false, this is text; compare the value with something first`},
		{"mixed list", `conversation.turns in [1, "a"]`, `1:27 a whole number is needed here, this is text; write entries of the same kind`},
		{"loop over a text", `message.text.exists(c, c == "x")`, `1:1 exists and all need a list, this is text; put a list before it: ["x", "y"].exists(w, …)`},
		{
			"words without list", `message.text.matchesAny("a")`,
			`1:14 matchesAny cannot be used with text and text; write it like message.text.matchesAny(["退款", "refund*"])`,
		},
		{
			"list of numbers", `message.text.matchesAny([1])`,
			`1:14 matchesAny cannot be used with text and a list of whole numbers; write it like message.text.matchesAny(["退款", "refund*"])`,
		},
		{"computed words", `message.text.matchesAny([message.language])`, `1:26 the words of matchesAny must be written in the rule; write the word in quotes`},
		{
			"bad words", `message.text.matchesAny(["", "a*b", "ok", " "])`,
			"1:26 the word \"\" is empty, so it would be found in every message; mend or remove it\n" +
				"1:30 the word \"a*b\" has a * that is not at its end; mend or remove it\n" +
				"1:43 the word \" \" is empty, so it would be found in every message; mend or remove it",
		},
		{"empty list", `message.text.matchesAny([])`, `1:25 the list is empty; write at least one entry`},
		{"bad duration", `conversation.waited > duration("30 s")`, `1:32 "30 s" is no duration; write for example duration("30s"), duration("5m") or duration("1h30m")`},
		{
			"bad regular expression", `message.text.matches("(a")`,
			"1:22 the regular expression \"(a\" cannot be read: missing closing ): `(a`; mend it (the syntax is RE2), or use matchesAny with a list of words",
		},
		{
			"regular expression from a customer", `message.text.matches(message.text)`,
			`1:22 the regular expression of matches must be written in the rule; write it there in quotes`,
		},
		{"backslash", `message.text.matches("\d+")`, `1:22 the text here has a backslash that means nothing; write \\ for a backslash, or r"…" around a regular expression`},
		{"map", `{"a": 1}`, "1:1 { cannot be used in a rule; use facts, text, numbers and lists only\n1:8 } cannot be used in a rule; use facts, text, numbers and lists only"},
		{"empty", "", `1:1 the condition is empty; write a condition, or true for a rule that always applies`},
		{"only a comment", "  // later", `1:1 the condition is empty; write a condition, or true for a rule that always applies`},
		{"breaks off", `message.text ==`, `1:14 the condition breaks off after "=="; complete it`},
		{"breaks off after a dot", `message.`, `1:8 the condition breaks off after "."; complete it`},
		{"two dots", `message..text`, `1:9 "." was not expected here; look for a missing operator (&&, ||), comma or quote before it`},
		{"entries without name", `["a"].exists(w)`, `1:7 exists is not used like this; write it like ["A1", "B2"].exists(code, message.text.contains(code))`},
		{"missing argument", `message.text.contains()`, `1:14 contains cannot be used with text; write it like message.text.contains("NO-REPLY")`},
		{"entry of a text", `message.text[0] == "a"`, `1:13 [ ] takes an entry of a list by its number, this is text and a whole number; use contains or matchesAny to look into a text`},
		{"computed duration", `duration(message.text) > conversation.waited`, `1:10 a duration must be written in the rule; write for example duration("30s"), duration("5m") or duration("1h30m")`},
		{
			"mixed outcomes", `(true ? 1 : "a") == 1`,
			`1:7 ? : needs true or false before the ? and the same kind on both sides of the :, this is true or false, a whole number and text; give both the same kind`,
		},
		{"missing comma", `message.language in ["a" "b"]`, `1:26 "\"b\"" was not expected here; look for a missing operator (&&, ||), comma or quote before it`},
		{"reserved word", `if == 3`, `1:1 "if" is a reserved word and names no fact; put text in quotes`},
		{"large number", `conversation.turns > 99999999999999999999`, `1:22 the number is too large; write a smaller one`},
		{"no name for entries", `["a"].exists(1, true)`, `1:14 a name for the list's entries is needed here; write it like ["A1", "B2"].exists(code, message.text.contains(code))`},
		{"group's name for entries", `["a"].exists(message, true)`, `1:13 message is a group of facts and cannot name a list's entry; choose another name`},
		{"and, or, not", `message.asksForPerson AND not true or false`, "1:23 \"AND\" is no word of this language; write &&\n1:27 \"not\" is no word of this language; write !\n1:36 \"or\" is no word of this language; write ||"},
		{"single operators", `true = true & true | true <> true`, "1:6 \"=\" is no operator of this language; write ==\n1:13 \"&\" is no operator of this language; write &&\n1:20 \"|\" is no operator of this language; write ||\n1:27 \"<>\" is no operator of this language; write !="},
		{"curly quotes", `message.text == “退款”`, `1:17 "“" is no quote of this language; write the straight quote "`},
		{"full-width brackets", `message.text.contains（"退款"）`, "1:22 the character \"（\" means nothing outside quotes; write (\n1:27 the character \"）\" means nothing outside quotes; write )"},
		{"≥", `conversation.misses ≥ 2`, `1:21 the character "≥" means nothing outside quotes; write >=`},
		{"Chinese outside quotes", `message.text.contains(退款)`, `1:23 "退款" stands outside quotes; put text in quotes: "退款"`},
		{"no-break space", "message.text\u00a0== \"a\"", `1:13 there is an invisible character here (U+00A0); replace it by a plain space`},
		{"open quote", `message.text == "abc`, `1:17 the text that begins here is not closed; close it with "`},
		{"open quote before a line's end", "message.text == \"abc\n\"", `1:17 the text that begins here is not closed; close it with " on the same line`},
		{"open bracket", "true || (true ||\n(true)", `1:9 the ( here is never closed; close it with )`},
		{"extra bracket", `true)`, `1:5 there is no open bracket that ) could close; remove it`},
		{"wrong bracket", `(true]`, `1:6 ] cannot close the ( of line 1, column 1; write )`},
		{
			"several mistakes", "message.txet == \"a\" ||\nconversation.misses > \"2\" ||\nfoo()",
			"1:9 there is no fact message.txet; did you mean message.text?\n" +
				"2:21 > does not work with a whole number and text; numbers, true and false stand without quotes, text stands in quotes\n" +
				"3:1 there is no function foo; the functions are matchesAny, contains, startsWith, endsWith, matches, size, duration, double, exists, all",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			policy, problems := Compile([]Rule{rule("bad", test.when)}, Options{})
			if policy != nil {
				t.Error("a policy came with problems")
			}
			var got []string
			for _, p := range problems {
				if p.Rule != "bad" || p.Index != 0 || p.Field != "when" {
					t.Errorf("problem of rule %q field %q", p.Rule, p.Field)
				}
				got = append(got, fmt.Sprintf("%d:%d %s; %s", p.Line, p.Column, p.Message, p.Remedy))
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestCompileReportsAllRules(t *testing.T) {
	priority := int32(101)
	rules := []Rule{
		rule("first", `message.txet == ""`),
		rule("good", `true`),
		rule("good", `true`),
		rule("Not A Name", `conversation.waited > 5`),
		{Name: "idle", When: `true`, Then: Actions{Continue: true}},
		{Name: "actions", When: `true`, Then: Actions{
			HandOff:  &HandOff{Queue: "No Queue"},
			Priority: &priority,
			Say:      []LocalisedText{{"zh", "您好"}, {"ZH", "您好"}, {"chinese!", ""}},
		}},
	}
	_, problems := Compile(rules, Options{})
	want := `rule "first", when, line 1, column 9: there is no fact message.txet; did you mean message.text?
rule "good", name: an earlier rule has the same name; choose another one
rule "rules[3]", name: "Not A Name" is no name of a rule; use small letters, digits and -, at most 63, beginning and ending with a letter or digit
rule "rules[3]", when, line 1, column 21: > does not work with a duration and a whole number; write a length of time as duration("30s")
rule "idle", then: the rule does nothing; set handOff, priority or say
rule "actions", then.handOff.queue: "No Queue" is no name of a queue; write the name of one of the desk's queues, or none for its default queue; use small letters, digits and -, at most 63, beginning and ending with a letter or digit
rule "actions", then.priority: 101 is out of range; choose 0 (lowest) to 100
rule "actions", then.say[1].language: "ZH" is no language tag; write a BCP 47 tag such as zh, en or zh-Hant
rule "actions", then.say[1].language: "ZH" is there twice; keep one text a language
rule "actions", then.say[2].language: "chinese!" is no language tag; write a BCP 47 tag such as zh, en or zh-Hant
rule "actions", then.say[2].text: the text is empty; write what is said, or remove the language
`
	if diff := cmp.Diff(want, lines(problems)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestQueues(t *testing.T) {
	policy := mustCompile(t,
		Rule{Name: "a", When: "true", Then: Actions{HandOff: &HandOff{"refunds"}}},
		Rule{Name: "b", When: "true", Then: Actions{HandOff: &HandOff{"complaints"}}},
		Rule{Name: "c", When: "true", Then: Actions{Say: []LocalisedText{{"en", "hello"}}}},
		Rule{Name: "d", When: "true", Then: Actions{HandOff: &HandOff{"refunds"}}},
		Rule{Name: "e", When: "true", Then: Actions{HandOff: &HandOff{}}})
	want := []QueueReference{{"complaints", []string{"b"}}, {"refunds", []string{"a", "d"}}}
	if diff := cmp.Diff(want, policy.Queues()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestTables holds that what the documentation shows is what the compiler accepts.
func TestTables(t *testing.T) {
	for _, f := range FunctionTable() {
		if _, problems := Compile([]Rule{rule("use", f.Use)}, Options{}); len(problems) > 0 {
			t.Errorf("%s: %s\n%s", f.Name, f.Use, lines(problems))
		}
		if f.Doc == "" {
			t.Errorf("%s has no documentation", f.Name)
		}
	}
	comparisons := map[string]string{
		"string": `%s == "x"`, "bool": `%s`, "int": `%s > 1`, "duration": `%s > duration("1s")`,
	}
	var names []string
	for _, f := range FactTable() {
		when := fmt.Sprintf(comparisons[f.Type], f.Name)
		if _, problems := Compile([]Rule{rule("use", when)}, Options{}); len(problems) > 0 {
			t.Errorf("%s: %s\n%s", f.Name, when, lines(problems))
		}
		if f.Doc == "" {
			t.Errorf("%s has no documentation", f.Name)
		}
		names = append(names, f.Name)
	}
	want := []string{
		"message.text", "message.language", "message.asksForPerson", "conversation.misses",
		"conversation.turns", "conversation.waited", "conversation.channel", "conversation.queue",
	}
	if !slices.Equal(names, want) {
		t.Errorf("facts are %v, want %v: a fact that is renamed or removed breaks the policies in use", names, want)
	}
}

// TestWire holds the names under which rules travel to the desks: desks of neighbouring releases
// read them.
func TestWire(t *testing.T) {
	const wire = `{"name":"refund","when":"true","then":{"handOff":{"queue":"refunds"},"priority":0,` +
		`"say":[{"language":"zh","text":"您好"}],"continue":true}}`
	priority := int32(0)
	want := Rule{Name: "refund", When: "true", Then: Actions{
		HandOff: &HandOff{Queue: "refunds"}, Priority: &priority, Say: []LocalisedText{{"zh", "您好"}}, Continue: true,
	}}
	got, err := json.Marshal(want)
	if err != nil || string(got) != wire {
		t.Errorf("%s, %v, want %s", got, err, wire)
	}
	var read Rule
	if err := json.Unmarshal([]byte(wire), &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

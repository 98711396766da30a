package knowledge

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

func TestParseEntries(t *testing.T) {
	yamlText := "# faq\n- id: refund\n  questions:\n    - Where is my refund?\n    - \" 退款到哪里了 \"\n  answer: |\n    Three days.\n\n    Really.\n  language: en\n  labels: [refunds, 退款]\n- {id: \"2\", questions: [\"No?\"], answer: \"no\"}\n"
	jsonText := `[{"id":"refund","questions":["Where is my refund?","退款到哪里了"],"answer":"Three days.\n\nReally.","language":"en","labels":["refunds","退款"]},
 {"id":"2","questions":["No?"],"answer":"no"}]`
	want := []Entry{
		{ID: "refund", Questions: []string{"Where is my refund?", "退款到哪里了"}, Answer: "Three days.\n\nReally.", Language: "en", Labels: []string{"refunds", "退款"}, Origin: "faq:2"},
		{ID: "2", Questions: []string{"No?"}, Answer: "no", Origin: "faq:12"},
	}
	got, err := ParseEntries("faq", []byte(yamlText))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got, err = ParseEntries("faq", []byte(jsonText))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Entry{}, "Origin")); diff != "" {
		t.Errorf("JSON: %s", diff)
	}
}

func TestParseNothing(t *testing.T) {
	for _, data := range []string{"", "\n", "# only a comment\n", "null", "[]", "---\n"} {
		if got, err := ParseEntries("f", []byte(data)); err != nil || len(got) != 0 {
			t.Errorf("%q: %v, %v", data, got, err)
		}
	}
}

func TestParseEntriesRefuses(t *testing.T) {
	const good = "- id: a\n  questions: [q]\n  answer: x\n"
	list := func(n int, item string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	for name, tc := range map[string]struct {
		data string
		line int
		want []string
	}{
		"syntax":               {"- id: a\n  questions: [q\n", 1, []string{"neither YAML nor JSON", "correct the syntax"}},
		"not a list":           {"id: a\n", 1, []string{"a mapping", "write a list"}},
		"a scalar":             {"hello\n", 1, []string{"a string", "write a list"}},
		"entry is a string":    {good + "- hello\n", 4, []string{"must be a mapping", "a string"}},
		"unknown field":        {"- id: a\n  questions: [q]\n  answer: x\n  anser: y\n", 4, []string{`entry "a"`, `"anser" is unknown`, "id, questions, answer"}},
		"merge key":            {"- &x {id: a, questions: [q], answer: x}\n- <<: *x\n  id: b\n", 2, []string{`"<<" is unknown`}},
		"alias":                {"- id: &i a\n  questions: [q]\n  answer: *i\n", 3, []string{"answer is an alias (*i)", "write a string"}},
		"repeated field":       {"- id: a\n  questions: [q]\n  answer: x\n  answer: y\n", 4, []string{`"answer"`, "line 3", "keep one"}},
		"repeated id":          {good + "- id: a\n  questions: [p]\n  answer: y\n", 4, []string{"f.yaml:1", "rename or remove"}},
		"number as id":         {"- id: 12\n  questions: [q]\n  answer: x\n", 1, []string{"id is the number 12", "quotes"}},
		"boolean as question":  {"- id: a\n  questions:\n  - q\n  - true\n  answer: x\n", 4, []string{"questions[1] is the boolean true", "quotes"}},
		"no answer":            {"- id: a\n  questions: [q]\n", 1, []string{"answer is empty"}},
		"empty answer":         {"- id: a\n  questions: [q]\n  answer:\n", 3, []string{"answer is empty", "write a string"}},
		"questions a string":   {"- id: a\n  questions: q\n  answer: x\n", 2, []string{"questions is a string", "write a list"}},
		"no questions":         {"- id: a\n  answer: x\n", 1, []string{"questions has 0 items", "1 to 50"}},
		"too many questions":   {"- id: a\n  answer: x\n  questions: " + list(51, "q"), 3, []string{"51 items", "1 to 50"}},
		"blank question":       {"- id: a\n  answer: x\n  questions:\n  - q\n  - '  '\n", 5, []string{"questions[1] is empty"}},
		"question of marks":    {"- id: a\n  answer: x\n  questions: ['???']\n", 3, []string{`questions[0] "???"`, "never found", "write words"}},
		"long question":        {"- id: a\n  answer: x\n  questions: [" + strings.Repeat("问", 501) + "]\n", 3, []string{"501 characters", "at most 500", "…"}},
		"long answer":          {"- id: a\n  questions: [q]\n  answer: " + strings.Repeat("答", 8001) + "\n", 3, []string{"8001 characters", "at most 8000"}},
		"id in capitals":       {"- id: Refund\n  questions: [q]\n  answer: x\n", 1, []string{`id "Refund"`, "a-z"}},
		"id too long":          {"- id: " + strings.Repeat("a", 64) + "\n  questions: [q]\n  answer: x\n", 1, []string{"1 to 63"}},
		"language with _":      {"- id: a\n  questions: [q]\n  answer: x\n  language: en_US\n", 4, []string{`language "en_US"`, `"zh-Hant"`}},
		"too many labels":      {"- id: a\n  questions: [q]\n  answer: x\n  labels: " + list(17, "l"), 4, []string{"labels has 17 items", "at most 16"}},
		"long label":           {"- id: a\n  questions: [q]\n  answer: x\n  labels:\n  - ok\n  - " + strings.Repeat("l", 64), 6, []string{"labels[1]", "at most 63"}},
		"control character":    {"- id: a\n  questions: [q]\n  answer: \"x\\x07\"\n", 3, []string{"U+0007", "remove it"}},
		"second document":      {good + "---\n" + good, 4, []string{"second document"}},
		"every error is shown": {"- id: A\n  questions: [q]\n  answer: x\n- id: b\n  questions: []\n  answer: x\n", 1, []string{"f.yaml:1", `id "A"`, "f.yaml:5", "questions has 0 items"}},
	} {
		t.Run(name, func(t *testing.T) {
			entries, err := ParseEntries("f.yaml", []byte(tc.data))
			if err == nil || entries != nil {
				t.Fatalf("accepted as %v", entries)
			}
			var pe *ParseError
			if !errors.As(err, &pe) || pe.Line != tc.line || pe.File != "f.yaml" {
				t.Errorf("line %+v, want %d", pe, tc.line)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestParseBoundsAreInclusive(t *testing.T) {
	e := Entry{
		ID:        "a" + strings.Repeat("-", 62),
		Questions: make([]string, MaxQuestions),
		Answer:    strings.Repeat("答", MaxAnswerLength),
		Language:  "zh-Hant-TW",
		Labels:    make([]string, MaxLabels),
	}
	for i := range e.Questions {
		e.Questions[i] = strings.Repeat("问", MaxQuestionLength)
	}
	for i := range e.Labels {
		e.Labels[i] = strings.Repeat("签", MaxLabelLength)
	}
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
}

func TestParseReportsABoundedNumber(t *testing.T) {
	_, err := ParseEntries("f", []byte(strings.Repeat("- id: A\n", 1000)))
	if n := strings.Count(err.Error(), "\n"); n > maxReported+4 {
		t.Errorf("%d lines of errors", n)
	}
	if !strings.Contains(err.Error(), "more errors") {
		t.Errorf("%q does not say that there are more", err)
	}
}

// TestParseRoundTrip writes what is valid as YAML and reads it back.
func TestParseRoundTrip(t *testing.T) {
	text := rapid.StringMatching(`[a-z退货][a-z退货 :#\-'"{}\[\]&*!|>%@\n]{0,30}[a-z退货]`)
	entry := rapid.Custom(func(t *rapid.T) Entry {
		return Entry{
			Questions: rapid.SliceOfN(text, 1, 4).Draw(t, "questions"),
			Answer:    text.Draw(t, "answer"),
			Language:  rapid.SampledFrom([]string{"", "no", "zh-Hans"}).Draw(t, "language"),
			Labels:    rapid.SliceOfN(text, 0, 2).Draw(t, "labels"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(entry, 1, 4).Draw(t, "entries")
		for i := range want {
			want[i].ID = fmt.Sprint("e", i)
		}
		data, err := yaml.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseEntries("f", data)
		if err != nil {
			t.Fatalf("%s\n%s", err, data)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Entry{}, "Origin"), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s\n%s", diff, data)
		}
	})
}

func TestMerge(t *testing.T) {
	parse := func(file, ids string) []Entry {
		t.Helper()
		var b strings.Builder
		for id := range strings.SplitSeq(ids, ",") {
			fmt.Fprintf(&b, "- {id: %s, questions: [q], answer: x}\n", id)
		}
		entries, err := ParseEntries(file, []byte(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		return entries
	}
	merged, err := Merge(parse("one.yaml", "a,b"), nil, parse("two.yaml", "c"))
	if err != nil || len(merged) != 3 {
		t.Fatalf("%v, %v", merged, err)
	}
	_, err = Merge(parse("one.yaml", "a,b,c"), parse("two.yaml", "d,c,a"), []Entry{{ID: "d"}})
	if err == nil {
		t.Fatal("duplicates are accepted")
	}
	for _, want := range []string{
		`id "c" stands at one.yaml:3 and again at two.yaml:2: rename`,
		`id "a" stands at one.yaml:1 and again at two.yaml:3`,
		`id "d" stands at two.yaml:1 and again at an unnamed source`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestRevision(t *testing.T) {
	a := Entry{ID: "a", Questions: []string{"q", "r"}, Answer: "x", Language: "en", Labels: []string{"l"}, Origin: "one:1"}
	b := Entry{ID: "b", Questions: []string{"q"}, Answer: "y"}
	base := Revision([]Entry{a, b})
	moved := a
	moved.Origin = "two:7"
	if got := Revision([]Entry{b, moved}); got != base {
		t.Errorf("order or origin changes the revision: %s, %s", base, got)
	}
	if len(base) != 32 {
		t.Errorf("revision %q", base)
	}
	seen := map[string]string{base: "base"}
	for name, change := range map[string]func(e *Entry){
		"id":        func(e *Entry) { e.ID = "c" },
		"answer":    func(e *Entry) { e.Answer = "z" },
		"language":  func(e *Entry) { e.Language = "zh" },
		"label":     func(e *Entry) { e.Labels = nil },
		"questions": func(e *Entry) { e.Questions = []string{"qr"} },
		"moved":     func(e *Entry) { e.Questions, e.Labels = []string{"q"}, []string{"r", "l"} },
	} {
		changed := a
		change(&changed)
		r := Revision([]Entry{changed, b})
		if other, ok := seen[r]; ok {
			t.Errorf("%s and %s have the same revision", name, other)
		}
		seen[r] = name
	}
}

func FuzzParseEntries(f *testing.F) {
	shop, err := os.ReadFile("testdata/shop.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(shop[:2000])
	for _, seed := range []string{"", "- id: a\n  questions: [q]\n  answer: x\n", `[{"id":"a","questions":["q"],"answer":"x","labels":null}]`, "- &a [*a]", "- {id: !!binary aGk=}", "? [a]\n: b", "- id: \"\\0\"", "---\n...\n---\n", "\ufeff- id"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := ParseEntries("f", data)
		if err != nil {
			var pe *ParseError
			if !errors.As(err, &pe) || pe.Line < 1 || entries != nil {
				t.Fatalf("%v with %d entries", err, len(entries))
			}
			return
		}
		for i := range entries {
			if err := entries[i].Validate(); err != nil {
				t.Fatalf("accepted an invalid entry: %v", err)
			}
		}
		if len(entries) > 50 {
			return
		}
		if _, err := Compile(entries, Options{}); err != nil {
			t.Fatalf("what parses does not compile: %v", err)
		}
	})
}

package script_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deskfleet/deskfleet/internal/chatclient/script"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

var same = cmp.Options{
	cmp.Comparer(func(a, b *regexp.Regexp) bool {
		if a == nil || b == nil {
			return a == b
		}
		return a.String() == b.String()
	}),
}

func TestParse(t *testing.T) {
	got, err := script.Parse("shop.chat", []byte("\ufeff## A refund.\r\n"+`
我要退款
# expect: (?i)order|订单
# expect-from: bot
#within:2m
  I want a person
# wait: handed-off
# wait : agent
# expect-from: agent
# expect: Hello
# expect: How
# expect-from: agent

# expect: can
# wait: agent
# expect: I
\# not a directive
\\ a backslash
# close
`))
	if err != nil {
		t.Fatal(err)
	}
	re := regexp.MustCompile
	want := []script.Step{
		{Line: 3, Do: script.Say, Text: "我要退款"},
		{Line: 4, Do: script.Expect, Match: re("(?i)order|订单"), From: conversation.KindBot},
		{Line: 7, Do: script.Say, Text: "I want a person"},
		{Line: 8, Do: script.Wait, For: script.HandedOff},
		{Line: 9, Do: script.Wait, For: script.Agent},
		{Line: 10, Do: script.Expect, Match: re("Hello"), From: conversation.KindAgent},
		{Line: 12, Do: script.Expect, Match: re("How"), From: conversation.KindAgent},
		{Line: 15, Do: script.Expect, Match: re("can")},
		{Line: 16, Do: script.Wait, For: script.Agent},
		{Line: 17, Do: script.Expect, Match: re("I")},
		{Line: 18, Do: script.Say, Text: "# not a directive"},
		{Line: 19, Do: script.Say, Text: `\ a backslash`},
		{Line: 20, Do: script.Close},
	}
	for i := range want {
		want[i].Within = 2 * time.Minute
		if want[i].Line < 7 {
			want[i].Within = script.DefaultWithin
		}
	}
	if diff := cmp.Diff(want, got.Steps, same); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if where := got.Where(got.Steps[0]); where != "shop.chat:3" {
		t.Errorf("the first step is at %s", where)
	}
}

func TestErrors(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", "x: nothing is said"},
		{"## only a comment", "x: nothing is said"},
		{"hi\n# expects: a", `x:2: directive "expects": use expect`},
		{"hi\n# a heading", `x:2: directive "a heading"`},
		{"hi\n#", `x:2: directive ""`},
		{"# expect:", "x:1: expect is empty"},
		{"# expect", "x:1: expect is empty"},
		{"# expect: (", `x:1: expect "(": error parsing regexp`},
		{"# expect-from: customer", `x:1: expect-from "customer": use bot or agent`},
		{"# expect-from: Bot", `use bot or agent`},
		{"# wait: opened", `x:1: wait "opened": use handed-off, agent or closed`},
		{"# within: 30", `x:1: within "30": use a duration`},
		{"# within: 0s", "more than 0"},
		{"# within: -1s", "more than 0"},
		{"# within: 2h", "at most 1h"},
		{"# close: now", "write close alone"},
		{"\\", "x:1: nothing is said"},
		{"\\  ", "x:1: nothing is said"},
		{"a\xffb", "x:1: it is not UTF-8"},
		{strings.Repeat("x", conversation.MaxTextBytes+1), "x:1: the message has 32001 bytes"},
		{strings.Repeat("x\n", script.MaxBytes), "x: it has 2097152 bytes"},
		{"# a\nhi\n# b", "x:3: directive"},
	} {
		_, err := script.Parse("x", []byte(tc.text))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.40q gives %v, want %q", tc.text, err, tc.want)
		}
	}
	_, err := script.Parse("x", []byte(strings.Repeat("# bad\n", 100)))
	if n := strings.Count(err.Error(), "\n") + 1; n != 20 {
		t.Errorf("%d errors are told", n)
	}
}

// FuzzParse: what is accepted is within bounds, and reads the same when it was written out.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"hi", "hi\n# expect: a\n# expect-from: bot\n# close", "# within: 1h\n\\#x\n\\ x", "# expect: a\n# expect-from: agent\n# expect: b",
		"# wait: closed\n## x\n\n#close", "#expect: [\n", "\ufeff\ufeffx\r\n", "# expect-from: bot\n# expect-from: bot\n# expect: \\s",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := script.Parse("fuzz", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "fuzz:") {
				t.Fatalf("the error does not name its place: %v", err)
			}
			return
		}
		for _, step := range s.Steps {
			if step.Within <= 0 || step.Within > script.MaxWithin || step.Line < 1 || len(step.Text) > conversation.MaxTextBytes {
				t.Fatalf("step is %+v", step)
			}
		}
		text := s.String()
		if len(text) > script.MaxBytes {
			return
		}
		again, err := script.Parse("fuzz", []byte(text))
		if err != nil {
			t.Fatalf("%q was written out as %q: %v", data, text, err)
		}
		if diff := cmp.Diff(s.Steps, again.Steps, same, cmpopts.IgnoreFields(script.Step{}, "Line")); diff != "" {
			t.Fatalf("%q was written out as %q, which differs:\n%s", data, text, diff)
		}
	})
}

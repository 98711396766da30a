package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/deskfleet/deskfleet/internal/chatclient/chattest"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// TestAgent: a customer's script and an automatic agent meet at a desk, both from the command line.
func TestAgent(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("desk", func(t *testing.T) {
		d := chattest.New(t)
		gateway, _ := d.Gateway("gw-0")
		console, _ := d.Console("console-0")
		d.Router("router-0")
		d.Bot(func(*conversation.Message) chattest.Answer { return chattest.Answer{HandOff: "never sure"} })
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(chattest.TokenOf("chen")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("AGENT_TOKEN", chattest.TokenOf("wu"))
		for _, agent := range []struct {
			name, stdin string
			args        []string
		}{
			{"chen", "", []string{"--auto", "--token-file", file}},
			{"wu", "", []string{"--auto-close", "--token-env", "AGENT_TOKEN"}},
			{"chen", chattest.TokenOf("chen"), []string{"--auto-close", "--token-file", "-"}},
		} {
			var out, errs bytes.Buffer
			args := append([]string{"agent", console, "--for", "1"}, agent.args...)
			done := make(chan int, 1)
			go func() { done <- Run(t.Context(), args, strings.NewReader(agent.stdin), &out, &errs) }()
			script := "a refund\n# wait: agent\n# expect: this is " + agent.name + "\n"
			if agent.args[0] == "--auto" {
				script += "thanks\n# expect: welcome\n"
			}
			status, said, problems := command(t, script+"# wait: closed", "chat", gateway, "--script", "-")
			if status != 0 {
				t.Errorf("the customer ends with %d\n%s%s", status, said, problems)
			}
			if status := eventually.Receive(t, "the agent leaves", done); status != 0 {
				t.Errorf("the agent ends with %d\n%s%s", status, &out, &errs)
			}
			for _, want := range []string{"handed off: never sure", "[1] customer: a refund\n-- [1] end of the transcript"} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is not printed:\n%s", want, &out)
				}
			}
			if strings.Contains(out.String()+errs.String(), "token-of") {
				t.Errorf("the token is printed:\n%s%s", &out, &errs)
			}
		}
	})
}

func TestAgentUsage(t *testing.T) {
	dir := t.TempDir()
	empty, garbled := filepath.Join(dir, "empty"), filepath.Join(dir, "garbled")
	for file, content := range map[string]string{empty: " \n", garbled: "geheim\ngeheim"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("NO_TOKEN", "")
	for _, tc := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--auto"}, 2, "0 arguments"},
		{[]string{"a"}, 2, "give either --token-file or --token-env"},
		{[]string{"a", "--token-file", empty, "--token-env", "X"}, 2, "give either"},
		{[]string{"a", "--token", "x"}, 2, "unknown flag: --token"},
		{[]string{"a", "--token-file", "-"}, 2, "--token-file is -"},
		{[]string{"a", "--token-env", "X", "--for", "-1"}, 2, "--for is -1"},
		{[]string{"a", "--token-env", "X", "--idle", "0s"}, 2, "--idle is 0s"},
		{[]string{"a", "--token-env", "X", "--give-up-after", "-1s"}, 2, "--give-up-after is -1s"},
		{[]string{"a", "--token-env", "NO_TOKEN"}, 1, "the variable NO_TOKEN is empty"},
		{[]string{"a", "--token-file", filepath.Join(dir, "missing")}, 1, "--token-file: open"},
		{[]string{"a", "--token-file", empty}, 1, "is empty: write"},
		{[]string{"a", "--token-file", garbled}, 1, "give it alone"},
		{[]string{"ftp://a", "--auto", "--token-file", "-"}, 1, `URL "ftp://a"`},
		{[]string{"127.0.0.1:1", "--auto", "--token-file", "-", "--give-up-after", "1ms"}, 1, "the desk is out of reach"},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			status, _, errs := command(t, "some-token", append([]string{"agent"}, tc.args...)...)
			if status != tc.status || !strings.Contains(errs, tc.want) || strings.Contains(errs, "geheim") {
				t.Errorf("status %d: %s; want %d: %s", status, errs, tc.status, tc.want)
			}
		})
	}
}

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
)

// command runs a command line and returns its exit status and what it printed.
func command(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = Run(t.Context(), args, strings.NewReader(stdin), &out, &errs)
	return status, out.String(), errs.String()
}

func TestChat(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("desk", func(t *testing.T) {
		d := chattest.New(t)
		url, _ := d.Gateway("gw-0")
		d.Router("router-0")
		d.Bot(func(m *conversation.Message) chattest.Answer {
			return chattest.Answer{Text: m.From.Name + " said " + m.Text}
		})
		file := filepath.Join(t.TempDir(), "dialogue")
		if err := os.WriteFile(file, []byte("你好\n# expect: ^李 said 你好$\n# expect-from: bot\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		host := strings.TrimPrefix(url, "http://")
		status, out, errs := command(t, "", "chat", host, "--script", file, "--contact", "李", "--language", "zh")
		if status != 0 || !strings.Contains(out, "customer 李: 你好\n") || !strings.Contains(out, "bot Ada: 李 said 你好\n") {
			t.Errorf("status %d\n%s%s", status, out, errs)
		}
		status, out, errs = command(t, "hi\n# expect: bye", "chat", url, "--script", "-")
		if status != 1 || !strings.Contains(errs, `Error: stdin:2: want a message that matches "bye", got " said hi" from bot Ada`) {
			t.Errorf("status %d\n%s%s", status, out, errs)
		}
		status, out, errs = command(t, "hi\nho\n", "chat", url)
		if status != 0 || !strings.Contains(out, "customer: hi\n") || !strings.Contains(out, "Lantern Shop") {
			t.Errorf("status %d\n%s%s", status, out, errs)
		}
	})
}

func TestChatUsage(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, tc := range []struct {
		args   []string
		stdin  string
		status int
		want   string
	}{
		{[]string{"chat"}, "", 2, "0 arguments: give the URL of one desk"},
		{[]string{"chat", "a", "b"}, "", 2, "2 arguments"},
		{[]string{"chat", "a", "--colour"}, "", 2, "unknown flag: --colour"},
		{[]string{"chat", "a", "--give-up-after", "-1s"}, "", 2, "--give-up-after is -1s"},
		{[]string{"chat", "ftp://a"}, "", 1, `URL "ftp://a": use http`},
		{[]string{"chat", "a", "--language", "no tag"}, "", 1, `language "no tag"`},
		{[]string{"chat", "a", "--script", missing}, "", 1, "--script: open " + missing},
		{[]string{"chat", "a", "--script", "-"}, "# nod\n\n# wait: long", 1, "stdin:1: directive \"nod\""},
		{[]string{"chat", "a", "--script", "-"}, "# nod\n\n# wait: long", 1, "stdin:3: wait \"long\""},
		{[]string{"chat", "127.0.0.1:1", "--give-up-after", "1ms"}, "", 1, "the desk is out of reach for 1ms"},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			status, _, errs := command(t, tc.stdin, tc.args...)
			if status != tc.status || !strings.Contains(errs, tc.want) {
				t.Errorf("status %d: %s; want %d: %s", status, errs, tc.status, tc.want)
			}
		})
	}
}

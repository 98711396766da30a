package chatclient

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// device is a terminal's wire: what is typed comes in pieces, what is shown is collected.
type device struct {
	io.Reader
	mu    sync.Mutex
	shown strings.Builder
}

func (d *device) Write(data []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shown.Write(data)
}

// show returns what was shown since the last call.
func (d *device) show() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.shown.Reset()
	return d.shown.String()
}

// TestTerminal: what comes while a line is typed stands above it, the line goes on behind it, and is read whole.
func TestTerminal(t *testing.T) {
	typed, keyboard := io.Pipe()
	d := &device{Reader: typed}
	term := newTerminal(d, "you: ")
	type read struct {
		line string
		err  error
	}
	lines := make(chan read, 1)
	next := func() {
		go func() {
			line, err := term.ReadLine()
			lines <- read{line, err}
		}()
	}
	press := func(keys string) {
		t.Helper()
		if _, err := io.WriteString(keyboard, keys); err != nil {
			t.Fatal(err)
		}
	}
	next()
	press("我要")
	var shown string
	eventually.True(t, "what is typed is echoed", func() bool {
		shown += d.show()
		return strings.Contains(shown, "you: ") && strings.Contains(shown, "要")
	})
	if _, err := io.WriteString(term, "bot Ada: 你好\n"); err != nil {
		t.Fatal(err)
	}
	shown = d.show()
	_, above, cleared := strings.Cut(shown, clearLine)
	if !cleared || above != "bot Ada: 你好\r\nyou: 我要" {
		t.Errorf("a message while typing shows %q", shown)
	}
	press("退款\x7f款\r")
	if got := eventually.Receive(t, "the line", lines); got.err != nil || got.line != "我要退款" {
		t.Errorf("read %q, %v", got.line, got.err)
	}
	next()
	press("\x03")
	if got := eventually.Receive(t, "the end", lines); !errors.Is(got.err, io.EOF) {
		t.Errorf("Ctrl-C gives %q, %v", got.line, got.err)
	}
}

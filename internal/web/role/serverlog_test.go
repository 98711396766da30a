package role

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestServerLog(t *testing.T) {
	var lines bytes.Buffer
	l := slog.NewLogLogger(serverLog{slog.NewTextHandler(&lines, nil)}, slog.LevelDebug)
	l.Print("http: TLS handshake error from 10.0.0.1:5: EOF")
	if lines.Len() > 0 {
		t.Errorf("a client's nonsense is logged: %s", &lines)
	}
	l.Print("http: panic serving 10.0.0.1:5: index out of range")
	if got := lines.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "index out of range") {
		t.Errorf("a panic is logged as %q", got)
	}
}

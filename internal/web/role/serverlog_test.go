package role

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestServerLog(t *testing.T) {
	var lines bytes.Buffer
	l := serverLog{slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for text, level := range map[string]string{
		"http: TLS handshake error from 10.0.0.1:5: EOF\n":   "DEBUG",
		"http: panic serving 10.0.0.1:5: index out of range": "ERROR",
	} {
		lines.Reset()
		if n, err := l.Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("%q: %d, %v", text, n, err)
		}
		if got := lines.String(); !strings.Contains(got, "level="+level) || !strings.Contains(got, strings.TrimSpace(text)) {
			t.Errorf("%q is logged as %s", text, got)
		}
	}
}

package protocol

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/deskfleet/deskfleet/internal/bus"
)

// archive answers every request with the same bytes and keeps what it was asked.
type archive struct {
	bus.Messenger
	answer  string
	err     error
	subject string
	asked   string
}

func (a *archive) Request(_ context.Context, subject string, data []byte) ([]byte, error) {
	a.subject, a.asked = subject, string(data)
	return []byte(a.answer), a.err
}

func TestClient(t *testing.T) {
	subjects, err := bus.NewSubjects("shop", "web")
	if err != nil {
		t.Fatal(err)
	}
	a := &archive{}
	c := Client{Bus: a, Subjects: subjects}
	requests := map[string]func() error{
		"transcript": func() error { _, err := c.Transcript(t.Context(), TranscriptRequest{Conversation: "x"}); return err },
		"search":     func() error { _, err := c.Search(t.Context(), SearchRequest{Text: "x"}); return err },
		"audit":      func() error { _, err := c.Audit(t.Context(), AuditRequest{Who: "x"}); return err },
		"status":     func() error { _, err := c.Status(t.Context()); return err },
	}
	for service, request := range requests {
		a.answer, a.err = `{"v":9,"ok":true,"later":"ignored","status":{"lag":2}}`, nil
		if err := request(); err != nil {
			t.Errorf("%s: %v", service, err)
		}
		if a.subject != "rq.shop.web.archive."+service || !strings.Contains(a.asked, `"v":1`) {
			t.Errorf("%s asks %s for %s", service, a.subject, a.asked)
		}
		a.answer = `{"v":1,"ok":false,"error":{"code":"notFound","what":"it","why":"gone","remedy":"look elsewhere"}}`
		refused, ok := errors.AsType[*Error](request())
		if !ok || refused.Code != CodeNotFound || refused.Remedy != "look elsewhere" {
			t.Errorf("%s refused: %v", service, refused)
		}
		for _, answer := range []string{"", "[]", `{"v":1}`, `{"ok":false}`} {
			a.answer = answer
			if err := request(); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s answered with %q: %v", service, answer, err)
			}
		}
		a.err = bus.ErrNoResponders
		if err := request(); !errors.Is(err, bus.ErrNoResponders) {
			t.Errorf("%s without an archive: %v", service, err)
		}
	}
}

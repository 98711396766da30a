package problem

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
)

func TestFrom(t *testing.T) {
	field := (&conversation.Message{From: conversation.Actor{Kind: "x"}}).Validate()
	for _, tc := range []struct {
		name   string
		err    error
		status int
		code   string
		retry  bool
	}{
		{"problem", fmt.Errorf("wrapped: %w", New(418, CodeRate, "", "")), 418, CodeRate, false},
		{"field", fmt.Errorf("post: %w", field), 400, CodeInvalid, false},
		{"bus away", fmt.Errorf("append: %w", bus.ErrUnavailable), 503, CodeUnavailable, true},
		{"nobody answers", fmt.Errorf("ask: %w", bus.ErrNoResponders), 503, CodeUnavailable, true},
		{"full", fmt.Errorf("append: %w", bus.ErrFull), 503, CodeUnavailable, true},
		{"too large", fmt.Errorf("append: %w", bus.ErrTooLarge), 413, CodeTooLarge, false},
		{"router: not found", &protocol.Error{Code: protocol.CodeNotFound, What: "w", Why: "y", Remedy: "r"}, 404, CodeNotFound, false},
		{"router: not owner", &protocol.Error{Code: protocol.CodeNotOwner, Remedy: "r"}, 409, CodeNotOwner, false},
		{"router: state", &protocol.Error{Code: protocol.CodeState, Remedy: "r"}, 409, CodeConflict, false},
		{"router: unknown pool", &protocol.Error{Code: protocol.CodeUnknownPool, Remedy: "r"}, 403, CodeForbidden, false},
		{"router: busy", &protocol.Error{Code: protocol.CodeUnavailable, Remedy: "r"}, 503, CodeUnavailable, true},
		{"unknown", errors.New("password is hunter2"), 500, CodeInternal, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := From(tc.err)
			if p.Status != tc.status || p.Code() != tc.code || (p.RetryAfterSeconds > 0) != tc.retry || p.Title == "" {
				t.Errorf("problem is %+v", p)
			}
			if strings.Contains(p.Error(), "hunter2") {
				t.Error("an inner error is told to the client")
			}
			if tc.name != "problem" && p.Remedy == "" {
				t.Error("no remedy")
			}
		})
	}
}

func TestLevel(t *testing.T) {
	left, leave := context.WithCancel(t.Context())
	leave()
	unknown := errors.New("unknown")
	for _, tc := range []struct {
		name string
		ctx  context.Context
		err  error
		want slog.Level
	}{
		{"refused", t.Context(), New(404, CodeNotFound, "", ""), slog.LevelDebug},
		{"bus away", t.Context(), bus.ErrUnavailable, slog.LevelInfo},
		{"log full", t.Context(), bus.ErrFull, slog.LevelInfo},
		{"unknown", t.Context(), unknown, slog.LevelWarn},
		{"the client has left", left, unknown, slog.LevelDebug},
	} {
		if got := Level(tc.ctx, tc.err); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestWrite(t *testing.T) {
	w := httptest.NewRecorder()
	Write(w, Field(429, CodeRate, "text", strings.Repeat("字", 500), "d", "r").RetryAfter(1500*time.Millisecond))
	if w.Code != 429 || w.Header().Get("Retry-After") != "2" || w.Header().Get("Content-Type") != ContentType {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	body := w.Body.String()
	if n := strings.Count(body, "字"); n != maxValueRunes {
		t.Errorf("the value has %d characters", n)
	}
	for _, want := range []string{`"type":"urn:deskfleet:problem:rate"`, `"field":"text"`, `"remedy":"r"`, `"retryAfterSeconds":2`} {
		if !strings.Contains(body, want) {
			t.Errorf("%s lacks %s", body, want)
		}
	}
}

func TestEveryCodeHasATitle(t *testing.T) {
	for code, title := range titles {
		if p := New(400, code, "", ""); p.Title != title || title == "" || p.Code() != code {
			t.Errorf("code %s gives %+v", code, p)
		}
	}
}

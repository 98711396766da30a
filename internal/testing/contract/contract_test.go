package contract

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// failures takes what would fail a test.
type failures struct {
	testing.TB
	said []string
}

func (f *failures) Helper() {}

func (f *failures) Errorf(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}

// TestHandlerFinds: what is not described does fail a test.
func TestHandlerFinds(t *testing.T) {
	const me, conversations = "/console/v1/me", "/v1/conversations"
	for _, tc := range []struct {
		name, method, path, request string
		status                      int
		answer                      string
		// want is a part of the failure; empty for none.
		want string
	}{
		{"as described", "GET", me, "", 200, `{"name":"chen","role":"agent"}`, ""},
		{"undocumented field", "GET", me, "", 200, `{"name":"chen","role":"agent","age":30}`, "age"},
		{"missing field", "GET", me, "", 200, `{"name":"chen"}`, "role"},
		{"wrong value", "GET", me, "", 200, `{"name":"chen","role":"boss"}`, "role"},
		{"undocumented status", "GET", me, "", 202, `{}`, "202"},
		{"undocumented path", "GET", "/console/v1/nothing", "", 200, `{}`, "does not have it"},
		{"no such path", "GET", "/console/v1/nothing", "", 404, ``, ""},
		{"undocumented field of a request", "POST", conversations, `{"vip":true}`, 503, `{"type":"urn:deskfleet:problem:x","title":"t","status":503}`, ""},
		{"the same, accepted", "POST", conversations, `{"vip":true}`, 200, `{"conversation":"01JD0000000000000000000000","contact":{},"token":"x"}`, "vip"},
		{"no problem", "GET", me, "", 401, `{"error":"no"}`, "error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := &failures{TB: t}
			c := Load(t)
			c.t = f
			server := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if tc.status >= 400 {
					w.Header().Set("Content-Type", problem.ContentType)
				}
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.answer)
			}))
			r := httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, strings.NewReader(tc.request))
			if tc.request != "" {
				r.Header.Set("Content-Type", "application/json")
			}
			server.ServeHTTP(httptest.NewRecorder(), r)
			said := strings.Join(f.said, "\n")
			if tc.want == "" && said != "" || !strings.Contains(said, tc.want) {
				t.Errorf("it says %q, want %q", said, tc.want)
			}
		})
	}
}

// TestFrameFinds: what is not described does fail a test.
func TestFrameFinds(t *testing.T) {
	for frame, want := range map[string]string{
		`{"type":"ping"}`:          "",
		`{"type":"ping","load":1}`: "load",
		`{"type":"dance"}`:         "dance",
		`{"type":"goodbye","reason":"restart","retryAfterMillis":-1}`: "retryAfterMillis",
		`x`: "frame x",
	} {
		f := &failures{TB: t}
		c := Load(t)
		c.t = f
		c.Frame("ChatServerFrame", []byte(frame))
		said := strings.Join(f.said, "\n")
		if want == "" && said != "" || !strings.Contains(said, want) {
			t.Errorf("of %s it says %q, want %q", frame, said, want)
		}
	}
}

package page

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestServe(t *testing.T) {
	long := strings.Repeat("body { color: red }\n", 200)
	files, err := Load(fstest.MapFS{
		"static/a.css":     {Data: []byte(long)},
		"static/b.js":      {Data: []byte("1")},
		"static/sub/c.svg": {Data: []byte("<svg/>")},
		"private":          {Data: []byte("x")},
	}, "static")
	if err != nil {
		t.Fatal(err)
	}
	get := func(name string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		files.Serve(w, r, name)
		return w
	}
	plain := get("a.css")
	if plain.Code != 200 || plain.Body.String() != long || plain.Header().Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("%d %v", plain.Code, plain.Header())
	}
	zipped := get("a.css", "Accept-Encoding", "br, gzip")
	z, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	if content, err := io.ReadAll(z); err != nil || string(content) != long || zipped.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("zipped: %v", err)
	}
	if w := get("a.css", "If-None-Match", plain.Header().Get("ETag")); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("a known tag gives %d", w.Code)
	}
	if w := get("sub/c.svg"); w.Header().Get("Content-Type") != "image/svg+xml" {
		t.Errorf("type is %s", w.Header().Get("Content-Type"))
	}
	for _, name := range []string{"", "../private", "private", "static/a.css", "a.cs", "sub"} {
		if w := get(name); w.Code != http.StatusNotFound {
			t.Errorf("%q gives %d", name, w.Code)
		}
	}
	if w := get("icon.svg"); w.Code != 200 {
		t.Error("the shared icon is missing")
	}
	if files.Size("b.js") != 1 || files.Size("x") != 0 {
		t.Error("sizes are wrong")
	}
}

func TestAncestors(t *testing.T) {
	got := Ancestors([]string{
		"https://shop.example", "https://*.shop.example", "https://shop-*.example.com", "shop.example:8443",
		"*", "https://*", "https://a; script-src *", "https://'self'",
	})
	want := []string{"'self'", "https://shop.example", "https://*.shop.example", "https://*.example.com", "shop.example:8443"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	h := http.Header{}
	Secure(h, nil)
	if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.HasSuffix(csp, "frame-ancestors 'none'") {
		t.Errorf("policy is %s", csp)
	}
}

func TestAllowed(t *testing.T) {
	for _, tc := range []struct {
		origin, host string
		allowed      []string
		want         bool
	}{
		{"https://desk.example", "desk.example", nil, true},
		{"https://DESK.example", "desk.example", nil, true},
		{"https://desk.example:444", "desk.example", nil, false},
		{"https://shop.example", "desk.example", []string{"https://shop.example"}, true},
		{"http://shop.example", "desk.example", []string{"https://shop.example"}, false},
		{"http://shop.example", "desk.example", []string{"shop.example"}, true},
		{"https://a.shop.example", "desk.example", []string{"https://*.shop.example"}, true},
		{"https://shop.example.evil", "desk.example", []string{"https://shop.example"}, false},
		{"https://x", "desk.example", []string{"["}, false},
		{"null", "desk.example", []string{"*"}, false},
		{"", "", nil, false},
	} {
		if got := Allowed(tc.origin, tc.host, tc.allowed); got != tc.want {
			t.Errorf("Allowed(%q, %q, %q) = %t", tc.origin, tc.host, tc.allowed, got)
		}
	}
}

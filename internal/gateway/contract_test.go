package gateway

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/testing/contract"
)

// TestRoutesAreDocumented: what is served is described, and what is described is served.
func TestRoutesAreDocumented(t *testing.T) {
	var served []string
	for pattern := range maps.Keys((&Gateway{}).handlers(nil)) {
		served = append(served, strings.ReplaceAll(pattern, "{$}", ""))
	}
	slices.Sort(served)
	described := contract.Load(t).Operations(func(path string) bool { return !strings.HasPrefix(path, "/console") })
	if diff := cmp.Diff(described, served); diff != "" {
		t.Errorf("docs/api/openapi.yaml (-) and the routes (+):\n%s", diff)
	}
}

func TestOpenAPIIsServed(t *testing.T) {
	d := start(t)
	defer http.DefaultClient.CloseIdleConnections()
	resp, err := http.Get(d.http.URL + "/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.HasPrefix(string(data), "openapi: 3.1.") {
		t.Errorf("%d %.20q %v", resp.StatusCode, data, err)
	}
}

// TestClientFramesAreDocumented: frames that the description allows are taken.
func TestClientFramesAreDocumented(t *testing.T) {
	const id = "01JD0000000000000000000000"
	c := contract.Load(t)
	for _, frame := range []string{
		`{"type":"hello","v":1,"token":"x","contact":{"name":"Li"},"language":"zh","conversation":"` + id + `","resumeAfter":7,"start":true}`,
		`{"type":"message","clientId":"m1","text":"hi","language":"en","conversation":"` + id + `"}`,
		`{"type":"typing","on":true}`,
		`{"type":"callBack"}`,
		`{"type":"callBack","until":"2026-11-21T09:00:00Z"}`,
		`{"type":"rate","conversation":"` + id + `","score":5,"comment":"quick"}`,
		`{"type":"close"}`,
	} {
		c.Frame("ChatClientFrame", []byte(frame))
		if _, err := chatwire.DecodeClient([]byte(frame)); err != nil {
			t.Errorf("%s: %v", frame, err)
		}
	}
}

package console

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/testing/contract"
)

// TestRoutesAreDocumented: what is served is described, and what is described is served.
func TestRoutesAreDocumented(t *testing.T) {
	var served []string
	for pattern := range (&Console{}).handlers(nil) {
		served = append(served, strings.ReplaceAll(pattern, "{$}", ""))
	}
	slices.Sort(served)
	described := contract.Load(t).Operations(func(path string) bool { return strings.HasPrefix(path, Path) })
	if diff := cmp.Diff(described, served); diff != "" {
		t.Errorf("docs/api/openapi.yaml (-) and the routes (+):\n%s", diff)
	}
}

// TestClientFramesAreDocumented: frames that the description allows are taken.
func TestClientFramesAreDocumented(t *testing.T) {
	const id = "01JD0000000000000000000000"
	c := contract.Load(t)
	for _, frame := range []string{
		`{"type":"signIn","v":1,"token":"x","presence":"away","resume":{"` + id + `":7}}`,
		`{"type":"presence","id":"7","presence":"available"}`,
		`{"type":"accept","id":"8","conversation":"` + id + `"}`,
		`{"type":"decline","conversation":"` + id + `"}`,
		`{"type":"message","conversation":"` + id + `","clientId":"a","text":"hi","note":true}`,
		`{"type":"typing","conversation":"` + id + `","on":true}`,
		`{"type":"handOff","conversation":"` + id + `","queue":"refunds","reason":"why","summary":"so"}`,
		`{"type":"handOff","conversation":"` + id + `","agent":"wu","reason":"why"}`,
		`{"type":"postpone","id":"9","conversation":"` + id + `","until":"2026-11-21T09:00:00Z","callBack":true}`,
		`{"type":"tag","conversation":"` + id + `","tags":["refund","退款"]}`,
		`{"type":"merge","conversation":"` + id + `","into":"01JD0000000000000000000001"}`,
		`{"type":"watch","conversation":"` + id + `","on":true}`,
		`{"type":"takeOver","conversation":"` + id + `"}`,
		`{"type":"close","conversation":"` + id + `","disposition":"solved","comment":"done"}`,
	} {
		c.Frame("AgentClientFrame", []byte(frame))
		if _, err := agentwire.DecodeClient([]byte(frame)); err != nil {
			t.Errorf("%s: %v", frame, err)
		}
	}
}

package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/deskfleet/deskfleet/internal/version"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLoggerWritesOneJSONLine(t *testing.T) {
	var out bytes.Buffer
	var level slog.LevelVar
	log := ForRole(NewLogger(&out, &level, "pod", "router-0"), "router")
	log.Debug("hidden")
	log.Info("decided", "conversation", "c1")
	level.Set(slog.LevelDebug)
	log.Debug("shown")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("lines are %q", lines)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "time")
	want := map[string]any{"level": "INFO", "msg": "decided", "role": "router", "pod": "router-0", "conversation": "c1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRegistriesAreIndependent(t *testing.T) {
	for _, role := range []string{"router", "gateway"} {
		problems, err := testutil.GatherAndLint(NewRegistry(role), "deskfleet_build_info")
		if err != nil || len(problems) != 0 {
			t.Errorf("%s: %v, %v", role, problems, err)
		}
		if n, err := testutil.GatherAndCount(NewRegistry(role), "deskfleet_build_info", "go_goroutines", "process_start_time_seconds"); n != 3 || err != nil {
			t.Errorf("%s: %d of 3 metrics, %v", role, n, err)
		}
	}
}

func get(t *testing.T, h http.Handler, method, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Code, w.Body.String()
}

func testHandler(health *Health, pprof bool) http.Handler {
	return Handler(Options{Health: health, Registry: prometheus.NewRegistry(), Pprof: pprof})
}

func TestReadyz(t *testing.T) {
	revision := "r1"
	health := NewHealth(func() string { return revision })
	h := testHandler(health, false)
	ready := func() (int, Readiness) {
		code, body := get(t, h, http.MethodGet, "/readyz")
		var r Readiness
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		return code, r
	}
	var broken error
	health.Require("bus", func(context.Context) error { return broken })
	health.Report("configuration", func(context.Context) error { return errors.New("desk.json is not good") })
	want := Readiness{Ready: true, Revision: "r1", Version: version.Version(), Checks: map[string]CheckState{
		"bus":           {OK: true, Required: true},
		"configuration": {Error: "desk.json is not good"},
	}}
	if code, got := ready(); code != http.StatusOK || cmp.Diff(want, got) != "" {
		t.Errorf("status %d, %s", code, cmp.Diff(want, got))
	}
	broken, revision = errors.New("not connected"), "r2"
	want.Ready, want.Revision, want.Checks["bus"] = false, "r2", CheckState{Error: "not connected", Required: true}
	if code, got := ready(); code != http.StatusServiceUnavailable || cmp.Diff(want, got) != "" {
		t.Errorf("status %d, %s", code, cmp.Diff(want, got))
	}
	if code, _ := get(t, h, http.MethodGet, "/healthz"); code != http.StatusOK {
		t.Errorf("a role without a bus is not alive: %d", code)
	}
	broken = nil
	health.Drain()
	if code, got := ready(); code != http.StatusServiceUnavailable || got.Ready || !got.Draining {
		t.Errorf("draining: status %d, %+v", code, got)
	}
}

// A check that hangs makes the role not ready; it does not make the probe hang.
func TestHangingCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		health := NewHealth(nil)
		health.Require("stuck", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		health.Require("good", func(context.Context) error { return nil })
		r := health.Readiness(t.Context())
		if r.Ready || r.Checks["stuck"].OK || !r.Checks["good"].OK {
			t.Errorf("got %+v", r)
		}
	})
}

func TestOnlyWhatIsMeantIsServed(t *testing.T) {
	health := NewHealth(nil)
	for _, c := range []struct {
		pprof        bool
		method, path string
		want         int
	}{
		{false, "GET", "/metrics", 200},
		{false, "GET", "/healthz", 200},
		{false, "POST", "/metrics", 405},
		{false, "GET", "/", 404},
		{false, "GET", "/debug/pprof/", 404},
		{false, "GET", "/debug/pprof/heap", 404},
		{true, "GET", "/debug/pprof/", 200},
		{true, "GET", "/debug/pprof/heap", 200},
		{true, "GET", "/debug/pprof/cmdline", 200},
	} {
		if got, _ := get(t, testHandler(health, c.pprof), c.method, c.path); got != c.want {
			t.Errorf("pprof %t: %s %s gives %d, want %d", c.pprof, c.method, c.path, got, c.want)
		}
	}
}

func TestServeUntilTheEnd(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	entered, gate := make(chan struct{}), make(chan struct{})
	health := NewHealth(nil)
	health.Require("slow", func(context.Context) error { close(entered); <-gate; return nil })
	result := make(chan error, 1)
	go func() {
		result <- Serve(ctx, Options{Listener: listener, Health: health, Registry: NewRegistry("router"), Logger: slog.New(slog.DiscardHandler)})
	}()
	url := "http://" + listener.Addr().String()
	body := fetch(t, url+"/metrics")
	for _, want := range []string{"go_goroutines", "deskfleet_build_info{", `role="router"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	// A probe that is being answered when the end comes is answered.
	answered := make(chan string, 1)
	go func() { answered <- fetch(t, url+"/readyz") }()
	<-entered
	cancel()
	close(gate)
	if got := <-answered; !strings.Contains(got, `"ready":true`) {
		t.Errorf("the last probe got %q", got)
	}
	if err := <-result; err != nil {
		t.Errorf("serve ended with %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}

func fetch(t *testing.T, url string) string {
	response, err := http.Get(url)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return string(body)
}

func TestServeNamesABadAddress(t *testing.T) {
	err := Serve(t.Context(), Options{Address: "nowhere:x", Health: NewHealth(nil), Registry: NewRegistry("bot"), Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "nowhere:x") {
		t.Errorf("got %v", err)
	}
}

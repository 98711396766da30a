package telemetry

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/deskfleet/deskfleet/internal/version"
)

// checkTimeout bounds all checks of one answer; a probe of the kubelet waits no longer.
const checkTimeout = 900 * time.Millisecond

// Check says what is wrong, or nil. It must end with its context and its error
// must hold no secret, because it is shown without authentication.
type Check func(context.Context) error

// Health answers whether a role is ready, and with which configuration.
// Make it with [NewHealth].
type Health struct {
	revision func() string
	draining atomic.Bool

	mu     sync.Mutex
	checks map[string]namedCheck
}

type namedCheck struct {
	check    Check
	required bool
}

// NewHealth tells the revision of the running configuration; nil where there is none.
func NewHealth(revision func() string) *Health {
	return &Health{revision: revision, checks: map[string]namedCheck{}}
}

// Require adds a check without which the role is not ready. A check of the
// same name is replaced.
func (h *Health) Require(name string, check Check) { h.add(name, namedCheck{check, true}) }

// Report adds a check that is shown but does not take the role out of service,
// such as a refused change of the configuration.
func (h *Health) Report(name string, check Check) { h.add(name, namedCheck{check, false}) }

func (h *Health) add(name string, c namedCheck) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks[name] = c
}

// Drain makes the role not ready for good: it is called first of all when the
// role is to end, so that no new work comes.
func (h *Health) Drain() { h.draining.Store(true) }

// Readiness is the answer of /readyz.
type Readiness struct {
	Ready bool `json:"ready"`
	// Draining says that the role is about to end.
	Draining bool `json:"draining,omitempty"`
	// Revision of the running configuration.
	Revision string `json:"revision,omitempty"`
	Version  string `json:"version"`
	// Checks by name.
	Checks map[string]CheckState `json:"checks,omitempty"`
}

// CheckState is the result of one check.
type CheckState struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
	// Required says that the role is not ready without it.
	Required bool `json:"required,omitempty"`
}

// Readiness runs all checks at the same time.
func (h *Health) Readiness(ctx context.Context) Readiness {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	h.mu.Lock()
	checks := maps.Clone(h.checks)
	h.mu.Unlock()

	r := Readiness{Ready: !h.draining.Load(), Draining: h.draining.Load(), Version: version.Version(), Checks: map[string]CheckState{}}
	if h.revision != nil {
		r.Revision = h.revision()
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for name, c := range checks {
		wg.Go(func() {
			state := CheckState{OK: true, Required: c.required}
			if err := c.check(ctx); err != nil {
				state.OK, state.Error = false, err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			r.Checks[name] = state
			r.Ready = r.Ready && (state.OK || !state.Required)
		})
	}
	wg.Wait()
	return r
}

func (h *Health) serveReady(w http.ResponseWriter, request *http.Request) {
	r := h.Readiness(request.Context())
	status := http.StatusOK
	if !r.Ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, r)
}

// serveLive answers as long as the process can. What a role needs from others
// is no part of it: restarting it would not bring that back.
func serveLive(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone
}

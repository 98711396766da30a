package apiserver

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
)

// ErrKilled is the error of every call after the one at which the client was killed.
var ErrKilled = errors.New("the client was killed by the test")

// Moment says when a kill strikes relative to the write.
type Moment int

const (
	// Before the write: it never reaches the API server.
	Before Moment = iota
	// After the write: it took effect, and the answer is lost.
	After
)

// Recorder sits between a client and the API server. It records the writes, and
// can cut the client off at one of them, as a kill -9 of its process would.
type Recorder struct {
	mu     sync.Mutex
	writes []string
	killAt int
	moment Moment
	killed bool
	// onKill is called once, when the client has been cut off.
	onKill func()
}

// Wrap returns a config whose clients go through the recorder.
func (r *Recorder) Wrap(config *rest.Config) *rest.Config {
	wrapped := rest.CopyConfig(config)
	wrapped.Wrap(func(next http.RoundTripper) http.RoundTripper { return &transport{recorder: r, next: next} })
	return wrapped
}

// KillAt cuts the client off at the k-th write, counted from 1, and calls onKill then.
func (r *Recorder) KillAt(k int, moment Moment, onKill func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.killAt, r.moment, r.onKill = k, moment, onKill
}

// Writes are the writes so far, each as "VERB path", without those of leases and events.
func (r *Recorder) Writes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.writes...)
}

// Reset forgets the writes so far.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes = nil
}

type transport struct {
	recorder *Recorder
	next     http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	r := t.recorder
	r.mu.Lock()
	if r.killed {
		r.mu.Unlock()
		return nil, ErrKilled
	}
	strikes := false
	if isWrite(request) {
		r.writes = append(r.writes, fmt.Sprintf("%s %s", request.Method, request.URL.Path))
		strikes = len(r.writes) == r.killAt
		r.killed = strikes
	}
	moment, onKill := r.moment, r.onKill
	r.mu.Unlock()
	if !strikes {
		return t.next.RoundTrip(request)
	}
	if moment == After {
		if response, err := t.next.RoundTrip(request); err == nil {
			_ = response.Body.Close() // the process died before it read the answer
		}
	}
	onKill()
	return nil, ErrKilled
}

// isWrite tells writes of objects from reads, and from the noise of leases and events.
func isWrite(request *http.Request) bool {
	switch request.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return false
	}
	path := request.URL.Path
	return !strings.Contains(path, "/events") && !strings.Contains(path, "/leases") &&
		!strings.HasPrefix(path, "/apis/authentication.k8s.io") && !strings.HasPrefix(path, "/apis/authorization.k8s.io")
}

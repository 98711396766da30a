package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
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

func (m Moment) String() string {
	if m == After {
		return "after"
	}
	return "before"
}

// Recorder sits between clients and the API server. It records the writes, can
// cut a client off at one of them, as a kill -9 of its process would, and can
// answer in the API server's place.
type Recorder struct {
	mu      sync.Mutex
	writes  []string
	created map[string]int
	deleted map[string]int
	fault   func(*http.Request) *http.Response
	watches map[*watchBody]struct{}
	// current is the client that was wrapped last: kills strike it alone.
	current *client
}

// client is what one Wrap made: all connections of one process.
type client struct {
	writes int
	killAt int
	moment Moment
	killed bool
	// onKill is called once, when the client has been cut off.
	onKill func()
}

// Wrap returns the config of a new client, whose calls go through the recorder.
func (r *Recorder) Wrap(config *rest.Config) *rest.Config {
	c := &client{}
	r.mu.Lock()
	r.current = c
	r.mu.Unlock()
	wrapped := rest.CopyConfig(config)
	wrapped.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &transport{recorder: r, client: c, next: next}
	})
	return wrapped
}

// KillAt cuts the client that was wrapped last off at its k-th write from now
// on, counted from 1, and calls onKill then. It must not block.
func (r *Recorder) KillAt(k int, moment Moment, onKill func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.current
	c.writes, c.killAt, c.moment, c.onKill = 0, k, moment, onKill
}

// Killed reports whether the client that was wrapped last has been cut off.
func (r *Recorder) Killed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current.killed
}

// Fault lets f answer in the API server's place, where its result is not nil;
// Refuse makes such answers. A nil f ends that. It is called by many goroutines.
func (r *Recorder) Fault(f func(*http.Request) *http.Response) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = f
}

// CutWatches ends all watches that are open now, as a restart of an API server does.
func (r *Recorder) CutWatches() int {
	r.mu.Lock()
	open := r.watches
	r.watches = nil
	r.mu.Unlock()
	for w := range open {
		_ = w.ReadCloser.Close() // whoever reads it gets an error
	}
	return len(open)
}

// Writes are the writes so far, each as "VERB path", without those of leases and events.
func (r *Recorder) Writes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.writes...)
}

// Created is how often the API server has created each object, by its path, without leases and events.
func (r *Recorder) Created() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.created)
}

// Deleted is how often each object has been deleted, by its path.
func (r *Recorder) Deleted() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.deleted)
}

// Reset forgets the writes so far.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes, r.created, r.deleted = nil, nil, nil
}

// Refuse is an answer of the API server with a Status, for Fault. With
// retryAfterSeconds above 0 it tells the client when to come again.
func Refuse(request *http.Request, code int, reason metav1.StatusReason, retryAfterSeconds int) *http.Response {
	status := metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: int32(code), Reason: reason, //nolint:gosec // HTTP codes are small
		Message: fmt.Sprintf("the test refuses %s %s", request.Method, request.URL.Path),
	}
	header := http.Header{"Content-Type": {runtime.ContentTypeJSON}}
	if retryAfterSeconds > 0 {
		status.Details = &metav1.StatusDetails{RetryAfterSeconds: int32(retryAfterSeconds)} //nolint:gosec // a test waits for seconds
		header.Set("Retry-After", strconv.Itoa(retryAfterSeconds))
	}
	body, _ := json.Marshal(status) // a Status of strings and numbers
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)), Request: request,
	}
}

type transport struct {
	recorder *Recorder
	client   *client
	next     http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	strikes, err := t.admit(request)
	if err != nil {
		return nil, err
	}
	if !strikes {
		return t.call(request)
	}
	if t.client.moment == After {
		if response, err := t.call(request); err == nil {
			_ = response.Body.Close() // the process died before it read the answer
		}
	}
	t.client.onKill()
	return nil, ErrKilled
}

// admit counts a write, and tells whether the kill strikes at it.
func (t *transport) admit(request *http.Request) (strikes bool, err error) {
	r, c := t.recorder, t.client
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.killed {
		return false, ErrKilled
	}
	if !isWrite(request) {
		return false, nil
	}
	r.writes = append(r.writes, fmt.Sprintf("%s %s", request.Method, request.URL.Path))
	c.writes++
	c.killed = c.writes == c.killAt
	return c.killed, nil
}

// call makes the call, or lets the fault answer.
func (t *transport) call(request *http.Request) (*http.Response, error) {
	r := t.recorder
	r.mu.Lock()
	fault := r.fault
	r.mu.Unlock()
	if fault != nil {
		if response := fault(request); response != nil {
			return response, nil
		}
	}
	if isWrite(request) {
		// A write that is on its way when its client dies takes effect or not; here it does, so that it is counted.
		request = request.WithContext(context.WithoutCancel(request.Context()))
	}
	if request.Method == http.MethodPost {
		// The name of what is created is read from the answer, which must be in JSON for that.
		request = request.Clone(request.Context())
		request.Header.Set("Accept", runtime.ContentTypeJSON)
	}
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if request.URL.Query().Get("watch") != "" {
		return r.watch(response), nil
	}
	return response, r.count(request, response)
}

// count notes which object a write created or deleted.
func (r *Recorder) count(request *http.Request, response *http.Response) error {
	if !isWrite(request) {
		return nil
	}
	path := request.URL.Path
	created := response.StatusCode == http.StatusCreated
	if created && request.Method == http.MethodPost {
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		response.Body = io.NopCloser(bytes.NewReader(body))
		var object metav1.PartialObjectMetadata
		if err := json.Unmarshal(body, &object); err != nil {
			return fmt.Errorf("the object that %s made: %w", path, err)
		}
		path += "/" + object.Name
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case created:
		r.created = plusOne(r.created, path)
	case request.Method == http.MethodDelete && response.StatusCode < http.StatusBadRequest:
		r.deleted = plusOne(r.deleted, path)
	}
	return nil
}

func plusOne(counts map[string]int, key string) map[string]int {
	if counts == nil {
		counts = map[string]int{}
	}
	counts[key]++
	return counts
}

// watch remembers an open watch, so that it can be cut.
func (r *Recorder) watch(response *http.Response) *http.Response {
	w := &watchBody{ReadCloser: response.Body, recorder: r}
	response.Body = w
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watches == nil {
		r.watches = map[*watchBody]struct{}{}
	}
	r.watches[w] = struct{}{}
	return response
}

type watchBody struct {
	io.ReadCloser
	recorder *Recorder
}

// Close implements io.Closer.
func (w *watchBody) Close() error {
	w.recorder.mu.Lock()
	delete(w.recorder.watches, w)
	w.recorder.mu.Unlock()
	return w.ReadCloser.Close()
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

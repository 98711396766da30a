package chatclient

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// Errors that end a client.
var (
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("the client is closed")
	// ErrToken: the desk does not accept the token. Another one, or none, begins anew.
	ErrToken = errors.New("the desk does not accept the token")
	// ErrUnreachable: there was no connection for too long.
	ErrUnreachable = errors.New("the desk is out of reach")

	errSilent = errors.New("the desk said nothing")
)

// RefusedError is an answer to the attempt to connect that is not a WebSocket.
type RefusedError struct {
	// Status of HTTP.
	Status int
	// Problem that the desk named; nil when the answer is of something else, such as a proxy.
	Problem *problem.Problem
	// retryAfter is the answer's header.
	retryAfter time.Duration
}

// Error implements error.
func (e *RefusedError) Error() string {
	if e.Problem != nil {
		return fmt.Sprintf("the desk answers with status %d: %s", e.Status, e.Problem.Error())
	}
	return fmt.Sprintf("status %d %s instead of a WebSocket: is it the address of a desk?", e.Status, http.StatusText(e.Status))
}

// lasting says whether trying again is of no use while nobody changes something.
func (e *RefusedError) lasting() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return e.Status < http.StatusInternalServerError
}

// dialError makes the most of a failed attempt to connect.
func dialError(resp *http.Response, err error) error {
	if resp == nil || resp.StatusCode == http.StatusSwitchingProtocols {
		return err
	}
	refused := &RefusedError{Status: resp.StatusCode}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		refused.retryAfter = time.Duration(seconds) * time.Second
	}
	if resp.Header.Get("Content-Type") == problem.ContentType && resp.Body != nil {
		var p problem.Problem
		if json.NewDecoder(resp.Body).Decode(&p) == nil {
			refused.Problem = &p
		}
	}
	return refused
}

// visit is what was learned during one connection.
type visit struct {
	// onlineAt is when the desk had told everything; zero while it has not.
	onlineAt time.Time
	// hint of the desk when to come back.
	hint time.Duration
	// problem that the desk named before it closed.
	problem *problem.Problem
}

// online says that the desk has told everything.
func (v *visit) online() {
	if v.onlineAt.IsZero() {
		v.onlineAt = time.Now()
	}
}

// verdict gives the error that ends a client, nil when trying again may help. What looks like a wrong
// address may, at a desk that was there before, be a proxy in the middle of a change.
func (v *visit) verdict(err error, everOnline bool) error {
	var refused *RefusedError
	var certificate *tls.CertificateVerificationError
	switch {
	case websocket.CloseStatus(err) == socket.CodeUnauthorised:
		return v.because(ErrToken)
	case websocket.CloseStatus(err) == socket.CodePolicy && v.onlineAt.IsZero():
		return v.because(err)
	case everOnline:
		return nil
	case errors.As(err, &refused) && refused.lasting(), errors.As(err, &certificate):
		return err
	}
	return nil
}

func (v *visit) because(err error) error {
	if v.problem == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, v.problem)
}

// least time that the desk asked all clients to wait.
func (v *visit) least(err error) time.Duration {
	var d time.Duration
	if refused, is := errors.AsType[*RefusedError](err); is {
		d = refused.retryAfter
	}
	if v.problem != nil && v.onlineAt.IsZero() {
		d = max(d, retryAfter(v.problem))
	}
	return d
}

// retryAfter of a problem; 0 when trying again is of no use.
func retryAfter(p *problem.Problem) time.Duration {
	if p == nil {
		return 0
	}
	return time.Duration(p.RetryAfterSeconds) * time.Second
}

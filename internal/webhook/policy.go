package webhook

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Policy says how long a receiver is waited for. Zero values stand for the defaults in brackets.
type Policy struct {
	// First pause after a failure [5 s]; each further one is three times as long, at most Most [6 h].
	First, Most time.Duration
	// MaxAttempts of one event [24], and MaxAge of it since it was queued for the receiver [72 h]: the first failure
	// beyond one of them makes it a dead letter.
	MaxAttempts int
	MaxAge      time.Duration
	// Timeout of one attempt [15 s].
	Timeout time.Duration
	// Parallel attempts a receiver, each of another conversation [8].
	Parallel int
	// MostPending events of a receiver that are queued [10000]; more stay in the archive.
	MostPending int
	// SecretEvery is how often a secret that is missing is looked for [5 s].
	SecretEvery time.Duration
}

// mostRetryAfter bounds what a receiver may ask for.
const mostRetryAfter = 24 * time.Hour

func (p Policy) complete() Policy {
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{
		{&p.First, 5 * time.Second}, {&p.Most, 6 * time.Hour}, {&p.MaxAge, 72 * time.Hour},
		{&p.Timeout, 15 * time.Second}, {&p.SecretEvery, 5 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.usual
		}
	}
	for _, n := range []struct {
		value *int
		usual int
	}{
		{&p.MaxAttempts, 24}, {&p.Parallel, 8}, {&p.MostPending, 10_000},
	} {
		if *n.value <= 0 {
			*n.value = n.usual
		}
	}
	return p
}

// backoff after so many failures in a row, from 1. share, 0 to 1, spreads it between three quarters and the
// whole, so that receivers that come back are not met by everybody at once.
func (p Policy) backoff(failures int, share float64) time.Duration {
	pause := p.First
	for range failures - 1 {
		if pause = 3 * pause; pause >= p.Most {
			pause = p.Most
			break
		}
	}
	return pause - time.Duration(share*float64(pause)/4)
}

// outcome of one attempt.
type outcome struct {
	// status of the answer, 0 without one.
	status int
	// problem in words, empty when the event was taken.
	problem string
	// retryAfter that the receiver asks for; 0 for none.
	retryAfter time.Duration
	// gone: the receiver wants nothing any more.
	gone bool
	// skipped: there is no such event any more, retention or erasure has taken it.
	skipped bool
}

func (o *outcome) taken() bool { return o.problem == "" }

// ofReceiver says that not the event but the receiver is the trouble: others would fare the same.
func (o *outcome) ofReceiver() bool {
	return !o.taken() && (o.status == 0 || o.status >= http.StatusInternalServerError || o.status == http.StatusTooManyRequests)
}

// Verdict about an event after an attempt.
type Verdict struct {
	// Item that was tried.
	Item Item
	// Done: the receiver has it, or there is nothing left to send.
	Done bool
	// Dead: it is not tried any more. Otherwise it is tried again at Next.
	Dead bool
	Next time.Time
	// Problem of the attempt in words, without secrets.
	Problem string
}

// judge an attempt.
func (p Policy) judge(item Item, o outcome, now time.Time, share float64) Verdict {
	v := Verdict{Item: item, Problem: o.problem}
	if o.taken() {
		v.Done = true
		return v
	}
	attempts := item.Attempts + 1
	v.Next = now.Add(max(p.backoff(attempts, share), o.retryAfter))
	// A receiver that is gone keeps what waits for it: enabled again, it goes on where it was.
	v.Dead = !o.gone && (attempts >= p.MaxAttempts || now.Sub(item.QueuedAt) >= p.MaxAge)
	return v
}

// retryAfter reads the header's seconds or date, bounded.
func retryAfter(h http.Header, now time.Time) time.Duration {
	raw := h.Get("Retry-After")
	if raw == "" {
		return 0
	}
	d := time.Duration(0)
	if seconds, err := strconv.ParseInt(raw, 10, 32); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(raw); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), mostRetryAfter)
}

func jitter() float64 { return rand.Float64() }

// Package eventually waits in tests for conditions instead of sleeping.
package eventually

import (
	"testing"
	"time"
)

// Limit of every wait. It is far beyond what any condition needs, because a
// test must not fail on a busy machine: a disk that others write to has held a
// single write up for a quarter of a minute.
const Limit = 2 * time.Minute

const interval = 5 * time.Millisecond

// True waits until f returns true and fails the test after [Limit].
func True(t testing.TB, what string, f func() bool) {
	t.Helper()
	if !poll(f) {
		t.Fatalf("not within %s: %s", Limit, what)
	}
}

// Nil waits until f returns no error and fails the test with the last one after [Limit].
func Nil(t testing.TB, what string, f func() error) {
	t.Helper()
	var err error
	if !poll(func() bool { err = f(); return err == nil }) {
		t.Fatalf("not within %s: %s: %v", Limit, what, err)
	}
}

// Receive waits for a value of ch and fails the test after [Limit] or when ch is closed.
func Receive[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	timer := time.NewTimer(Limit)
	defer timer.Stop()
	select {
	case v, ok := <-ch:
		if !ok {
			t.Fatalf("channel closed: %s", what)
		}
		return v
	case <-timer.C:
		t.Fatalf("not within %s: %s", Limit, what)
	}
	panic("unreachable")
}

func poll(f func() bool) bool {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for deadline := time.Now().Add(Limit); time.Now().Before(deadline); <-ticker.C {
		if f() {
			return true
		}
	}
	return f()
}

package desk

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestLaterLayersEndFirst(t *testing.T) {
	var mu sync.Mutex
	var ended []string
	note := func(name string) part {
		return part{name, func(ctx context.Context) error {
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			ended = append(ended, name)
			return nil
		}}
	}
	ctx, failed := context.WithCancelCause(t.Context())
	l := layers{log: slog.New(slog.DiscardHandler), failed: failed}
	l.start(note("bus"))
	l.start(note("router"))
	l.start(note("gateway"))
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"gateway", "router", "bus"}; !slices.Equal(ended, want) {
		t.Errorf("ended in the order %v, expected %v", ended, want)
	}
	if ctx.Err() != nil {
		t.Error("an end that was asked for counts as a failure")
	}
}

func TestAPartThatEndsByItselfEndsTheProcess(t *testing.T) {
	ctx, failed := context.WithCancelCause(t.Context())
	l := layers{log: slog.New(slog.DiscardHandler), failed: failed}
	full := errors.New("disk full")
	l.start(part{"archive", func(context.Context) error { return full }})
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, full) || !strings.Contains(err.Error(), "archive") {
		t.Errorf("cause %v", err)
	}
	if err := l.stop(); !errors.Is(err, full) {
		t.Errorf("stop: %v", err)
	}
}

// A part that waits for one that has failed does not keep the process from being started anew.
func TestAFailedPartIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		var l layers
		l.log, l.failed = slog.New(slog.DiscardHandler), func(error) {}
		l.start(part{"stuck", func(context.Context) error { <-free; return nil }})
		began := time.Now()
		if err := l.stopWithin(failedTimeout); err == nil || time.Since(began) != failedTimeout {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		close(free)
		synctest.Wait()
		if err := l.stopWithin(failedTimeout); err != nil {
			t.Error(err)
		}
	})
}

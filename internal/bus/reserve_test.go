package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// asked counts the questions how full the log is.
type asked struct {
	Log
	n atomic.Int64
}

func (l *asked) Info(ctx context.Context) (LogInfo, error) {
	l.n.Add(1)
	return l.Log.Info(ctx)
}

// fill appends with a writer until it is refused and says how many were stored.
func fill(t testing.TB, l Log, subject, id string, size int) int {
	t.Helper()
	data := make([]byte, size)
	for n := 0; ; n++ {
		_, _, err := l.Append(t.Context(), subject, data, AppendOptions{MsgID: fmt.Sprint(id, n)})
		if errors.Is(err, ErrFull) {
			return n
		}
		if err != nil {
			t.Error(err)
			return n
		}
	}
}

func free(t testing.TB, l Log) int64 {
	t.Helper()
	info, err := l.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.MaxBytes - int64(info.Bytes)
}

// Customers stop first, then agents, and what is left is the router's; all go on by themselves when there is
// room again, and the log is not asked with each message.
func TestReservesAreLeftToOthers(t *testing.T) {
	plain, s := testLogWith(t, 8<<20)
	var logged bytes.Buffer
	counted := &asked{Log: plain}
	customers := WithReserve(counted, ReserveOfCustomers, slog.New(slog.NewTextHandler(&logged, nil)))
	agents := WithReserve(plain, ReserveOfAgents, quiet(t))
	info, err := plain.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const size = 8 << 10
	stored := fill(t, customers, s.Messages("c1"), "customer", size)
	if left, least := free(t, plain), ReserveOfCustomers.bytes(info.MaxBytes); left < least || left > least+4*size {
		t.Errorf("customers leave %d bytes, want %d", left, least)
	}
	if n := counted.n.Load(); n > int64(stored)/4 {
		t.Errorf("%d questions for %d messages", n, stored)
	}
	for range 100 {
		if _, _, err := customers.Append(t.Context(), s.Messages("c1"), nil, AppendOptions{}); err != nil && !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
	}
	if n := strings.Count(logged.String(), "level=WARN"); n != 1 || !strings.Contains(logged.String(), "archive") {
		t.Errorf("%d warnings are logged:\n%s", n, &logged)
	}
	if fill(t, agents, s.Messages("c1"), "agent", size) == 0 {
		t.Error("agents are refused with customers")
	}
	if left, least := free(t, plain), ReserveOfAgents.bytes(info.MaxBytes); left < least || left > least+4*size {
		t.Errorf("agents leave %d bytes, want %d", left, least)
	}
	last := mustAppend(t, plain, s.Decisions(), strings.Repeat("x", size), AppendOptions{})

	if err := plain.PurgeUpTo(t.Context(), s.Conversation("c1"), last); err != nil {
		t.Fatal(err)
	}
	eventually.Nil(t, "customers are served again", func() error {
		_, _, err := customers.Append(t.Context(), s.Messages("c1"), nil, AppendOptions{MsgID: "again"})
		return err
	})
	if !strings.Contains(logged.String(), "takes messages again") {
		t.Errorf("the end is not logged:\n%s", &logged)
	}
}

// Several gateways that write at once do not know of each other.
func TestReserveWithManyWriters(t *testing.T) {
	plain, s := testLogWith(t, 8<<20)
	var writers sync.WaitGroup
	for i := range 5 {
		l := WithReserve(plain, ReserveOfCustomers, quiet(t))
		writers.Go(func() { fill(t, l, s.Messages("c1"), fmt.Sprintf("w%d-", i), 32<<10) })
	}
	writers.Wait()
	info, err := plain.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if left, reserve := free(t, plain), ReserveOfCustomers.bytes(info.MaxBytes); left < reserve*3/4 {
		t.Errorf("%d bytes are left of a reserve of %d", left, reserve)
	}
}

func TestReserveOfSmallAndLargeLogs(t *testing.T) {
	for most, want := range map[int64]int64{1 << 20: 262125, 8 << 20: 2097150, 100 << 20: 5 << 20, 10 << 30: 536870910} {
		if got := ReserveOfCustomers.bytes(most); got != want {
			t.Errorf("of %d bytes %d are kept, want %d", most, got, want)
		}
	}
}

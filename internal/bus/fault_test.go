package bus

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// A tail's consumer lives in the memory of one server. When that is gone, another one is made.
func TestALostConsumerIsMadeAnew(t *testing.T) {
	for _, err := range []error{
		&jetstream.APIError{Code: 404, ErrorCode: jetstream.JSErrCodeConsumerNotFound}, jetstream.ErrConsumerNotFound,
		fmt.Errorf("look at it: %w", jetstream.ErrConsumerNotFound),
	} {
		if got := streamError(t.Context(), err); !errors.Is(got, ErrUnavailable) {
			t.Errorf("%v becomes %v, which ends the tail", err, got)
		}
	}
	if got := streamError(t.Context(), jetstream.ErrStreamNotFound); errors.Is(got, ErrUnavailable) {
		t.Error("a stream that does not exist is waited for")
	}
}

// A store that could not be written is remembered, and one that is at its limit is not: only the former needs a new start.
func TestAFailedStoreIsRemembered(t *testing.T) {
	l := newServerLogger(quiet(t))
	l.Errorf("%s", "Error trying to connect to route")
	if err := l.storeErr(); err != nil {
		t.Error(err)
	}
	l.Errorf("JetStream failed to store a msg on stream '%s > %s': %v", "$G", "DESK", errors.New("no space left on device"))
	if l.storeErr() == nil {
		t.Error("the failure is forgotten")
	}
	if dir := t.TempDir(); !writable(dir) || writable(filepath.Join(dir, "nowhere")) {
		t.Error("writable does not tell what can be written")
	}
}

// An append whose answer is lost, as when the log gets another leader, is sent again, and not only when it has waited for
// as long as a disk may stall. One without an id is not: nobody could tell whether it is stored.
func TestALostAnswerIsAskedForAgain(t *testing.T) {
	server := startTestServer(t, testDocument(16<<20), t.TempDir())
	forgetful := connect(t, server)
	const subject = "cv.other.desk.c1.msg" // of no stream: who answers is the test
	var tries atomic.Int32
	if _, err := forgetful.Subscribe(t.Context(), subject, func(m *Message) {
		if tries.Add(1) == 2 {
			if err := m.Respond([]byte(`{"stream":"DESK_other","seq":7,"duplicate":true}`)); err != nil {
				t.Error(err)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	l := connect(t, server).Log("DESK_other")
	seq, duplicate, err := l.Append(t.Context(), subject, nil, AppendOptions{MsgID: "m1"})
	if err != nil || !duplicate || seq != 7 {
		t.Errorf("append gives sequence %d, duplicate %t, %v; want what the second answer says", seq, duplicate, err)
	}
	if _, _, err := l.Append(t.Context(), subject, nil, AppendOptions{}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without an id the append gives %v, want %v", err, ErrUnavailable)
	}
	if n := tries.Load(); n != 3 {
		t.Errorf("the appends were sent %d times, want 3", n)
	}
	if first, later := patience(0), patience(9); first >= attemptTimeout || later != attemptTimeout {
		t.Errorf("the first try waits %s, a later one %s", first, later)
	}
}

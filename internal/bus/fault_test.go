package bus

import (
	"errors"
	"fmt"
	"path/filepath"
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

package bus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// inboxRoot begins every reply subject, see [InboxPrefix].
const inboxRoot = "_INBOX"

// Message is a received core message.
type Message struct {
	Subject string
	Data    []byte

	respond func([]byte) error
}

// NewMessage makes a message by hand, for tests of handlers. Respond calls the
// function; nil stands for a message that wants no reply.
func NewMessage(subject string, data []byte, respond func([]byte) error) *Message {
	return &Message{Subject: subject, Data: data, respond: respond}
}

// WantsReply says whether the sender waits for an answer.
func (m *Message) WantsReply() bool { return m.respond != nil }

// Respond answers a request.
func (m *Message) Respond(data []byte) error {
	if m.respond == nil {
		return fmt.Errorf("message on %s asks for no reply", m.Subject)
	}
	return m.respond(data)
}

func receive(msg *nats.Msg) *Message {
	m := &Message{Subject: msg.Subject, Data: msg.Data}
	// A sender chooses the reply subject freely and the server lets the
	// responder answer there. Only inboxes are answered, otherwise a role could
	// make another one speak on subjects that it may not use itself.
	if strings.HasPrefix(msg.Reply, inboxRoot) {
		m.respond = func(data []byte) error {
			if err := msg.Respond(data); err != nil {
				return fmt.Errorf("reply to %s: %w", msg.Subject, classify(err))
			}
			return nil
		}
	}
	return m
}

// replayed says that a core message was not published but delivered from a
// stream: by a consumer with a delivery subject or as the answer to a read.
// Whoever may read the log could otherwise replay stored bytes onto subjects
// that its permissions do not let it publish on.
func replayed(msg *nats.Msg) bool {
	return strings.HasPrefix(msg.Reply, "$JS.ACK.") || msg.Header.Get(jetstream.StreamHeader) != ""
}

// classify maps errors of the client library to those of this package.
func classify(err error) error {
	for _, known := range []error{ErrUnavailable, ErrDenied, ErrClosed, ErrNoResponders, ErrTooLarge} {
		if errors.Is(err, known) {
			return err
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w: %w", ErrNoResponders, err)
	case errors.Is(err, nats.ErrPermissionViolation):
		return fmt.Errorf("%w: %w", ErrDenied, err)
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

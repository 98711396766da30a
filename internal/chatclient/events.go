package chatclient

import (
	"time"

	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// Event is one thing that happened at a [Chat].
type Event interface{ event() }

// Events of a Chat.
type (
	// Said is a message of anybody, the customer's own included.
	Said struct{ chatwire.Message }
	// Changed is a new state of the conversation.
	Changed struct{ chatwire.State }
	// Placed is the place in the queue.
	Placed struct{ chatwire.Position }
	// Writing says that somebody writes, or no longer does.
	Writing struct{ chatwire.Typing }
	// Stored is the desk's acknowledgement of a posted message. It may come before or behind its Said.
	Stored struct{ Receipt }
	// Refused is a posted message, or another request, that the desk does not take. ClientID is empty when it
	// is about no message.
	Refused struct {
		ClientID string
		Text     string
		Problem  *problem.Problem
	}
	// Delayed is a posted message that the desk does not take yet. It is kept and sent again.
	Delayed struct {
		ClientID string
		Problem  *problem.Problem
	}
	// Online says that the client is connected and that everything stored before has come.
	Online struct{ Desk chatwire.DeskCard }
	// Lost says that there is no connection, and when the next attempt comes.
	Lost struct {
		Err     error
		RetryIn time.Duration
	}
	// Anew says that the desk's log was replaced, such as by a restore: what was told before is void, and
	// everything comes again.
	Anew struct{}
)

func (Said) event()    {}
func (Changed) event() {}
func (Placed) event()  {}
func (Writing) event() {}
func (Stored) event()  {}
func (Refused) event() {}
func (Delayed) event() {}
func (Online) event()  {}
func (Lost) event()    {}
func (Anew) event()    {}

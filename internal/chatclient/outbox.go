package chatclient

import (
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// mostWaiting messages that the desk has not acknowledged.
const mostWaiting = 1024

// Outgoing is a message to be sent.
type Outgoing struct {
	// ClientID, 1 to 64 of A-Z, a-z, 0-9, _ and -, unique in the conversation; empty for a random one.
	ClientID string
	Text     string
	// Language as a BCP 47 tag; may be empty. Of customers only.
	Language string
	// Note is for agents' eyes only. Of agents only.
	Note bool
}

// Receipt says where a message is stored.
type Receipt struct {
	ClientID     string
	Conversation conversation.ID
	// Seq of the message in the desk's log.
	Seq uint64
	// Duplicate is set when it had been stored before.
	Duplicate bool
}

// posted is a message until the desk has acknowledged or refused it.
type posted struct {
	Outgoing
	// conv is the conversation that a customer knew when the message was first sent: the desk looks for it
	// there.
	conv    conversation.ID
	sent    bool
	until   delay
	done    chan struct{}
	receipt Receipt
	err     error
}

// outbox are the messages of one conversation that the desk has not acknowledged. They go one at a time: one
// that must be sent again must not fall behind a later one.
type outbox struct {
	waiting []*posted
	// inFlight is the first of them while it is under way.
	inFlight *posted
}

// add checks a message and puts it behind the others. The error is a *problem.Problem.
func (o *outbox) add(m Outgoing) (*posted, error) {
	if m.ClientID == "" {
		m.ClientID = crand.Text()
	}
	if err := errors.Join(chatwire.CheckMessage(m.ClientID, m.Text), chatwire.CheckLanguage(m.Language)); err != nil {
		return nil, problem.From(err)
	}
	if n := len(m.Text); n > conversation.MaxTextBytes {
		// A frame that is too long would end each connection that it is sent on.
		return nil, problem.Field(http.StatusRequestEntityTooLarge, problem.CodeTooLarge, "text", m.Text,
			fmt.Sprintf("it has %d bytes", n), fmt.Sprintf("send at most %d bytes at a time", conversation.MaxTextBytes))
	}
	if len(o.waiting) >= mostWaiting {
		return nil, problem.New(http.StatusTooManyRequests, problem.CodeRate,
			fmt.Sprintf("%d messages wait for the desk", mostWaiting), "wait until some are stored")
	}
	if slices.ContainsFunc(o.waiting, func(p *posted) bool { return p.ClientID == m.ClientID }) {
		return nil, problem.Field(http.StatusConflict, problem.CodeInvalid, "clientId", m.ClientID,
			"a message with it waits already", "choose another one for another message")
	}
	p := &posted{Outgoing: m, done: make(chan struct{})}
	o.waiting = append(o.waiting, p)
	return p, nil
}

// next message to send now, which is then in flight; nil for none, and when to ask again unless that is 0.
func (o *outbox) next(now time.Time) (*posted, time.Duration) {
	if o.inFlight != nil || len(o.waiting) == 0 {
		return nil, 0
	}
	p := o.waiting[0]
	if left := p.until.left(now); left > 0 {
		return nil, left
	}
	o.inFlight = p
	return p, 0
}

// settle takes a message that was sent from the outbox and tells whoever waits; nil when it is not there.
func (o *outbox) settle(r Receipt, err error) *posted {
	i := slices.IndexFunc(o.waiting, func(p *posted) bool { return p.sent && p.ClientID == r.ClientID })
	if i < 0 {
		return nil
	}
	p := o.waiting[i]
	o.waiting = slices.Delete(o.waiting, i, i+1)
	if o.inFlight == p {
		o.inFlight = nil
	}
	p.receipt, p.err = r, err
	close(p.done)
	return p
}

// delay sends a message again after a while.
func (o *outbox) delay(clientID string, until delay) {
	if p := o.inFlight; p != nil && p.ClientID == clientID {
		p.until, o.inFlight = until, nil
	}
}

// offline forgets what was under way: it is sent again.
func (o *outbox) offline() { o.inFlight = nil }

// end gives all messages up.
func (o *outbox) end(err error) {
	for _, p := range o.waiting {
		p.err = err
		close(p.done)
	}
	o.waiting, o.inFlight = nil, nil
}

// delay is when a refused request may be sent again; the zero value is at once.
type delay struct{ time.Time }

// after a time that the desk asked for, and a random quarter more: it asks all clients alike.
func after(now time.Time, d time.Duration) delay { return delay{now.Add(d + rand.N(d/4+1))} }

// left until then.
func (d delay) left(now time.Time) time.Duration { return max(0, d.Sub(now)) }

// Package intake brings customers' messages into a desk's log. It guarantees one open conversation a
// contact and channel, also for messages that arrive within milliseconds on different gateways, and
// it needs no router for that: a message is stored, and may be acknowledged, while no router runs.
//
// The claim on ct.<ns>.<desk>.<channel>.<contact> says which conversation is open. Gateways write it,
// with the expected last sequence, when there is none or the last one has ended; the router marks it
// ended. Customers' messages are appended with the claim's sequence expected: a message that would slip
// into a conversation which is just ending is refused by the log, and Post opens the next one for it.
//
// What a customer says around the end of a conversation is decided by the order of the log alone: a message
// before the claim's end reopens the conversation, and whatever is said after it goes there too, even if the router
// has not come to it; a message behind the end opens the next one.
package intake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// attempts to win or join a claim before giving up: each lost one means that somebody else succeeded.
const attempts = 16

// ErrContended says that the claim of a contact changed too often while a message was to be stored.
var ErrContended = errors.New("the contact's conversation changes too fast")

// Desk is where messages go.
type Desk struct {
	Log      bus.Log
	Subjects bus.Subjects
}

// Contact is who writes, and where.
type Contact struct {
	// Channel name, a token.
	Channel string
	// ID is the contact's token, the same in every event: a raw id with other characters goes through
	// bus.ContactToken first.
	ID string
	// Name to show, and Language as a BCP 47 tag; both may be empty.
	Name     string
	Language string
	// Attributes of the contact, of which somebody who may has assured the desk; they count for a conversation that opens.
	Attributes conversation.Attributes
}

// Joined is the open conversation of a contact.
type Joined struct {
	Conversation conversation.ID
	// Seq of the claim; customers' messages expect it on Subject.
	Seq     uint64
	Subject string
	// Opened is set when this call opened the conversation.
	Opened bool
}

// Posted is a stored message.
type Posted struct {
	Conversation conversation.ID
	// ID of the message's event; of a duplicate it may be empty.
	ID conversation.ID
	// Seq of the message in the stream.
	Seq uint64
	// Duplicate is set when the message had been stored before.
	Duplicate bool
}

// OpenOrJoin gives the open conversation of the contact and opens one when there is none or the last
// one has ended. Among simultaneous callers one opens, the others join. Errors of the bus are passed on.
func (d Desk) OpenOrJoin(ctx context.Context, c Contact, now time.Time) (Joined, error) {
	if err := c.validate(); err != nil {
		return Joined{}, err
	}
	for range attempts {
		l, err := d.latest(ctx, c)
		if err != nil || l.Conversation != "" {
			return l.Joined, err
		}
		joined, err := d.open(ctx, c, l, now)
		if !errors.Is(err, bus.ErrFenced) {
			return joined, err
		}
	}
	return Joined{}, fmt.Errorf("%w: %s/%s was taken %d times", ErrContended, c.Channel, c.ID, attempts)
}

// latest claim of a contact.
type latest struct {
	Joined
	// ended is the claim that is over, nil when there is none.
	ended *conversation.Claim
}

// latest claim of the contact. Its conversation is empty when none is open; Seq is what the next claim expects.
func (d Desk) latest(ctx context.Context, c Contact) (latest, error) {
	subject := d.Subjects.Claim(c.Channel, c.ID)
	last, found, err := d.Log.Last(ctx, subject)
	if err != nil {
		return latest{}, fmt.Errorf("look for the open conversation of %s/%s: %w", c.Channel, c.ID, err)
	}
	l := latest{Joined: Joined{Seq: last.Seq, Subject: subject}}
	if !found {
		return l, nil
	}
	claim, err := conversation.DecodeClaim(last.Data)
	switch {
	case err != nil: // worth as little as an ended one: the contact must be served
	case claim.Ended:
		l.ended = &claim
	default:
		l.Conversation = claim.Conversation
	}
	return l, nil //nolint:nilerr // see the first case
}

// latestBut is latest, unless the open conversation is known.
func (d Desk) latestBut(ctx context.Context, c Contact, known Joined) (latest, error) {
	if known.Conversation == "" {
		return d.latest(ctx, c)
	}
	known.Subject = d.Subjects.Claim(c.Channel, c.ID)
	return latest{Joined: known}, nil
}

// open writes the claim behind the latest one: of another conversation, or of the one that has ended when a
// message in it waits to reopen it.
func (d Desk) open(ctx context.Context, c Contact, l latest, now time.Time) (Joined, error) {
	reopens, err := d.reopens(ctx, l.ended)
	if err != nil {
		return Joined{}, fmt.Errorf("look at the end of %s: %w", l.ended.Conversation, err)
	}
	next := conversation.Claim{
		V: conversation.Version, Conversation: conversation.NewID(now), Channel: c.Channel, Contact: c.ID,
		ContactName: c.Name, Language: c.Language, Attributes: c.Attributes, At: now.UTC(),
	}
	if reopens {
		next.Conversation = l.ended.Conversation
	}
	if l.ended != nil { // the contact may go to the same person again
		next.LastAgent, next.LastAgentAt = l.ended.LastAgent, l.ended.LastAgentAt
	}
	data, err := conversation.EncodeClaim(next)
	if err != nil {
		return Joined{}, err
	}
	seq, _, err := d.Log.Append(ctx, l.Subject, data, bus.AppendOptions{
		// A conversation that is taken up again has other claims, so its id alone would not do.
		MsgID: fmt.Sprintf("%s:claim:%d", next.Conversation, l.Seq), ExpectLast: new(l.Seq),
	})
	if err != nil {
		return Joined{}, fmt.Errorf("open a conversation for %s/%s: %w", c.Channel, c.ID, err)
	}
	return Joined{Conversation: next.Conversation, Seq: seq, Subject: l.Subject, Opened: !reopens}, nil
}

// reopens says whether a conversation that has ended holds a customer's message that the router has not acted on.
// Nothing can come in behind the claim, so that everybody who looks finds the same.
func (d Desk) reopens(ctx context.Context, ended *conversation.Claim) (bool, error) {
	if ended == nil || ended.Acted == 0 {
		return false, nil
	}
	subject := d.Subjects.Messages(string(ended.Conversation))
	last, found, err := d.Log.Last(ctx, subject)
	if err != nil || !found || last.Seq <= ended.Acted {
		return false, err
	}
	seen := uint64(0)
	for stored, err := range d.Log.Read(ctx, subject, ended.Acted+1) {
		if err != nil {
			return false, err
		}
		seen = stored.Seq
		e, err := conversation.Decode(stored.Data)
		if err != nil {
			continue // the router skips it, too
		}
		if m, ok := e.Body.(*conversation.Message); ok && m.From.Kind == conversation.KindCustomer {
			return true, nil
		}
	}
	if seen < last.Seq {
		// A replica that lags answered, or the archive has purged the conversation just now.
		return false, fmt.Errorf("%w: the end of conversation %s cannot be read yet", bus.ErrUnavailable, ended.Conversation)
	}
	return false, nil
}

// Post stores a customer's message in the contact's open conversation. It returns after the bus has
// it on disk: only then may the customer be told so. A message that is posted again with its client id
// is recognised: for two minutes by the bus, afterwards by every projection.
//
// believed is the conversation that the customer's client thinks is open, when it sends a message
// again after a reconnect; if that one has ended meanwhile, Post looks there for the message first.
func (d Desk) Post(ctx context.Context, c Contact, m conversation.Message, believed conversation.ID, now time.Time) (Posted, error) {
	return d.PostKnowing(ctx, c, Joined{}, m, believed, now)
}

// PostKnowing is Post for who follows the contact's claims: known is the open conversation and the sequence of its
// claim, so that it need not be looked up. It may be out of date, or zero.
func (d Desk) PostKnowing(
	ctx context.Context, c Contact, known Joined, m conversation.Message, believed conversation.ID, now time.Time,
) (Posted, error) {
	if err := c.validate(); err != nil {
		return Posted{}, err
	}
	m.Channel = c.Channel
	m.From = conversation.Actor{Kind: conversation.KindCustomer, ID: c.ID, Name: c.Name}
	if err := m.Validate(); err != nil {
		return Posted{}, err
	}
	if believed != "" {
		if _, err := conversation.ParseID(string(believed)); err != nil {
			return Posted{}, err
		}
	}
	for range attempts {
		l, err := d.latestBut(ctx, c, known)
		if err != nil {
			return Posted{}, err
		}
		known = Joined{} // if that was out of date, the next look tells
		j := l.Joined
		if believed != "" && believed != j.Conversation {
			// Before another conversation is opened: one in which nothing is ever said would stay open. What the
			// end has shut out cannot come in any more, so one look is enough.
			if posted, found, err := d.find(ctx, believed, m.ClientID); err != nil || found {
				return posted, err
			}
			believed = ""
		}
		if j.Conversation == "" {
			j, err = d.open(ctx, c, l, now)
		}
		var posted Posted
		if err == nil {
			posted, err = d.append(ctx, j, &m, now)
		}
		if !errors.Is(err, bus.ErrFenced) {
			return posted, err
		}
		// Another gateway opened one, or the conversation ended under our hands. An earlier try of this append may
		// have been stored although its answer was lost, and the refusal does not tell.
		if j.Conversation != "" {
			believed = j.Conversation
		}
	}
	return Posted{}, fmt.Errorf("%w: %s/%s", ErrContended, c.Channel, c.ID)
}

func (d Desk) append(ctx context.Context, j Joined, m *conversation.Message, now time.Time) (Posted, error) {
	e := conversation.NewEvent(conversation.NewID(now), j.Conversation, now, m)
	data, err := conversation.Encode(e)
	if err != nil {
		return Posted{}, err
	}
	seq, duplicate, err := d.Log.Append(ctx, d.Subjects.Messages(string(j.Conversation)), data, bus.AppendOptions{
		MsgID: MsgID(j.Conversation, m.ClientID), ExpectLast: new(j.Seq), ExpectFilter: j.Subject,
	})
	if err != nil {
		return Posted{}, fmt.Errorf("store message %s of %s: %w", m.ClientID, j.Conversation, err)
	}
	posted := Posted{Conversation: j.Conversation, ID: e.ID, Seq: seq, Duplicate: duplicate}
	if duplicate {
		posted.ID = "" // the stored one has the id of the first try
	}
	return posted, nil
}

// find looks for a message in a conversation that may have ended.
func (d Desk) find(ctx context.Context, conv conversation.ID, clientID string) (Posted, bool, error) {
	for stored, err := range d.Log.Read(ctx, d.Subjects.Messages(string(conv)), 0) {
		if err != nil {
			return Posted{}, false, fmt.Errorf("look for message %s in %s: %w", clientID, conv, err)
		}
		if stored.MsgID != MsgID(conv, clientID) {
			continue
		}
		posted := Posted{Conversation: conv, Seq: stored.Seq, Duplicate: true}
		if e, err := conversation.Decode(stored.Data); err == nil {
			posted.ID = e.ID
		}
		return posted, true, nil
	}
	return Posted{}, false, nil
}

// MsgID is the id under which the bus recognises a message of a conversation that is sent again. All
// writers of .msg use it.
func MsgID(conv conversation.ID, clientID string) string { return string(conv) + ":" + clientID }

func (c Contact) validate() error {
	for _, f := range []struct{ field, value string }{{"channel", c.Channel}, {"contact", c.ID}} {
		if !conversation.IsToken(f.value) {
			return &conversation.FieldError{Field: f.field, Value: f.value,
				Remedy: "use 1 to 64 characters of A-Z, a-z, 0-9, _ and -; bus.ContactToken makes such a token of any id"}
		}
	}
	return nil
}

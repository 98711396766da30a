package archive

import (
	"encoding/json"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/escalation"
	"github.com/deskfleet/deskfleet/internal/knowledge"
)

// convRow is the row of one conversation while a batch is written.
type convRow struct {
	id          conversation.ID
	status      conversation.Status
	channel     string
	contact     string
	contactName string
	language    string
	queue       string
	agent       conversation.Agent
	disposition string
	tags        []string
	tagged      bool // the tags are others than those that are stored
	rating      conversation.Rating
	openedAt    time.Time
	endedAt     time.Time // zero while open
	loggedAt    time.Time // of the last event, by the bus's clock
	generation  int64
	lastSeq     uint64
	// customerSeq is the sequence of the last message of the customer. The conversation stays in the log
	// until the router has seen it: a message that came after the end may reopen the conversation.
	customerSeq uint64
	purgedSeq   uint64
	messages    int
	state       conversation.State
	isNew       bool
}

func newConvRow(id conversation.ID, generation int64) *convRow {
	return &convRow{id: id, generation: generation, isNew: true}
}

// enter moves the row to the log that the next event lies in.
func (r *convRow) enter(generation int64) {
	if r.generation == generation {
		return
	}
	// Sequences of another log say nothing, and what happened is told again by the new one.
	r.generation, r.lastSeq, r.customerSeq, r.purgedSeq = generation, 0, 0, 0
	r.state = conversation.State{}
}

// see notes that an event lies in the log, whatever it is.
func (r *convRow) see(e conversation.Event, logged time.Time) {
	r.lastSeq = max(r.lastSeq, e.Seq)
	if logged.After(r.loggedAt) {
		r.loggedAt = logged
	}
	if r.openedAt.IsZero() {
		r.openedAt = e.At
	}
}

// say folds a message. fresh is false for one that is stored already under its client id.
func (r *convRow) say(e conversation.Event, m *conversation.Message, fresh bool) error {
	if m.From.Kind == conversation.KindCustomer {
		r.customerSeq = max(r.customerSeq, e.Seq)
		r.contact = orOld(m.From.ID, r.contact)
		r.contactName = orOld(m.From.Name, r.contactName)
		r.channel = orOld(m.Channel, r.channel)
	}
	if !fresh {
		return nil
	}
	r.messages++
	return r.apply(e)
}

// decide folds an event of ownership.
func (r *convRow) decide(e conversation.Event) error {
	if b, ok := e.Body.(*conversation.Rated); ok {
		r.rating, r.state.Rating = b.Rating, &b.Rating // it moves the conversation nowhere
		return nil
	}
	err := r.apply(e)
	switch b := e.Body.(type) {
	case *conversation.Opened:
		r.openedAt = e.At
		r.channel, r.contact = b.Channel, b.Contact
		r.contactName = orOld(b.ContactName, r.contactName)
	case *conversation.Closed:
		r.disposition = b.Disposition
	case *conversation.Tagged:
		r.tags, r.tagged = b.Tags, true
	}
	if err != nil {
		// The archive may have missed the beginning. Whether the conversation is over decides about
		// forgetting it, so that is taken from the event itself.
		r.status = statusAfter(e.Type, r.status)
	}
	if !r.status.Ended() {
		r.endedAt = time.Time{}
	} else if r.endedAt.IsZero() {
		r.endedAt = e.At
	}
	return err
}

// apply folds any event as far as it fits.
func (r *convRow) apply(e conversation.Event) error {
	next, err := conversation.Apply(r.state, e)
	if err != nil {
		return err
	}
	r.state = next
	if next.Status != conversation.StatusNone {
		r.status = next.Status
	}
	r.language = orOld(next.Language, r.language)
	r.queue = orOld(next.Queue, r.queue)
	if owner := next.Owner(); owner != nil {
		r.agent = *owner
	}
	return nil
}

func orOld(value, old string) string {
	if value == "" {
		return old
	}
	return value
}

// statusAfter tells the status after an event of ownership that does not fit the known state.
func statusAfter(t conversation.Type, before conversation.Status) conversation.Status {
	switch t {
	case conversation.TypeOpened, conversation.TypeQueued, conversation.TypeOfferEnded:
		return conversation.StatusQueued
	case conversation.TypeAssigned:
		return conversation.StatusBot
	case conversation.TypeOffered:
		return conversation.StatusOffered
	case conversation.TypeAccepted:
		return conversation.StatusActive
	case conversation.TypeWrapUpStarted:
		return conversation.StatusWrapUp
	case conversation.TypeClosed:
		return conversation.StatusClosed
	case conversation.TypeAbandoned:
		return conversation.StatusAbandoned
	case conversation.TypeReopened:
		return conversation.StatusReopened
	default:
		return before
	}
}

// factsOf is what the escalation policy can see of the conversation right after the customer's message was
// folded. The names are those of escalation.FactTable; the text stands in the message. What is not known yet
// has the value that the router gives the policy then.
func (r *convRow) factsOf(m *conversation.Message, at time.Time) (string, error) {
	f := escalation.ConversationFacts{
		Misses: r.state.Misses, Turns: r.state.Turns, Channel: r.channel, Queue: orOld(r.state.Queue, conversation.BotQueue),
	}
	if r.state.Status.Waiting() && at.After(r.state.Arrival.At) {
		f.Waited = at.Sub(r.state.Arrival.At)
	}
	data, err := json.Marshal(map[string]any{
		"message.language":      orOld(m.Language, r.state.Language),
		"message.asksForPerson": m.AsksForPerson || knowledge.AsksForPerson(m.Text),
		"conversation.misses":   f.Misses,
		"conversation.turns":    f.Turns,
		"conversation.waited":   f.Waited.String(),
		"conversation.channel":  f.Channel,
		"conversation.queue":    f.Queue,
	})
	return string(data), err
}

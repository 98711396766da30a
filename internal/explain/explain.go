// Package explain tells the story of a conversation's routing in words: each decision about it, in order, with the reasons
// that were stored with it. A [Source] reads it from a desk's console; what makes words of it is pure.
package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// Decision about a conversation.
type Decision struct {
	// At is when it was made, Seq its place in the desk's stream.
	At  time.Time `json:"at"`
	Seq uint64    `json:"seq"`
	// Type is that of the event, such as "offered".
	Type conversation.Type `json:"type"`
	// Text says in words what was decided.
	Text string `json:"text"`
	// Why are the reasons in the order in which they count; none for what explains itself.
	Why []string `json:"why,omitempty"`
}

// Decisions among the events of a conversation, in their order. What was said is none of them. An event that this release does
// not know is named, so that nothing is left out in silence.
func Decisions(events []conversation.Event) []Decision {
	var all []Decision
	for i := range events {
		e := &events[i]
		if _, said := e.Body.(*conversation.Message); said {
			continue
		}
		text, why := tell(e.Body)
		all = append(all, Decision{At: e.At, Seq: e.Seq, Type: e.Type, Text: text, Why: why})
	}
	return all
}

// tell what a decision is about, with its reasons.
func tell(body conversation.Body) (text string, why []string) {
	switch b := body.(type) {
	case *conversation.Opened:
		return opened(b), b.Why
	case *conversation.Queued:
		return queued(b), b.Why
	case *conversation.Prioritised:
		return fmt.Sprintf("has priority %d now%s", b.Priority, byRule(b.Rule)), b.Why
	case *conversation.CallbackOffered:
		return "the customer was told of a later answer, and keeps the place", b.Why
	case *conversation.Pended:
		return pended(b), b.Why
	case *conversation.Reopened:
		return "the customer wrote again", nil
	case *conversation.Tagged:
		return tagged(b), nil
	case *conversation.Rated:
		return fmt.Sprintf("the customer gave %d of %d", b.Score, conversation.MaxScore), nil
	case *conversation.Unknown:
		return "a decision of a newer release: " + string(b.Type), nil
	default:
		return tellAgents(body)
	}
}

// tellAgents tells of decisions that concern who has the conversation.
func tellAgents(body conversation.Body) (text string, why []string) {
	switch b := body.(type) {
	case *conversation.Assigned:
		return "given to bot " + who(b.Agent), b.Why
	case *conversation.Offered:
		return fmt.Sprintf("offered to %s until %s", who(b.Agent), b.Deadline.UTC().Format(time.TimeOnly)), b.Why
	case *conversation.OfferEnded:
		return offerEnded(b), b.Why
	case *conversation.Accepted:
		return who(b.Agent) + " accepted", nil
	case *conversation.WrapUpStarted:
		return who(b.Agent) + " ended the talk", nil
	case *conversation.Resumed:
		return "the customer wrote, " + who(b.Agent) + " goes on", nil
	case *conversation.Closed:
		return closed(b), nil
	case *conversation.Abandoned:
		return fmt.Sprintf("the customer gave up after %s", (time.Duration(b.WaitedMillis) * time.Millisecond).Round(time.Second)), b.Why
	default:
		return string(body.EventType()), nil
	}
}

func opened(b *conversation.Opened) string {
	text := fmt.Sprintf("came by %s to queue %s with priority %d", b.Channel, b.Queue, b.Priority)
	if tier := b.Attributes.Tier(); tier != "" {
		text += ", as a contact of tier " + tier
	}
	return text
}

// causes in words.
var causes = map[conversation.Cause]string{
	conversation.CauseHandOff:       "handed off",
	conversation.CauseEscalation:    "escalated",
	conversation.CauseAgentLost:     "its agent was lost",
	conversation.CauseSignedOff:     "its agent signed off",
	conversation.CauseDrained:       "its agent had to leave",
	conversation.CauseShiftEnd:      "its agent's shift was over",
	conversation.CauseReopened:      "taken up again",
	conversation.CauseConfiguration: "the configuration changed",
	conversation.CauseOverflow:      "a step of the degradation ladder",
	conversation.CauseTakeOver:      "taken over",
	conversation.CauseFollowUp:      "it had been put off",
	conversation.CauseCallback:      "it was to be called back",
}

func queued(b *conversation.Queued) string {
	cause := causes[b.Cause]
	if cause == "" {
		cause = string(b.Cause) // of a newer release
	}
	text := fmt.Sprintf("waits in queue %s with priority %d: %s%s", b.Queue, b.Priority, cause, byRule(b.Rule))
	if b.Pin != "" {
		text += ", for " + b.Pin
	}
	return text
}

func pended(b *conversation.Pended) string {
	until := b.Until.UTC().Format(time.RFC3339)
	if b.Agent == "" {
		return "the customer is to be called back at " + until
	}
	if b.Promised {
		return b.Agent + " promised the customer to come back at " + until
	}
	return b.Agent + " put it off until " + until
}

func tagged(b *conversation.Tagged) string {
	if len(b.Tags) == 0 {
		return b.By.ID + " took its tags away"
	}
	return b.By.ID + " tagged it " + strings.Join(b.Tags, ", ")
}

// outcomes of offers in words.
var outcomes = map[conversation.Outcome]string{
	conversation.OutcomeDeclined: " declined",
	conversation.OutcomeExpired:  " missed the offer",
	conversation.OutcomeRevoked:  "'s offer was taken back",
}

func offerEnded(b *conversation.OfferEnded) string {
	outcome := outcomes[b.Outcome]
	if outcome == "" {
		outcome = "'s offer ended: " + string(b.Outcome)
	}
	return who(b.Agent) + outcome
}

func closed(b *conversation.Closed) string {
	by := string(b.By.Kind)
	if b.By.ID != "" && b.By.Kind != conversation.KindCustomer {
		by += " " + b.By.ID
	}
	text := fmt.Sprintf("closed by %s: %s", by, b.Reason)
	if b.Disposition != "" {
		text += ", " + b.Disposition
	}
	if b.MergedInto != "" {
		text += ", goes on in " + string(b.MergedInto)
	}
	return text
}

func who(a conversation.Agent) string {
	if a.Pool == "" {
		return a.ID
	}
	return a.ID + " of " + a.Pool
}

func byRule(rule string) string {
	if rule == "" {
		return ""
	}
	return " by rule " + strings.ReplaceAll(rule, ",", ", ")
}

package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/knowledge"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// storeWithin bounds the storing of one message; the bus repeats by itself so long.
const storeWithin = 10 * time.Second

// post checks a message and stores it. It returns after the bus has it on disk. Errors become problems
// by problem.From. known is the contact's open conversation, if the caller follows it.
func (l *link) post(
	ctx context.Context, g *Gateway, c contact, known intake.Joined, language string, f *chatwire.ClientFrame,
) (intake.Posted, error) {
	posted, err := l.tryPost(ctx, g, c, known, language, f)
	result := "stored"
	var refused *problem.Problem
	switch {
	case err == nil && posted.Duplicate:
		result = "duplicate"
	case errors.As(err, &refused):
		result = "refused"
	case err != nil && problem.From(err).Status < http.StatusInternalServerError:
		result = "refused"
	case errors.Is(err, bus.ErrFull):
		result = "full"
	case err != nil:
		result = "unavailable"
		g.log.Log(ctx, problem.Level(ctx, err), "message not stored", "contact", c.ID, "error", err)
	}
	g.metrics.messages.WithLabelValues(result).Inc()
	return posted, err
}

func (l *link) tryPost(
	ctx context.Context, g *Gateway, c contact, known intake.Joined, language string, f *chatwire.ClientFrame,
) (intake.Posted, error) {
	now := time.Now()
	if err := g.checkLimits(c.ID, f.Text, now); err != nil {
		return intake.Posted{}, err
	}
	if spoken := knowledge.DetectLanguage(f.Text); spoken != "" {
		language = spoken
	} else if f.Language != "" {
		language = f.Language
	}
	m := conversation.Message{
		Text: f.Text, Language: language, ClientID: f.ClientID, AsksForPerson: knowledge.AsksForPerson(f.Text),
	}
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	posted, err := l.intake.PostKnowing(ctx, intakeContact(c, language), known, m, f.Conversation, now)
	if err != nil {
		return intake.Posted{}, err
	}
	g.metrics.stored.Observe(time.Since(now).Seconds())
	return posted, nil
}

// start opens the contact's conversation, or joins the open one.
func (l *link) start(ctx context.Context, g *Gateway, c contact, language string) (intake.Joined, error) {
	now := time.Now()
	if err := g.checkRate(c.ID, now); err != nil {
		return intake.Joined{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	return l.intake.OpenOrJoin(ctx, intakeContact(c, language), now)
}

func intakeContact(c contact, language string) intake.Contact {
	return intake.Contact{Channel: Channel, ID: c.ID, Name: c.Name, Language: language, Attributes: c.Attributes}
}

// checkLimits bounds length and rate of what one contact sends.
func (g *Gateway) checkLimits(contactID, text string, now time.Time) error {
	limits := g.document().WebChat
	n := utf8.RuneCountInString(text)
	if n > limits.MaxMessageLength || len(text) > conversation.MaxTextBytes {
		return problem.Field(http.StatusRequestEntityTooLarge, problem.CodeTooLarge, "text", text,
			fmt.Sprintf("it has %d characters in %d bytes", n, len(text)),
			fmt.Sprintf("send at most %d characters in %d bytes at a time", limits.MaxMessageLength, conversation.MaxTextBytes))
	}
	return g.checkRate(contactID, now)
}

func (g *Gateway) checkRate(contactID string, now time.Time) error {
	limits := g.document().WebChat
	if wait, ok := g.messageRate.Take(contactID, limits.MessagesPerMinute, limits.MessagesPerMinute, now); !ok {
		return problem.New(http.StatusTooManyRequests, problem.CodeRate,
			fmt.Sprintf("a contact may send %d messages a minute", limits.MessagesPerMinute), "wait, then send it again").RetryAfter(wait)
	}
	return nil
}

// readsPerMinute of whole conversations by one contact. Reading costs the desk far more than asking for it: who
// only comes back and goes, or asks for the same over and over, must not slow the desk down for others.
const readsPerMinute = 300

func (g *Gateway) checkReads(contactID string, now time.Time) error {
	if wait, ok := g.readRate.Take(contactID, readsPerMinute, readsPerMinute, now); !ok {
		return problem.New(http.StatusTooManyRequests, problem.CodeRate,
			fmt.Sprintf("a contact may read its conversations %d times a minute", readsPerMinute), "wait, then ask again").RetryAfter(wait)
	}
	return nil
}

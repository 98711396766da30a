package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/knowledge"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/webhook"
)

// maxForeignID of a messenger's ids in bytes.
const maxForeignID = 256

// bridgedMessage is what a bridge posts.
type bridgedMessage struct {
	// ID of the message, the messenger's own: what has the same id is stored once.
	ID      string         `json:"id"`
	Contact bridgedContact `json:"contact"`
	Text    string         `json:"text"`
	// Language as a BCP 47 tag; may be empty.
	Language string `json:"language"`
}

// bridgedContact is who wrote, as the bridge knows them.
type bridgedContact struct {
	// ID of the customer, the messenger's own.
	ID   string `json:"id"`
	Name string `json:"name"`
	// Attributes that the bridge assures of the customer; the tier is one. They count for the conversation that the
	// message opens.
	Attributes conversation.Attributes `json:"attributes"`
}

// bridgedReply answers it.
type bridgedReply struct {
	ID           string          `json:"id"`
	Conversation conversation.ID `json:"conversation"`
	Contact      string          `json:"contact"`
	Seq          uint64          `json:"seq"`
	Duplicate    bool            `json:"duplicate"`
}

// bridged handles POST /v1/channels/webhook.
func (g *Gateway) bridged(r *http.Request) (int, any, error) {
	l, err := g.serving()
	if err != nil {
		return 0, nil, err
	}
	body, err := g.signed(r)
	if err != nil {
		return 0, nil, err
	}
	var m bridgedMessage
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	if err := readBody(again, &m); err != nil {
		return 0, nil, err
	}
	if err := m.check(); err != nil {
		return 0, nil, err
	}
	contact := intake.Contact{Channel: runtimeconfig.ChannelWebhook, ID: bus.ContactToken(m.Contact.ID), Name: m.Contact.Name, Language: m.Language, Attributes: m.Contact.Attributes}
	if err := g.checkLimits(contact.Channel+"/"+contact.ID, m.Text, time.Now()); err != nil {
		return 0, nil, err
	}
	posted, err := l.bridge(r.Context(), contact, &m)
	if err != nil {
		return 0, nil, err
	}
	status, result := http.StatusCreated, "stored"
	if posted.Duplicate {
		status, result = http.StatusOK, "duplicate"
	}
	g.metrics.messages.WithLabelValues(result).Inc()
	return status, bridgedReply{
		ID: m.ID, Conversation: posted.Conversation, Contact: contact.ID, Seq: posted.Seq, Duplicate: posted.Duplicate,
	}, nil
}

// signed reads the body and verifies that it comes from the desk's bridge, now.
func (g *Gateway) signed(r *http.Request) ([]byte, error) {
	declared := slices.ContainsFunc(g.document().Webhooks, func(h runtimeconfig.Webhook) bool { return h.Name == runtimeconfig.ChannelWebhookName })
	if !declared {
		return nil, problem.New(http.StatusNotFound, problem.CodeNotFound, "the desk has no webhook channel", "declare spec.channels.webhook")
	}
	keys, err := webhook.ReadSecrets(filepath.Join(g.opts.Webhooks, runtimeconfig.ChannelWebhookName))
	if err != nil || g.opts.Webhooks == "" {
		g.keysMissing.Do(func() { g.log.Error("messages of the bridge are refused, their secret is missing", "error", err) })
		return nil, problem.New(http.StatusServiceUnavailable, problem.CodeUnconfigured, "the desk cannot verify bridges: its secret is missing or wrong",
			"make the Secret that channels.webhook.secretRef names").RetryAfter(30 * time.Second)
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return nil, problem.New(http.StatusRequestEntityTooLarge, problem.CodeTooLarge, "the body is too long", "send at most "+strconv.Itoa(maxBody)+" bytes")
	}
	if err != nil {
		return nil, problem.New(http.StatusBadRequest, problem.CodeInvalid, "the body cannot be read", "send it again")
	}
	for _, key := range keys {
		if err = key.Verify(body, r.Header); err == nil {
			return body, nil
		}
	}
	return nil, problem.New(http.StatusUnauthorized, problem.CodeSignature, "it is missing, of another secret, or of another time: "+err.Error(),
		"sign webhook-id, webhook-timestamp and the body with the channel's secret, as Standard Webhooks has it, when it is sent")
}

// check what a bridge posted. The error is a problem.
func (m *bridgedMessage) check() error {
	for _, f := range []struct{ field, value string }{{"id", m.ID}, {"contact.id", m.Contact.ID}} {
		if f.value == "" || len(f.value) > maxForeignID {
			return problem.Field(http.StatusBadRequest, problem.CodeInvalid, f.field, f.value, "", "use 1 to 256 bytes")
		}
	}
	if strings.TrimSpace(m.Text) == "" {
		return problem.Field(http.StatusBadRequest, problem.CodeInvalid, "text", m.Text, "", "write something")
	}
	if wrong, ok := errors.AsType[*conversation.FieldError](m.Contact.Attributes.Validate()); ok {
		return problem.Field(http.StatusBadRequest, problem.CodeInvalid, "contact."+wrong.Field, wrong.Value, "", wrong.Remedy)
	}
	return errors.Join(chatwire.CheckName(m.Contact.Name), chatwire.CheckLanguage(m.Language))
}

// bridge stores a message in the contact's conversation, unless the one before, which has ended, holds it already.
func (l *link) bridge(ctx context.Context, c intake.Contact, m *bridgedMessage) (intake.Posted, error) {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	// The same rule as for contacts: ids of messengers have characters that stand in no message's id.
	clientID := bus.ContactToken(m.ID)
	if posted, found, err := l.bridgedBefore(ctx, c, clientID); err != nil || found {
		return posted, err
	}
	if spoken := knowledge.DetectLanguage(m.Text); spoken != "" {
		c.Language = spoken
	}
	return l.intake.Post(ctx, c, conversation.Message{
		Text: m.Text, Language: c.Language, ClientID: clientID, AsksForPerson: knowledge.AsksForPerson(m.Text),
	}, "", time.Now())
}

// bridgedBefore looks for a message in the contact's latest conversation when that has ended: sent again it must not
// open another one. While it is open the log and all who read it recognise the message by themselves.
func (l *link) bridgedBefore(ctx context.Context, c intake.Contact, clientID string) (intake.Posted, bool, error) {
	last, found, err := l.Log.Last(ctx, l.intake.Subjects.Claim(c.Channel, c.ID))
	if err != nil || !found {
		return intake.Posted{}, false, err
	}
	claim, err := conversation.DecodeClaim(last.Data)
	if err != nil || !claim.Ended {
		return intake.Posted{}, false, nil // an unreadable claim is worth as little as none
	}
	logged := false
	for stored, err := range l.Log.Read(ctx, l.intake.Subjects.Messages(string(claim.Conversation)), 0) {
		if err != nil {
			return intake.Posted{}, false, err
		}
		logged = true
		if isMessage(stored.Data, clientID) {
			return intake.Posted{Conversation: claim.Conversation, Seq: stored.Seq, Duplicate: true}, true, nil
		}
	}
	if logged {
		return intake.Posted{}, false, nil
	}
	// The archive may be away: that must not keep a customer from opening another conversation.
	request := archive.TranscriptRequest{Conversation: claim.Conversation, Limit: archive.MaxItems}
	for {
		reply, err := l.archive.Transcript(ctx, request)
		if err != nil {
			return intake.Posted{}, false, nil
		}
		for _, item := range reply.Items {
			if isMessage(item.Event, clientID) {
				return intake.Posted{Conversation: claim.Conversation, Seq: item.Seq, Duplicate: true}, true, nil
			}
		}
		if reply.Next == "" {
			return intake.Posted{}, false, nil
		}
		request.After = reply.Next
	}
}

// isMessage says whether a stored event is the customer's message with the client id.
func isMessage(event json.RawMessage, clientID string) bool {
	e, err := conversation.Decode(event)
	if err != nil {
		return false
	}
	m, ok := e.Body.(*conversation.Message)
	return ok && m.From.Kind == conversation.KindCustomer && m.ClientID == clientID
}

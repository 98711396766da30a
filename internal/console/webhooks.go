package console

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/web/problem"
	"github.com/deskfleet/deskfleet/internal/webhook"
)

// maxRequest of a body in bytes.
const maxRequest = 16 << 10

// webhooks lists how the desk's webhooks fare.
func (c *Console) webhooks(k *call) (any, error) {
	reply, err := k.link.archive.Webhooks(k.Context(), archive.WebhookRequest{Action: archive.WebhooksList})
	if err != nil {
		return nil, err
	}
	return struct {
		Webhooks []archive.WebhookState `json:"webhooks"`
	}{orEmpty(reply.Webhooks)}, nil
}

// deadLetters lists what was given up for a webhook. No text of a customer stands in it.
func (c *Console) deadLetters(k *call) (any, error) {
	most, err := limited(k)
	if err != nil {
		return nil, err
	}
	reply, err := k.link.archive.Webhooks(k.Context(), archive.WebhookRequest{
		Action: archive.WebhooksDeadLetters, Webhook: k.PathValue("name"), After: k.URL.Query().Get("after"), Limit: most,
	})
	if err != nil {
		return nil, err
	}
	return struct {
		DeadLetters []webhook.DeadLetter `json:"deadLetters"`
		Next        string               `json:"next,omitempty"`
	}{orEmpty(reply.DeadLetters), reply.Next}, nil
}

// replay lets dead letters wait for their receiver again, after that was stored for the audit.
func (c *Console) replay(k *call) (any, error) {
	var body struct {
		IDs []string `json:"ids"`
		All bool     `json:"all"`
	}
	if err := readBody(k, &body); err != nil {
		return nil, err
	}
	reply, err := c.changeWebhook(k, "webhook.replayed", archive.WebhookRequest{Action: archive.WebhooksReplay, IDs: body.IDs, All: body.All})
	if err != nil {
		return nil, err
	}
	return struct {
		Replayed int `json:"replayed"`
	}{reply.Replayed}, nil
}

// enable a webhook whose receiver wanted no more, after that was stored for the audit.
func (c *Console) enable(k *call) (any, error) {
	_, err := c.changeWebhook(k, "webhook.enabled", archive.WebhookRequest{Action: archive.WebhooksEnable})
	return struct{}{}, err
}

func (c *Console) changeWebhook(k *call, action string, r archive.WebhookRequest) (*archive.WebhookReply, error) {
	r.Webhook = k.PathValue("name")
	details, err := json.Marshal(struct {
		Webhook string   `json:"webhook"`
		IDs     []string `json:"ids,omitempty"`
		All     bool     `json:"all,omitempty"`
	}{r.Webhook, r.IDs, r.All})
	if err != nil {
		return nil, err
	}
	if err := k.link.report(k.Context(), action, k.user, "", details); err != nil {
		return nil, err
	}
	return k.link.archive.Webhooks(k.Context(), r)
}

// readBody reads a JSON body. Errors are problems.
func readBody(k *call, into any) error {
	kind, _, err := mime.ParseMediaType(k.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return problem.Field(http.StatusUnsupportedMediaType, problem.CodeInvalid, "Content-Type", k.Header.Get("Content-Type"), "", "send application/json")
	}
	data, err := io.ReadAll(http.MaxBytesReader(nil, k.Body, maxRequest))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return problem.New(http.StatusRequestEntityTooLarge, problem.CodeTooLarge, "the body is too long", "send at most 16 KiB")
	}
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return problem.New(http.StatusBadRequest, problem.CodeInvalid, "the body is not the JSON that is expected", "send the fields of the API's description")
	}
	return nil
}

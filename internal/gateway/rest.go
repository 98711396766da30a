package gateway

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/web/limit"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// maxBody of a request in bytes: the longest message in its worst spelling.
const maxBody = conversation.MaxEventBytes

// Page sizes of the history.
const (
	historyDefault = 100
	historyMost    = 500
)

// call is one REST request of a known contact.
type call struct {
	*http.Request
	link    *link
	contact contact
}

// api wraps a handler: the desk must be there and the token good. What it returns is the answer's body.
func (g *Gateway) api(h func(c *call) (status int, body any, err error)) http.HandlerFunc {
	return g.reply(func(r *http.Request) (int, any, error) { return g.answer(r, h) })
}

// reply writes what a handler returns: a body, or the problem that an error is.
func (g *Gateway) reply(h func(r *http.Request) (status int, body any, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, body, err := h(r)
		if err != nil {
			p := problem.From(err)
			if p.Status >= http.StatusInternalServerError { // what was refused may hold what a customer wrote
				g.log.Log(r.Context(), problem.Level(r.Context(), err), "request failed", "path", r.URL.Path, "error", err)
			}
			if p.Status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Bearer realm="desk"`)
			}
			problem.Write(w, p)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body) // the client may be gone
	}
}

func (g *Gateway) answer(r *http.Request, h func(c *call) (int, any, error)) (int, any, error) {
	l, err := g.serving()
	if err != nil {
		return 0, nil, err
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token == "" {
		return 0, nil, problem.New(http.StatusUnauthorized, problem.CodeUnauthorised, "",
			`send "Authorization: Bearer TOKEN" with the token that POST /v1/conversations gave`)
	}
	who, err := g.identify(token, "", limit.ClientAddr(r, g.opts.TrustedProxies), time.Now())
	if err != nil {
		return 0, nil, err
	}
	return h(&call{Request: r, link: l, contact: who})
}

// started answers POST /v1/conversations.
type started struct {
	Conversation conversation.ID      `json:"conversation"`
	Contact      chatwire.ContactCard `json:"contact"`
	Token        string               `json:"token"`
}

// start handles POST /v1/conversations, the one call that needs no token.
func (g *Gateway) start(r *http.Request) (int, any, error) {
	l, err := g.serving()
	if err != nil {
		return 0, nil, err
	}
	var body struct {
		Contact  chatwire.ContactCard `json:"contact"`
		Language string               `json:"language"`
	}
	if err := readBody(r, &body); err != nil {
		return 0, nil, err
	}
	if err := errors.Join(chatwire.CheckName(body.Contact.Name), chatwire.CheckLanguage(body.Language)); err != nil {
		return 0, nil, err
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	who, err := g.identify(token, body.Contact.Name, limit.ClientAddr(r, g.opts.TrustedProxies), time.Now())
	if err != nil {
		return 0, nil, err
	}
	joined, err := l.start(r.Context(), g, who, body.Language)
	if err != nil {
		return 0, nil, err
	}
	status := http.StatusOK
	if joined.Opened {
		status = http.StatusCreated
	}
	return status, started{
		Conversation: joined.Conversation, Token: who.Token,
		Contact: chatwire.ContactCard{ID: who.ID, Name: who.Name},
	}, nil
}

// sent answers POST /v1/conversations/{id}/messages.
type sent struct {
	ClientID     string          `json:"clientId"`
	Conversation conversation.ID `json:"conversation"`
	ID           conversation.ID `json:"id"`
	Seq          uint64          `json:"seq"`
	Duplicate    bool            `json:"duplicate"`
}

func (g *Gateway) send(c *call) (int, any, error) {
	var body struct {
		ClientID string `json:"clientId"`
		Text     string `json:"text"`
		Language string `json:"language"`
	}
	if err := readBody(c.Request, &body); err != nil {
		return 0, nil, err
	}
	if err := errors.Join(chatwire.CheckMessage(body.ClientID, body.Text), chatwire.CheckLanguage(body.Language)); err != nil {
		return 0, nil, err
	}
	conv, err := g.ownConversation(c)
	if err != nil {
		return 0, nil, err
	}
	posted, err := g.postOnce(c, &chatwire.ClientFrame{
		Conversation: conv, ClientID: body.ClientID, Text: body.Text, Language: body.Language,
	})
	if err != nil {
		return 0, nil, err
	}
	status := http.StatusCreated
	if posted.Duplicate {
		status = http.StatusOK
	}
	return status, sent{
		ClientID: body.ClientID, Conversation: posted.Conversation,
		ID: posted.ID, Seq: posted.Seq, Duplicate: posted.Duplicate,
	}, nil
}

// postOnce stores a message, unless it is stored already in a conversation that has ended.
func (g *Gateway) postOnce(c *call, f *chatwire.ClientFrame) (intake.Posted, error) {
	latest, err := c.link.latest(c.Context(), c.contact.ID)
	if err != nil {
		return intake.Posted{}, err
	}
	if !latest.open || latest.conv != f.Conversation {
		if err := g.checkReads(c.contact.ID, time.Now()); err != nil {
			return intake.Posted{}, err
		}
		if posted, found, err := c.link.before(c.Context(), c.contact.ID, f); err != nil || found {
			return posted, err
		}
	}
	return c.link.post(c.Context(), g, c.contact, intake.Joined{}, f.Language, f)
}

// history answers GET /v1/conversations/{id}/messages.
type history struct {
	Conversation conversation.ID    `json:"conversation"`
	State        chatwire.State     `json:"state"`
	Messages     []chatwire.Message `json:"messages"`
	// Seq to go on after, and whether there is More.
	Seq  uint64 `json:"seq"`
	More bool   `json:"more"`
}

func (g *Gateway) history(c *call) (int, any, error) {
	after, err := number(c, "after", 0, 1<<63)
	if err != nil {
		return 0, nil, err
	}
	most, err := number(c, "limit", historyDefault, historyMost)
	if err != nil {
		return 0, nil, err
	}
	conv, stored, err := g.ownRecorded(c)
	if err != nil {
		return 0, nil, err
	}
	v := newView(conv)
	h := history{Conversation: conv, Messages: []chatwire.Message{}, Seq: after}
	for _, m := range stored {
		frame, err := v.fold(m)
		if err != nil {
			g.log.WarnContext(c.Context(), "event left out", "conversation", conv, "error", err)
			continue
		}
		said, ok := frame.(chatwire.Message)
		switch {
		case !ok || said.Seq <= after:
		case uint64(len(h.Messages)) >= most:
			h.More = true
		default:
			h.Messages = append(h.Messages, said)
			h.Seq = said.Seq
		}
	}
	h.State = v.public()
	return http.StatusOK, h, nil
}

// closed answers POST /v1/conversations/{id}/close.
type closed struct {
	Conversation conversation.ID     `json:"conversation"`
	Status       conversation.Status `json:"status"`
}

func (g *Gateway) close(c *call) (int, any, error) {
	conv, err := g.ownConversation(c)
	if err != nil {
		return 0, nil, err
	}
	reply, err := c.link.end(c.Context(), g.subjects, c.contact.ID, conv)
	if err != nil {
		return 0, nil, err
	}
	out := closed{Conversation: conv, Status: conversation.StatusClosed}
	if reply.Conversation != nil {
		out.Status = reply.Conversation.Status
	}
	return http.StatusOK, out, nil
}

// ownConversation is the conversation in the path, if it is the contact's.
func (g *Gateway) ownConversation(c *call) (conversation.ID, error) {
	conv, claimed, err := g.named(c)
	if err != nil || claimed {
		return conv, err
	}
	conv, _, err = g.ownRecorded(c)
	return conv, err
}

// ownRecorded reads the conversation in the path, if it is the contact's.
func (g *Gateway) ownRecorded(c *call) (conversation.ID, []bus.Stored, error) {
	conv, claimed, err := g.named(c)
	if err != nil {
		return "", nil, err
	}
	if err := g.checkReads(c.contact.ID, time.Now()); err != nil {
		return "", nil, err
	}
	stored, err := c.link.recorded(c.Context(), conv, c.contact.ID, claimed)
	if errors.Is(err, errForeign) {
		g.log.DebugContext(c.Context(), "conversation refused", "conversation", conv, "error", err)
		err = notFound(c)
	}
	return conv, stored, err
}

// named is the id in the path, and whether the contact's claim names it.
func (g *Gateway) named(c *call) (conversation.ID, bool, error) {
	conv, err := conversation.ParseID(c.PathValue("id"))
	if err != nil {
		return "", false, notFound(c)
	}
	latest, err := c.link.latest(c.Context(), c.contact.ID)
	return conv, latest.conv == conv, err
}

func notFound(c *call) *problem.Problem {
	return problem.Field(http.StatusNotFound, problem.CodeNotFound, "id", c.PathValue("id"),
		"the contact has no conversation of this id", "use the id that the last answer gave")
}

// readBody reads a JSON body. Errors are problems.
func readBody(r *http.Request, into any) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return problem.Field(http.StatusUnsupportedMediaType, problem.CodeInvalid, "Content-Type", r.Header.Get("Content-Type"), "", "send application/json")
	}
	data, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return problem.New(http.StatusRequestEntityTooLarge, problem.CodeTooLarge, "the body is too long", "send at most "+strconv.Itoa(maxBody)+" bytes")
	}
	if err != nil {
		return problem.New(http.StatusBadRequest, problem.CodeInvalid, "the body cannot be read", "send it again")
	}
	if err := json.Unmarshal(data, into); err != nil {
		return problem.New(http.StatusBadRequest, problem.CodeInvalid, "the body is not the JSON that is expected: "+err.Error(), "send the fields of the API's description")
	}
	return nil
}

// number reads a number from the query.
func number(c *call, name string, standby, most uint64) (uint64, error) {
	raw := c.URL.Query().Get(name)
	if raw == "" {
		return standby, nil
	}
	n, err := strconv.ParseUint(raw, 10, 64)
	if err != nil || n > most || n == 0 && standby > 0 {
		return 0, problem.Field(http.StatusBadRequest, problem.CodeInvalid, name, raw, "", "use a number up to "+strconv.FormatUint(most, 10))
	}
	return n, nil
}

package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	record "github.com/deskfleet/deskfleet/internal/archive/audit"
	archive "github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/console/agentwire"
	"github.com/deskfleet/deskfleet/internal/console/tokens"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/web/limit"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// archiveWithin bounds one question to the archive.
const archiveWithin = 8 * time.Second

// call is one REST request of a known user.
type call struct {
	*http.Request
	link *link
	user user
}

// api wraps a handler for users with at least the role.
func (c *Console) api(least tokens.Role, h func(*call) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := c.answer(r, least, h)
		if err != nil {
			p := problem.From(err)
			if p.Status >= http.StatusInternalServerError { // what was refused may hold what a customer wrote
				c.log.Log(r.Context(), problem.Level(r.Context(), err), "request failed", "path", r.URL.Path, "error", err)
			}
			if p.Status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Bearer realm="console"`)
			}
			problem.Write(w, p)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		if parts, ok := body.(stream); ok {
			parts.write(r.Context(), w)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body) // the client may be gone
	}
}

func (c *Console) answer(r *http.Request, least tokens.Role, h func(*call) (any, error)) (any, error) {
	token := bearer(r)
	if token == "" {
		return nil, problem.New(http.StatusUnauthorized, problem.CodeUnauthorised, "", `send "Authorization: Bearer TOKEN"`)
	}
	found, err := c.signIn(token, limit.ClientAddr(r, c.opts.TrustedProxies), time.Now())
	if err != nil {
		return nil, err
	}
	if !found.Role.AtLeast(least) {
		return nil, problem.Field(http.StatusForbidden, problem.CodeForbidden, "role", string(found.Role),
			"this is for the role "+string(least), "ask somebody with that role")
	}
	l, err := c.serving()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), archiveWithin)
	defer cancel()
	return h(&call{Request: r.WithContext(ctx), link: l, user: found})
}

func (c *Console) me(k *call) (any, error) {
	return map[string]string{"name": k.user.Name, "role": string(k.user.Role)}, nil
}

// transcriptReply is what is answered; the archive's reply without its envelope.
type transcriptReply struct {
	Conversation *archive.Conversation `json:"conversation"`
	Items        []archive.Item        `json:"items"`
	Next         string                `json:"next,omitempty"`
}

// transcript reads a conversation: from the log while it is there, then from the archive.
func (c *Console) transcript(k *call) (any, error) {
	conv, err := conversation.ParseID(k.PathValue("id"))
	if err != nil {
		return nil, problem.Field(http.StatusBadRequest, problem.CodeInvalid, "id", k.PathValue("id"), "", "name the conversation by its id")
	}
	most, err := limited(k)
	if err != nil {
		return nil, err
	}
	v, items, err := k.link.logged(k.Context(), conv, k.user.Name)
	if err != nil {
		return nil, err
	}
	if !k.user.Role.AtLeast(tokens.RoleSupervisor) && v.relation() != agentwire.Owned {
		return nil, problem.New(http.StatusForbidden, problem.CodeForbidden, "agents read the conversations that they own", "ask a supervisor")
	}
	if err := k.link.report(k.Context(), "conversation.read", k.user, conv, nil); err != nil {
		return nil, err
	}
	after := k.URL.Query().Get("after")
	if v.state.Status == conversation.StatusNone || v.state.Status.Ended() {
		reply, err := k.link.archive.Transcript(k.Context(), archive.TranscriptRequest{
			Conversation: conv, After: after, Limit: most, Ownership: true,
		})
		if err == nil {
			return transcriptReply{Conversation: reply.Conversation, Items: orEmpty(reply.Items), Next: reply.Next}, nil
		}
		if len(items) == 0 {
			return nil, err
		}
	}
	return part(v, items, after, most)
}

// logged reads a conversation from the log.
func (l *link) logged(ctx context.Context, conv conversation.ID, agent string) (*view, []archive.Item, error) {
	v := newView(conv, agent, 0)
	var items []archive.Item
	stored, err := l.read(ctx, conv)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range stored {
		if v.fold(m) != nil {
			continue // it is no part of the transcript
		}
		items = append(items, archive.Item{Seq: m.Seq, Event: m.Data})
	}
	return v, items, nil
}

// part cuts a page out of a transcript from the log; next is the last sequence of it.
func part(v *view, items []archive.Item, after string, most int) (any, error) {
	from := uint64(0)
	if after != "" {
		var err error
		if from, err = strconv.ParseUint(after, 10, 64); err != nil {
			return nil, problem.Field(http.StatusBadRequest, problem.CodeInvalid, "after", after, "", "use the next of the answer before")
		}
	}
	s := &v.state
	reply := transcriptReply{Items: []archive.Item{}, Conversation: &archive.Conversation{
		ID: s.ID, Status: s.Status, Channel: s.Channel, Contact: s.Contact, ContactName: s.ContactName, Language: s.Language,
		Queue: s.Queue, Agent: s.Agent, Disposition: s.Disposition, Tags: s.Tags, Rating: s.Rating, OpenedAt: s.OpenedAt, Messages: len(v.seen), LastSeq: v.last,
	}}
	for _, item := range items {
		if item.Seq <= from {
			continue
		}
		if len(reply.Items) == most {
			reply.Next = strconv.FormatUint(reply.Items[most-1].Seq, 10)
			break
		}
		reply.Items = append(reply.Items, item)
	}
	return reply, nil
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// search asks the archive, after the question was stored for the audit.
func (c *Console) search(k *call) (any, error) {
	q := k.URL.Query()
	most, err := limited(k)
	if err != nil {
		return nil, err
	}
	from, err := instant(k, "from")
	if err != nil {
		return nil, err
	}
	to, err := instant(k, "to")
	if err != nil {
		return nil, err
	}
	request := archive.SearchRequest{
		Text: q.Get("q"), Contact: q.Get("contact"), Agent: q.Get("agent"), Channel: q.Get("channel"),
		Tag: q.Get("tag"), Disposition: q.Get("disposition"),
		From: from, To: to, Limit: most, Before: q.Get("before"),
	}
	details, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	if err := k.link.report(k.Context(), "archive.searched", k.user, "", details); err != nil {
		return nil, err
	}
	reply, err := k.link.archive.Search(k.Context(), request)
	if err != nil {
		return nil, err
	}
	return struct {
		Hits []archive.Hit `json:"hits"`
		Next string        `json:"next,omitempty"`
	}{orEmpty(reply.Hits), reply.Next}, nil
}

// audit asks the archive for audit records.
func (c *Console) audit(k *call) (any, error) {
	q := k.URL.Query()
	most, err := limited(k)
	after, afterErr := number(k, "after", 0, 1<<63)
	newest, newestErr := truth(k, "newest")
	verify, verifyErr := truth(k, "verify")
	if err := errors.Join(err, afterErr, newestErr, verifyErr); err != nil {
		return nil, err
	}
	request := archive.AuditRequest{
		After: after, Limit: most, Conversation: conversation.ID(q.Get("conversation")),
		Who: q.Get("who"), Action: q.Get("action"), Newest: newest, Verify: verify,
	}
	details, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	if err := k.link.report(k.Context(), "audit.read", k.user, "", details); err != nil {
		return nil, err
	}
	reply, err := k.link.archive.Audit(k.Context(), request)
	if err != nil {
		return nil, err
	}
	return struct {
		Records  []record.Record       `json:"records"`
		Next     uint64                `json:"next,omitempty"`
		Verified *archive.Verification `json:"verified,omitempty"`
	}{orEmpty(reply.Records), reply.Next, reply.Verified}, nil
}

// number reads a number from the query.
func number(k *call, name string, standby, most uint64) (uint64, error) {
	raw := k.URL.Query().Get(name)
	if raw == "" {
		return standby, nil
	}
	n, err := strconv.ParseUint(raw, 10, 64)
	if err != nil || n > most {
		return 0, problem.Field(http.StatusBadRequest, problem.CodeInvalid, name, raw, "", "use a number up to "+strconv.FormatUint(most, 10))
	}
	return n, nil
}

// limited reads how many items are wanted.
func limited(k *call) (int, error) {
	raw := k.URL.Query().Get("limit")
	if raw == "" {
		return archive.DefaultItems, nil
	}
	n, err := strconv.Atoi(raw)
	if err != nil || n < 1 || n > archive.MaxItems {
		return 0, problem.Field(http.StatusBadRequest, problem.CodeInvalid, "limit", raw, "", "use a number from 1 to "+strconv.Itoa(archive.MaxItems))
	}
	return n, nil
}

func instant(k *call, name string) (time.Time, error) {
	raw := k.URL.Query().Get(name)
	if raw == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, raw)
	if err != nil {
		return time.Time{}, problem.Field(http.StatusBadRequest, problem.CodeInvalid, name, raw, "", "use a time in RFC 3339, such as 2026-11-20T08:00:00Z")
	}
	return at, nil
}

func truth(k *call, name string) (bool, error) {
	raw := k.URL.Query().Get(name)
	if raw == "" {
		return false, nil
	}
	v, err := strconv.ParseBool(raw)
	if err != nil {
		return false, problem.Field(http.StatusBadRequest, problem.CodeInvalid, name, raw, "", "use true or false")
	}
	return v, nil
}

package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/chatwire"
	"github.com/deskfleet/deskfleet/internal/router/intake"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// refused tells the client of a refusal.
func (s *session) refused(err error) error {
	if err == nil {
		return nil
	}
	return s.refuse(nil, err)
}

// callBack asks that the customer, who waits, is answered later. The state tells that it is so.
func (s *session) callBack(ctx context.Context, f *chatwire.ClientFrame) error {
	conv := s.open()
	if conv == "" {
		return problem.New(http.StatusConflict, problem.CodeConflict, "no conversation is open", "write a message first")
	}
	_, err := s.link.router.Ask(ctx, s.contact.ID, protocol.Request{Type: protocol.CallBack, Conversation: conv, Until: f.Until})
	return err
}

// rate stores what the customer says of a conversation that has ended. The same rating again is stored once, however
// late it comes; of different ones the last counts.
func (l *link) rate(ctx context.Context, g *Gateway, contact string, conv conversation.ID, rating conversation.Rating) error {
	now := time.Now()
	if err := g.checkRate(contact, now); err != nil {
		return err
	}
	if err := g.checkReads(contact, now); err != nil {
		return err
	}
	stored, err := l.recorded(ctx, conv, contact, false)
	if errors.Is(err, errForeign) {
		return problem.Field(http.StatusNotFound, problem.CodeNotFound, "conversation", string(conv),
			"the contact has no conversation of this id", "use the id that the last answer gave")
	}
	if err != nil {
		return err
	}
	v := newView(conv)
	for _, m := range stored {
		if _, err := v.fold(m); err != nil {
			continue // one event that does not fit must not keep a customer from rating
		}
	}
	switch status := v.state.Status; {
	case !status.Ended() && status != conversation.StatusWrapUp:
		return problem.Field(http.StatusConflict, problem.CodeConflict, "conversation", string(conv), "it goes on", "rate it when it has ended")
	case v.state.Rating != nil && *v.state.Rating == rating:
		return nil
	}
	id := conversation.NewID(now)
	data, err := conversation.Encode(conversation.NewEvent(id, conv, now, &conversation.Rated{
		By: conversation.Actor{Kind: conversation.KindCustomer, ID: contact}, Rating: rating,
	}))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	_, _, err = l.Log.Append(ctx, g.subjects.Messages(string(conv)), data, bus.AppendOptions{MsgID: intake.MsgID(conv, string(id))})
	return err
}

// onlyRatings says whether all that the log has of a conversation are ratings.
func onlyRatings(stored []bus.Stored) bool {
	for _, m := range stored {
		e, err := conversation.Decode(m.Data)
		if err != nil || e.Type != conversation.TypeRated {
			return false
		}
	}
	return len(stored) > 0
}

// calledBack answers POST /v1/conversations/{id}/callback.
type calledBack struct {
	Conversation conversation.ID     `json:"conversation"`
	Status       conversation.Status `json:"status"`
	// Until is left out when the conversation keeps its place in the queue.
	Until time.Time `json:"until,omitzero"`
}

func (g *Gateway) callback(c *call) (int, any, error) {
	var body struct {
		Until time.Time `json:"until"`
	}
	if err := readBody(c.Request, &body); err != nil {
		return 0, nil, err
	}
	conv, err := g.ownConversation(c)
	if err != nil {
		return 0, nil, err
	}
	reply, err := c.link.router.Ask(c.Context(), c.contact.ID, protocol.Request{Type: protocol.CallBack, Conversation: conv, Until: body.Until})
	if err != nil {
		return 0, nil, err
	}
	out := calledBack{Conversation: conv, Until: body.Until}
	if reply.Conversation != nil {
		out.Status = reply.Conversation.Status
	}
	return http.StatusOK, out, nil
}

// rated answers POST /v1/conversations/{id}/rating.
type rated struct {
	Conversation conversation.ID `json:"conversation"`
	conversation.Rating
}

func (g *Gateway) rating(c *call) (int, any, error) {
	var body conversation.Rating
	if err := readBody(c.Request, &body); err != nil {
		return 0, nil, err
	}
	if err := chatwire.CheckRating(body.Score, body.Comment); err != nil {
		return 0, nil, err
	}
	conv, err := g.ownConversation(c)
	if err != nil {
		return 0, nil, err
	}
	if err := c.link.rate(c.Context(), g, c.contact.ID, conv, body); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, rated{Conversation: conv, Rating: body}, nil
}

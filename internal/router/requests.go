package router

import (
	"context"
	"errors"
	"fmt"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/router/protocol"
	"github.com/deskfleet/deskfleet/internal/routing"
)

// who asks.
type who struct {
	party bus.Party
	id    string
}

func partyOf(kind conversation.Kind) bus.Party {
	if kind == conversation.KindBot {
		return bus.PartyBot
	}
	return bus.PartyAgent
}

func (w who) kind() conversation.Kind {
	switch w.party {
	case bus.PartyBot:
		return conversation.KindBot
	case bus.PartyAgent:
		return conversation.KindAgent
	default:
		return conversation.KindCustomer
	}
}

// takeRequest decides on a request. The reply waits until the decisions are stored.
func (s *session) takeRequest(m *bus.Message) {
	subject, err := s.subjects.Parse(m.Subject)
	if err != nil || !m.WantsReply() {
		return
	}
	w := who{party: subject.Party, id: subject.Who}
	req, refused := protocol.DecodeRequest(m.Data)
	if refused != nil {
		s.replyLater(m, refusal(refused))
		return
	}
	if w.party != bus.PartyCustomer {
		s.desk.Seen(w.id, s.now())
	}
	if s.done(w.key(req)) || !s.park(m, req) {
		s.decideRequest(m, req)
	}
}

// key of a request, by which a repeated one is known.
func (w who) key(req *protocol.Request) string { return string(w.party) + "." + w.id + "." + req.ID }

// done says whether a request was done, be it that its decisions wait to be stored.
func (s *session) done(key string) bool {
	return s.requests.has(key) || s.doing[key]
}

// decideRequest decides on a request that can be read.
func (s *session) decideRequest(m *bus.Message, req *protocol.Request) {
	subject, err := s.subjects.Parse(m.Subject)
	if err != nil {
		return
	}
	w := who{party: subject.Party, id: subject.Who}
	key := w.key(req)
	if !s.done(key) {
		if refused := s.do(w, req); refused != nil {
			s.log.Info("request refused", "type", req.Type, "party", w.party, "who", w.id, "conversation", req.Conversation, "code", refused.Code, "why", refused.Why)
			s.replyLater(m, refusal(refused))
			return
		}
		s.requested = append(s.requested, key)
		s.doing[key] = true
	}
	s.replyLater(m, s.outcome(w, req))
}

func refusal(e *protocol.Error) protocol.Reply { return protocol.Reply{V: protocol.Version, Error: e} }

// replyLater answers when everything that was decided before is stored.
func (s *session) replyLater(m *bus.Message, r protocol.Reply) {
	s.replies = append(s.replies, reply{after: len(s.decided), send: func(ctx context.Context, failed error) {
		if failed == nil {
			s.sequence(&r)
		} else {
			r = refusal(unavailable(failed))
		}
		data, err := protocol.Encode(r)
		if err == nil {
			err = m.Respond(data)
		}
		if err != nil {
			s.log.WarnContext(ctx, "reply was not sent", "error", err)
		}
	}})
}

// sequence fills in the sequences that are known now that everything before the reply is stored.
func (s *session) sequence(r *protocol.Reply) {
	fill := func(c *protocol.Conversation) {
		if state, known := s.desk.State(c.ID); known {
			c.OwnSeq, c.MsgSeq = state.OwnSeq, state.MsgSeq
		}
	}
	if r.Conversation != nil {
		fill(r.Conversation)
	}
	for i := range r.Conversations {
		fill(&r.Conversations[i])
	}
}

func unavailable(err error) *protocol.Error {
	return &protocol.Error{
		Code: protocol.CodeUnavailable, What: "the request was not done", Why: err.Error(), Remedy: "send it again with the same id",
	}
}

// do decides on a request; nil means done.
func (s *session) do(w who, req *protocol.Request) *protocol.Error {
	in, wrong := s.input(w, req)
	if wrong != nil || in == nil {
		return wrong
	}
	err := s.decide(in)
	no, refused := errors.AsType[*routing.RefusalError](err)
	switch {
	case err == nil:
		return nil
	case refused:
		return &protocol.Error{Code: protocol.Code(no.Code), What: no.What, Why: no.Why, Remedy: no.Remedy, Field: no.Field, Value: no.Value}
	default:
		// A defect: the next flush would store half of it. Begin again instead.
		s.log.Error("request failed", "type", req.Type, "who", w.id, "error", err)
		s.broken = err
		return unavailable(err)
	}
}

// input turns a request into an input of the desk; nil where there is nothing to decide.
func (s *session) input(w who, req *protocol.Request) (routing.Input, *protocol.Error) {
	if w.party == bus.PartyCustomer {
		return customerInput(w, req)
	}
	switch req.Type {
	case protocol.SignOn:
		return signOnInput(w, req)
	case protocol.Presence:
		return routing.SetPresence{Agent: w.id, Presence: req.Presence}, nil
	case protocol.Drain:
		return routing.SetDrain{Agent: w.id, Draining: req.Draining, Why: w.id + " asked for it"}, nil
	case protocol.SignOff:
		return routing.SignOff{Agent: w.id}, nil
	case protocol.Accept:
		return routing.Accept{Agent: w.id, Conversation: req.Conversation}, nil
	case protocol.Decline:
		return routing.Decline{Agent: w.id, Conversation: req.Conversation}, nil
	case protocol.HandOff:
		return routing.HandOff{Agent: w.id, Conversation: req.Conversation, HandOff: req.HandOff}, nil
	case protocol.Close:
		return routing.Close{
			Conversation: req.Conversation, By: conversation.Actor{Kind: w.kind(), ID: w.id},
			Disposition: req.Disposition, Comment: req.Comment,
		}, nil
	case protocol.Sync:
		return nil, nil
	case protocol.Show:
		return nil, s.found(w, req.Conversation)
	default:
		return s.personInput(w, req)
	}
}

// personInput turns a request that only people make into an input.
func (s *session) personInput(w who, req *protocol.Request) (routing.Input, *protocol.Error) {
	if w.party != bus.PartyAgent {
		return nil, unsupported(w, req)
	}
	switch req.Type {
	case protocol.Postpone:
		return routing.Postpone{Agent: w.id, Conversation: req.Conversation, Until: req.Until, Promised: req.Promised}, nil
	case protocol.TakeOver:
		return routing.TakeOver{Agent: w.id, Conversation: req.Conversation}, nil
	case protocol.Tag:
		return routing.Tag{By: conversation.Actor{Kind: w.kind(), ID: w.id}, Conversation: req.Conversation, Tags: req.Tags}, nil
	case protocol.Merge:
		in := routing.Merge{By: w.id, Conversation: req.Conversation, Seq: req.Seq, Into: req.Into, Note: req.Note}
		if req.Say != nil {
			in.Say = *req.Say
		}
		return in, nil
	case protocol.HoldStep:
		return routing.HoldStep{By: w.id, Queue: req.Queue, Step: req.Step, Until: req.Until, Reason: req.Reason}, nil
	case protocol.ReleaseStep:
		return routing.ReleaseStep{By: w.id, Queue: req.Queue, Step: req.Step}, nil
	case protocol.Agents, protocol.Open, protocol.Queues:
		return nil, nil
	case protocol.Staffing:
		return nil, s.planned(req.Pool)
	case protocol.CallReserve:
		return routing.CallReserve{By: w.id, Pool: req.Pool, Tier: req.Tier, Until: req.Until, Reason: req.Reason}, nil
	case protocol.ReleaseReserve:
		return routing.ReleaseReserve{By: w.id, Pool: req.Pool, Tier: req.Tier}, nil
	case protocol.Reserve:
		return nil, nil
	default:
		return nil, unsupported(w, req)
	}
}

func customerInput(w who, req *protocol.Request) (routing.Input, *protocol.Error) {
	switch req.Type {
	case protocol.Close:
		return routing.Close{Conversation: req.Conversation, By: conversation.Actor{Kind: conversation.KindCustomer, ID: w.id}}, nil
	case protocol.Left:
		return routing.Left{Conversation: req.Conversation, Contact: w.id}, nil
	case protocol.Back:
		return routing.Back{Conversation: req.Conversation, Contact: w.id}, nil
	case protocol.CallBack:
		return routing.CallBack{Conversation: req.Conversation, Contact: w.id, At: req.Until}, nil
	case protocol.Show:
		return nil, nil // outcome says whether it is the contact's
	default:
		return nil, unsupported(w, req)
	}
}

func signOnInput(w who, req *protocol.Request) (routing.Input, *protocol.Error) {
	if req.Agent == nil || req.Agent.ID != w.id || req.Agent.Kind != w.kind() {
		return nil, &protocol.Error{
			Code: protocol.CodeMalformed, What: w.id + " cannot sign on",
			Why:    fmt.Sprintf("agent must have kind %q and id %q, as the subject says", w.kind(), w.id),
			Remedy: "send agent: {kind, id, name, pool}",
		}
	}
	return routing.SignOn{Agent: *req.Agent, Presence: req.Presence}, nil
}

func unsupported(w who, req *protocol.Request) *protocol.Error {
	return &protocol.Error{
		Code: protocol.CodeUnsupported, What: fmt.Sprintf("request %.40q is refused", req.Type),
		Why:    fmt.Sprintf("this release knows no such request of a %s", w.party),
		Remedy: "see the description of the router's protocol",
	}
}

func (s *session) found(w who, id conversation.ID) *protocol.Error {
	state, ok := s.desk.State(id)
	if ok && state.Status != conversation.StatusNone && (w.party != bus.PartyCustomer || state.Contact == w.id) {
		return nil
	}
	return &protocol.Error{
		Code: protocol.CodeNotFound, What: fmt.Sprintf("conversation %.40q is not found", id),
		Why: "the desk has none of that id at present", Remedy: "look for it in the archive",
	}
}

// outcome is the reply to a request that was done, now or before.
func (s *session) outcome(w who, req *protocol.Request) protocol.Reply {
	r := protocol.Reply{V: protocol.Version, OK: true}
	if w.party != bus.PartyCustomer {
		r.Agent = s.agentView(w)
	}
	if req.Type == protocol.SignOn || req.Type == protocol.Sync {
		for _, state := range s.desk.Holding(w.id) {
			r.Conversations = append(r.Conversations, *s.view(&state))
		}
	}
	if w.party == bus.PartyAgent {
		s.list(req, &r)
	}
	if req.Conversation != "" {
		if refused := s.found(w, req.Conversation); refused != nil {
			if req.Type == protocol.Show {
				return refusal(refused)
			}
			return r
		}
		state, _ := s.desk.State(req.Conversation)
		r.Conversation = s.view(&state)
		if w.party == bus.PartyCustomer && r.Conversation.Position > 0 {
			p := s.placeOf(&state, r.Conversation.Position, s.now())
			if r.Conversation.Position, r.Conversation.ExpectedWaitSeconds = p.position, p.seconds; p.position == 0 {
				r.Conversation.Waiting = 0
			} else {
				s.positions.told[state.ID] = p // whose end it has to be told, too
			}
		}
	}
	return r
}

// list fills in what a request for a list asks for.
func (s *session) list(req *protocol.Request, r *protocol.Reply) {
	switch req.Type {
	case protocol.Agents:
		for _, v := range s.desk.Agents() {
			if v.Kind == conversation.KindAgent {
				r.Agents = append(r.Agents, *viewOf(&v))
			}
		}
	case protocol.Queues, protocol.HoldStep, protocol.ReleaseStep:
		r.Queues = s.queues()
	case protocol.Open:
		f := protocol.Filter{}
		if req.Filter != nil {
			f = *req.Filter
		}
		if f.Limit <= 0 || f.Limit > protocol.MaxOpen {
			f.Limit = protocol.MaxOpen
		}
		size := 0
		s.desk.Open(routing.OpenFilter{Queue: f.Queue, Agent: f.Agent, Status: f.Status, After: f.After}, func(state *conversation.State) bool {
			c := s.view(state)
			c.HandOff = nil // one alone may take 20 KiB
			size += c.Bytes()
			if r.More = len(r.Conversations) == f.Limit || size > protocol.MaxListBytes; !r.More {
				r.Conversations = append(r.Conversations, *c)
			}
			return !r.More
		})
	case protocol.Staffing:
		r.Staffing = s.plan(req.Pool)
	case protocol.Reserve, protocol.CallReserve, protocol.ReleaseReserve:
		r.Reserve = s.reserve()
	default:
	}
}

func (s *session) agentView(w who) *protocol.Agent {
	v, ok := s.desk.Agent(w.id)
	if !ok {
		return &protocol.Agent{Kind: w.kind(), ID: w.id}
	}
	return viewOf(&v)
}

func viewOf(v *routing.AgentView) *protocol.Agent {
	return &protocol.Agent{
		Kind: v.Kind, ID: v.ID, Name: v.Name, SignedOn: true, Presence: v.Presence, Draining: v.Draining,
		Pools: v.Pools, Queues: v.Queues, Slots: v.Slots, Busy: v.Busy,
	}
}

func (s *session) view(state *conversation.State) *protocol.Conversation {
	position, waiting := s.desk.Position(state.ID)
	expected := 0
	if wait, known := s.desk.ExpectedWait(state.ID, s.now()); known && position > 0 {
		expected = rounded(wait)
	}
	return &protocol.Conversation{
		ID: state.ID, Status: state.Status, Channel: state.Channel, Contact: state.Contact, ContactName: state.ContactName,
		Language: state.Language, Queue: state.Queue, Priority: state.Priority, OpenedAt: state.OpenedAt,
		ArrivedAt: state.Arrival.At, Agent: state.Agent, OwnSeq: state.OwnSeq, MsgSeq: state.MsgSeq,
		Deadline: state.Deadline, HandOff: state.HandOff, Position: position, Waiting: waiting,
		Turns: state.Turns, Misses: state.Misses, Why: state.Why, Ring: state.Ring, BotsFrom: state.BotsFrom, ExpectedWaitSeconds: expected,
		Tags: state.Tags, Callback: state.CallbackOffered,
	}
}

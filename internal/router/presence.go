package router

import (
	"context"
	"encoding/json"

	"github.com/deskfleet/deskfleet/internal/archive/audit"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// ofPerson says whether a decision is about the presence of a person, and keeps in mind who is one. When people were
// there is told to the audit, from which reports add up how busy they were. It is told exactly: a copy is owed until it
// is seen in the log, and its id is that of the decision, by which the archive knows one that comes twice. Bots come
// and go with their pods, which nobody asks about.
func (r *replica) ofPerson(e conversation.Event) bool {
	switch b := e.Body.(type) {
	case *conversation.SignedOn:
		if b.Agent.Kind != conversation.KindAgent {
			return false
		}
		r.people[b.Agent.ID] = struct{}{}
		return true
	case *conversation.PresenceSet:
		_, person := r.people[b.Agent]
		return person
	case *conversation.SignedOff:
		_, person := r.people[b.Agent]
		delete(r.people, b.Agent)
		return person
	default:
		return false
	}
}

// foldAudit notes that the copy of a decision is stored.
func (r *replica) foldAudit(st bus.Stored) {
	if len(r.owed) == 0 {
		return
	}
	if e, err := audit.Decode(st.Data); err == nil && e.Role == auditRole {
		r.paid(e.ID)
	}
}

// auditRole under which the router reports.
const auditRole = "router"

// tellAudit appends what a person did to the audit.
func (s *session) tellAudit(ctx context.Context, e conversation.Event) error {
	type details struct {
		Presence conversation.Presence `json:"presence,omitempty"`
		Lost     bool                  `json:"lost,omitempty"`
		Why      []string              `json:"why,omitempty"`
	}
	var action, who string
	var d details
	switch b := e.Body.(type) {
	case *conversation.SignedOn:
		action, who, d = "agent.signedOn", b.Agent.ID, details{Presence: b.Presence}
	case *conversation.PresenceSet:
		action, who, d = "agent.presence", b.Agent, details{Presence: b.Presence, Why: b.Why}
	case *conversation.SignedOff:
		action, who, d = "agent.signedOff", b.Agent, details{Lost: b.Lost, Why: b.Why}
	default:
		return nil
	}
	a := audit.NewEvent(e.ID, e.At, auditRole, action, conversation.Actor{Kind: conversation.KindAgent, ID: who, Name: who})
	var err error
	if a.Details, err = json.Marshal(d); err != nil {
		return err
	}
	data, err := audit.Encode(a)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	_, _, err = s.bus.Append(ctx, s.subjects.Audit(), data, bus.AppendOptions{MsgID: string(e.ID)})
	return err
}

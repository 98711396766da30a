package routing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// SignOn makes an agent able to get conversations. An agent that is signed on already keeps what it has.
type SignOn struct {
	Agent    conversation.Agent
	Presence conversation.Presence
}

func (in SignOn) decide(d *Desk, now time.Time) error {
	body := &conversation.SignedOn{Agent: in.Agent, Presence: in.Presence}
	if body.Presence == "" {
		body.Presence = conversation.PresenceOnline
	}
	what := fmt.Sprintf("%s cannot sign on", in.Agent.ID)
	if err := body.Validate(); err != nil {
		return &RefusalError{Code: CodeMalformed, What: what, Why: err.Error(), Remedy: "correct it and sign on again"}
	}
	if err := d.admit(in.Agent, what); err != nil {
		return err
	}
	a := d.agents[in.Agent.ID]
	if a != nil && a.Agent == in.Agent && a.presence == body.Presence {
		a.lastSeen = later(a.lastSeen, now)
		return nil
	}
	if a != nil && a.Kind != in.Agent.Kind {
		return &RefusalError{Code: CodeState, What: what, Why: "an agent of that id is signed on as " + string(a.Kind), Remedy: "use another id"}
	}
	d.emit(now, "", body)
	a = d.agents[in.Agent.ID]
	if a.presence == conversation.PresenceAway {
		d.revokeOffers(a, now, in.Agent.ID+" is away")
	}
	d.matchAgent(a, now)
	return nil
}

// admit says whether a pool of the configuration has the agent.
func (d *Desk) admit(a conversation.Agent, what string) error {
	if a.Kind == conversation.KindBot {
		if p := d.pools[a.Pool]; p != nil && p.Kind == conversation.KindBot {
			return nil
		}
		return &RefusalError{
			Code: CodeUnknownPool, What: what,
			Why:    fmt.Sprintf("the desk's configuration has no bot pool %q", a.Pool),
			Remedy: "sign on again when the configuration names it; bot pools are " + d.poolNames(conversation.KindBot),
		}
	}
	for _, p := range d.poolsInOrder {
		if slices.Contains(p.Members, a.ID) {
			return nil
		}
	}
	return &RefusalError{
		Code: CodeUnknownPool, What: what,
		Why:    fmt.Sprintf("%q is a member of no human pool of the desk", a.ID),
		Remedy: "add the name to human.members of an AgentPool; human pools are " + d.poolNames(conversation.KindAgent),
	}
}

func (d *Desk) poolNames(kind conversation.Kind) string {
	var names []string
	for _, p := range d.poolsInOrder {
		if p.Kind == kind {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// SetPresence makes a person online or away. Away takes open offers back.
type SetPresence struct {
	Agent    string
	Presence conversation.Presence
}

func (in SetPresence) decide(d *Desk, now time.Time) error {
	a, err := d.signedOn(in.Agent)
	if err != nil {
		return err
	}
	body := &conversation.PresenceSet{Agent: in.Agent, Presence: in.Presence}
	if err := body.Validate(); err != nil {
		return &RefusalError{Code: CodeMalformed, What: "the presence is not set", Why: err.Error(), Remedy: "send online or away"}
	}
	if a.presence == in.Presence {
		return nil
	}
	d.emit(now, "", body)
	if in.Presence == conversation.PresenceAway {
		d.revokeOffers(a, now, in.Agent+" is away")
		return nil
	}
	d.matchAgent(a, now)
	return nil
}

func (d *Desk) signedOn(id string) (*agent, error) {
	if a := d.agents[id]; a != nil {
		return a, nil
	}
	return nil, &RefusalError{
		Code: CodeNotSignedOn, What: fmt.Sprintf("%s can do nothing yet", id), Why: "it is not signed on", Remedy: "send signOn first",
	}
}

// setAway is done by the desk, with the reason.
func (d *Desk) setAway(a *agent, now time.Time, why string) {
	if a.presence == conversation.PresenceAway {
		return
	}
	d.emit(now, "", &conversation.PresenceSet{Agent: a.ID, Presence: conversation.PresenceAway, Why: []string{why}})
	d.revokeOffers(a, now, a.ID+" is away")
}

// revokeOffers takes back what the agent is asked for and asks the next agents.
func (d *Desk) revokeOffers(a *agent, now time.Time, why string) {
	var back []*entry
	for _, c := range a.holdings() {
		if c.state.Status == conversation.StatusOffered {
			d.requeue(c, "", now, why)
			back = append(back, c)
		}
	}
	for _, c := range back {
		d.matchConversation(c, now)
	}
}

// SetDrain marks an agent as draining (nothing new, what it has stays) or takes the mark back.
type SetDrain struct {
	Agent    string
	Draining bool
	// Scaling is set when capacity is taken back, or given back, from outside. It changes nothing about an agent
	// that drains by itself: that one was told to end.
	Scaling bool
	Why     string
}

// changes says whether the mark differs from what the agent has.
func (in *SetDrain) changes(a *agent) bool {
	if a.draining && !a.scaling && in.Scaling {
		return false
	}
	return a.draining != in.Draining || in.Draining && a.scaling != in.Scaling
}

func (in SetDrain) decide(d *Desk, now time.Time) error {
	a, err := d.signedOn(in.Agent)
	if err != nil {
		return err
	}
	if !in.changes(a) {
		return nil
	}
	body := &conversation.DrainSet{Agent: in.Agent, Draining: in.Draining, Scaling: in.Scaling && in.Draining}
	if in.Why != "" {
		body.Why = []string{clip(in.Why)}
	}
	d.emit(now, "", body)
	if in.Draining {
		d.revokeOffers(a, now, in.Agent+" takes nothing new")
		return nil
	}
	d.matchAgent(a, now)
	return nil
}

// SignOff ends an agent's work: what it has goes back to its place and to the next agents. An agent that
// is not signed on is signed off already.
type SignOff struct{ Agent string }

//nolint:unparam // one of many inputs
func (in SignOff) decide(d *Desk, now time.Time) error {
	if a := d.agents[in.Agent]; a != nil {
		d.dismiss(a, false, now, in.Agent+" signed off")
	}
	return nil
}

// dismiss queues what the agent has, forgets the agent, and then looks for others: in this order, so
// that nothing is given back to it.
func (d *Desk) dismiss(a *agent, lost bool, now time.Time, why string) {
	cause := conversation.CauseSignedOff
	if lost {
		cause = conversation.CauseAgentLost
	}
	back := d.takeBack(a, cause, now, why)
	d.emit(now, "", &conversation.SignedOff{Agent: a.ID, Lost: lost, Why: []string{clip(why)}})
	for _, c := range back {
		d.matchConversation(c, now)
	}
}

// takeBack queues what the agent has at its old place. Nobody is asked for it yet.
func (d *Desk) takeBack(a *agent, cause conversation.Cause, now time.Time, why string) []*entry {
	back := a.holdings()
	for _, c := range back {
		if c.state.Status == conversation.StatusWrapUp {
			// The talk is over, only the paperwork is lost.
			d.emit(now, c.state.ID, closedAs(&c.state))
			continue
		}
		d.requeue(c, cause, now, why)
	}
	return back
}

// HandOver queues what a draining agent still has at its old place, for the next agents: its time to finish
// is over. Of an agent that does not drain nothing is taken.
type HandOver struct {
	Agent string
	Why   string
}

func (in HandOver) decide(d *Desk, now time.Time) error {
	a, err := d.signedOn(in.Agent)
	if err != nil || !a.draining {
		return err
	}
	for _, c := range d.takeBack(a, conversation.CauseDrained, now, clip(in.Why)) {
		d.matchConversation(c, now)
	}
	return nil
}

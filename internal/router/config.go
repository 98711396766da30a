package router

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/escalation"
	"github.com/deskfleet/deskfleet/internal/knowledge"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig/overbus"
)

// settings are what a document means for the router.
type settings struct {
	revision string
	// data is the document as it travels over the bus.
	data    []byte
	routing routing.Config
	// scaled are the roles whose replicas follow their load.
	scaled []runtimeconfig.Role
	// hoursProblem says which opening hours or shifts do not run as written; empty when all do.
	hoursProblem string
	policy       policy
}

// policy is the escalation policy that runs.
type policy struct {
	compiled *escalation.Policy
	// byTime says that a rule looks at how long a conversation has waited.
	byTime bool
	// problem says why it is not the document's policy.
	problem string
}

// newSettings reads a document. A policy that does not compile keeps the one before and says so.
func newSettings(config runtimeconfig.Snapshot, before policy, times routing.Times) (settings, error) {
	doc := config.Document
	// What came is passed on: rendered anew it would lose the fields of a newer release.
	data, err := overbus.Encode(config.Data)
	if err != nil {
		return settings{}, err
	}
	s := settings{revision: config.Revision, data: data, routing: routingConfig(doc, times), scaled: doc.Scaled}
	if err := s.routing.Validate(); err != nil {
		return settings{}, fmt.Errorf("configuration %s: %w", s.revision, err)
	}
	s.hoursProblem = setHours(&s.routing, doc)
	s.policy = newPolicy(doc, before)
	return s, nil
}

func newPolicy(doc *runtimeconfig.Document, before policy) policy {
	compiled, problems := escalation.Compile(doc.Rules, escalation.Options{})
	if len(problems) > 0 {
		texts := make([]string, 0, len(problems))
		for _, p := range problems {
			texts = append(texts, fmt.Sprint(p))
		}
		before.problem = strings.Join(texts, "; ")
		return before
	}
	p := policy{compiled: compiled}
	p.byTime = slices.ContainsFunc(doc.Rules, func(r escalation.Rule) bool { return strings.Contains(r.When, "waited") })
	for _, q := range compiled.Queues() {
		if !slices.ContainsFunc(doc.Queues, func(o runtimeconfig.Queue) bool { return o.Name == q.Queue }) {
			p.problem = fmt.Sprintf("rules %s hand off to queue %q, which the desk does not have: they go to %s",
				strings.Join(q.Rules, ", "), q.Queue, doc.DefaultQueue)
		}
	}
	return p
}

// verdict asks the policy about a conversation. m is nil when it is looked at again without a message.
// Rules that fail are skipped by the policy; the error tells which.
func (p *policy) verdict(s *conversation.State, m *conversation.Message, now time.Time) (routing.Verdict, error) {
	if p.compiled == nil {
		return routing.Verdict{}, nil
	}
	facts := escalation.Facts{Conversation: escalation.ConversationFacts{
		Misses: s.Misses, Turns: s.Turns, Waited: waited(s, now), Channel: s.Channel, Queue: s.Queue,
	}}
	facts.Message.Language = s.Language
	if m != nil {
		facts.Message = messageFacts(m, s)
		if facts.Conversation.Channel == "" {
			facts.Conversation.Channel = m.Channel
		}
	}
	if facts.Conversation.Queue == "" {
		facts.Conversation.Queue = conversation.BotQueue
	}
	decision, err := p.compiled.Evaluate(facts)
	v := routing.Verdict{Rules: strings.Join(decision.Rules, ","), Reason: decision.Reason}
	if len(v.Rules) > conversation.MaxNameBytes {
		v.Rules = v.Rules[:conversation.MaxNameBytes]
	}
	if decision.HandOff != nil {
		v.HandOff = decision.HandOff.Queue
	}
	if decision.Priority != nil {
		priority := int(*decision.Priority)
		v.Priority = &priority
	}
	for _, say := range decision.Say {
		v.Say = append(v.Say, conversation.Said{Text: say.Text, Language: say.Language, Rule: v.Rules})
	}
	return v, err
}

// messageFacts tells of a message what the gateway has not told.
func messageFacts(m *conversation.Message, s *conversation.State) escalation.MessageFacts {
	f := escalation.MessageFacts{
		Text: m.Text, Language: m.Language, AsksForPerson: m.AsksForPerson || knowledge.AsksForPerson(m.Text),
	}
	if f.Language == "" {
		f.Language = knowledge.DetectLanguage(m.Text)
	}
	if f.Language == "" {
		f.Language = s.Language
	}
	return f
}

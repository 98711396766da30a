package escalation

// The bounds of a policy. The schema of EscalationPolicy states the same ones; they are checked
// here again because a policy also arrives without an API server (a desk in one process, a test of
// a policy in a pipeline).
const (
	// MaxRules is the greatest number of rules in a policy.
	MaxRules = 100
	// MaxWhenLength is the greatest length of a rule's condition, in characters.
	MaxWhenLength = 1024
	// MaxNameLength is the greatest length of a rule's or queue's name (a DNS label).
	MaxNameLength = 63
	// MaxSayTexts is the greatest number of languages one rule says its message in.
	MaxSayTexts = 16
	// MaxSayLength is the greatest length of one text to say, in characters.
	MaxSayLength = 2000
	// MaxPriority is the highest priority a rule can give; the lowest is 0.
	MaxPriority = 100
	// MaxTextLength is the longest message text that rules see, in characters. The estimate of a
	// rule's cost assumes this length, so whoever accepts messages must refuse longer ones.
	MaxTextLength = 16 << 10
)

// Rule is one sentence of a policy: when the condition holds, do this. It is part of the runtime
// configuration document, hence the JSON names.
type Rule struct {
	// Name identifies the rule in decisions, conditions and logs; a DNS label, unique in a policy.
	Name string `json:"name"`
	// When is the condition: a CEL expression over the facts that gives true or false.
	When string `json:"when"`
	// Then is what happens when the condition holds.
	Then Actions `json:"then"`
}

// Actions is what a rule does. At least one of HandOff, Priority and Say is set.
type Actions struct {
	// HandOff gives the conversation to a person of a queue.
	HandOff *HandOff `json:"handOff,omitempty"`
	// Priority raises or lowers the conversation's priority in its queue, 0 (lowest) to
	// [MaxPriority]; nil leaves the queue's own.
	Priority *int32 `json:"priority,omitempty"`
	// Say is one message to the customer, in each language it exists in.
	Say []LocalisedText `json:"say,omitempty"`
	// Continue lets the following rules be looked at too; otherwise the first match ends the
	// evaluation.
	Continue bool `json:"continue,omitempty"`
}

// HandOff names where a conversation goes.
type HandOff struct {
	// Queue is the name of a queue of the desk; empty means the desk's default queue.
	Queue string `json:"queue,omitempty"`
}

// LocalisedText is a text in one language.
type LocalisedText struct {
	// Language is a BCP 47 tag such as zh, en or zh-Hant.
	Language string `json:"language"`
	// Text is what is said.
	Text string `json:"text"`
}

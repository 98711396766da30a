// Package escalation decides who must reach a person: it compiles the ordered rules of an
// EscalationPolicy and evaluates them for one message of a conversation.
//
// The package is pure. It knows no Kubernetes, no clock and no I/O; whatever a rule may look at
// arrives in [Facts], and the same facts always give the same [Decision]. That is what makes it
// possible to test a policy before it is applied and to replay it over archived conversations.
//
// A rule's condition is a CEL expression over the facts that [FactTable] lists and the functions
// that [FunctionTable] lists, and over nothing else. The language is cut down until every accepted
// rule has a known worst case: no text or lists can be built, no pattern can come from a customer,
// and the cost of the longest message is estimated when the rule is compiled. A rule that compiles
// therefore cannot run out of budget on a message of at most [MaxTextLength], which matters because
// a rule that could be exhausted by a long message could be talked around.
package escalation

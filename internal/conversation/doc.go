// Package conversation holds the words that all roles of a desk share: identifiers, the events that
// are stored about a conversation, and the state machine that folds them. It is pure: no clock, no
// I/O, no bus.
//
// # Where events are stored
//
// Three subjects of the desk's stream carry what this package defines:
//
//	cv.<ns>.<desk>.<conversation>.msg   one Event of type message each: what was said
//	cv.<ns>.<desk>.<conversation>.own   one Event each: ownership and state, written by the leading router only
//	dk.<ns>.<desk>                      one Batch each: the router's decisions, the truth of which .own is a copy
//	ct.<ns>.<desk>.<channel>.<contact>  one Claim each: which conversation of this contact is open
//
// # Events
//
// An event is one flat JSON object: the envelope's fields first, then those of its type.
//
//	{"v":1,"id":"01JD…","type":"message","conversation":"01JD…","at":"2026-11-20T08:00:00.123Z",
//	 "from":{"kind":"customer","id":"c-17","name":"Li Wei"},"text":"where is my order","language":"en","clientId":"m1"}
//
// Types on .msg: message, and rated {by, score, comment?} by the customer, which the gateway appends after the end.
// Types on .own, in the order of a conversation's life:
//
//	opened       {channel, contact, contactName?, language?, queue, priority, arrival:{at,seq},
//	              lastAgent?, lastAgentAt?, attributes?, why?}                                                    → Queued
//	assigned     {agent, why?}                      a bot worker takes the conversation                   → Bot
//	queued       {queue, priority, fixedPriority?, arrival, cause, rule?, overflow?, handOff?,
//	              pin?, pinUntil?, why?}                                                                  → Queued
//	offered      {agent, deadline, why?}            a person is asked                                     → Offered
//	offerEnded   {agent, outcome, why?}             declined, expired or revoked; the old place is kept   → Queued
//	accepted     {agent}                            the person owns the conversation                      → Active
//	prioritised  {priority, fixedPriority?, rule?, why?}   while Queued, Offered or Bot                  (same state)
//	wrapUpStarted {agent, until?, ending?}          until then, if it is given, the agent is busy with it → WrapUp
//	resumed      {agent}                            the customer wrote in the wrap-up                     → Active
//	callbackOffered {why?}                          the customer is told that they will be answered later (same state)
//	pended       {until, agent?, promised?, why?}   by its owner → Pending, for the customer → CallbackPending
//	closed       {by, reason, disposition?, comment?, mergedInto?}                                        → Closed
//	abandoned    {waitedMillis, why?}               the customer left while waiting                       → Abandoned
//	reopened     {cause, seq}                       a customer's message after the end                    → Reopened
//	tagged       {by, tags}                         replaces the tags, before the end                    (same state)
//
// agent is {"kind":"bot"|"agent","id":"…","name":"…","pool":"…"}; why is a list of short texts that
// explain the decision. A Batch on dk carries the same events, and those of agents and customers that
// concern no transcript: signedOn, presenceSet, signedOff, drainSet, customerLeft, customerBack, said
// (becomes a message of kind system), relaxed and overflowed (of a waiting conversation), overflowSet, stepHeld and
// stepReleased (of a queue), reserveCalled and reserveReleased (of a pool), forgotten, tookOver, and for snapshots restored, agentRestored and queueRestored.
//
// # Neighbouring versions
//
// [Decode] refuses what it knows to be wrong and keeps what it does not know: an event of an unknown
// type decodes to [Unknown] and is stored and passed on byte for byte, unknown fields are ignored.
// A fold skips [Unknown]. Fields are never renamed or given another meaning; what cannot be said
// compatibly gets a new type.
//
// # Fencing
//
// Bot's and agents' messages are published with the expected last sequence of the conversation's .own
// subject: [State.OwnSeq] of the state in which the sender is the owner. Customers' messages carry none.
package conversation

// Package router is the role that decides who serves whom. It tails the desk's stream, folds it into a
// routing.Desk, and appends what it decides.
//
// # The log is the lock
//
// All replicas tail everything and are ready at any time. The leader is whoever can append to the
// decision log: every append expects the sequence of the last decision that the router knows, so that
// of two routers that both believe to lead one is refused and becomes a standby. A lease on the bus
// only keeps standbys from trying while the leader is well.
//
// A decision takes effect in this order: it is appended to the decision log; its event is appended to
// the conversation's .own subject (a message of the desk: to .msg), with the last sequence of that
// subject expected; then agents and customers are told, and requests answered. A router that dies in
// between leaves a decision without its copy: the successor sees by the events' ids what is missing and
// appends it first. Copies carry the decision's id as message id and follow each other by expected
// sequence, so that they are stored once and in order whoever writes them.
//
// The router does not wait for that: it goes on deciding, and what it decides while a group of decisions
// is being appended becomes the next group. Groups are told in their order, see
// docs/adr/0007-decisions-stored-beside-the-session.md.
//
// Batches carry a cursor, the sequence of the last customer's message that had been acted on. The
// successor acts on those beyond it.
//
// # Memory
//
// A router holds the state of each conversation, not its text, until the archive has purged an ended
// one. The decision log is compacted: now and then the leader appends a snapshot of its state and
// purges what is before it.
//
// Package protocol describes how agents and customers' gateways talk to the router, package intake how
// customers' messages come into the log.
package router

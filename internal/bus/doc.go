// Package bus is the one way the roles of a desk talk to each other: stored
// logs on NATS JetStream and plain messages on core NATS, behind small
// interfaces, plus the embedded server that the bus role runs.
//
// A role is given a [Dialer] and asks it for a [Conn]. The same code then
// works over a listener with TLS and NKeys, over an external NATS with
// credentials, and inside one process.
//
// Two rules of NATS decide how callers must use it:
//   - A stored subject is also a core subject. A core subscriber of it sees
//     every publish, even one that the log then refuses as fenced, duplicate or
//     full. What must have been stored is read by [Log.Read] or [Log.Tail];
//     a core subscription is a hint.
//   - Expected sequences are sequences of the stream, not counts of a subject.
package bus

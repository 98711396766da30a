// Package audit is the record of who did what on a desk: the events that roles report, and the hash
// chain into which the archive links them. It is pure: no clock, no I/O, no bus.
//
// # Reporting
//
// A role appends one [Event] as JSON to the subject that bus.Subjects.Audit names, with the event's id as
// message id. The subject is stored with the desk's log, so that nothing is lost while the archive is down:
//
//	{"v":1,"id":"01JD…","at":"2026-11-20T08:00:00.123Z","role":"console","action":"conversation.closed",
//	 "who":{"kind":"agent","id":"mei","name":"Mei"},"conversation":"01JD…","details":{"disposition":"refunded"}}
//
// Details must hold no secret. What they may hold about a customer is what an erasure has to find again:
// name the conversation or the contact's token rather than repeat what was said.
//
// # The chain
//
// A [Record] is an event with its number, from 1 without a gap, the hash of the record before it and its
// own hash. Whoever changes, removes or inserts a record breaks every hash behind it; whoever cuts off the
// end is found by comparing the head, which the archive reports in its status and logs, with what is there.
//
// The hash covers every field of the record, each behind its length so that no two records give the same
// bytes. Details enter it as a digest salted for each record: details that must be erased some day can be
// removed together with their salt, and the chain still holds without the erased words being guessable.
package audit

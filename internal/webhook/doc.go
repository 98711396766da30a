// Package webhook tells receivers outside a desk what happens in it.
//
// # What is sent
//
// Each event is one POST of a CloudEvents 1.0 object in structured JSON (application/cloudevents+json), signed as
// Standard Webhooks has it: webhook-id is the event's id and the same each time it is sent, webhook-timestamp is
// the time of this attempt, webhook-signature holds a v1 HMAC-SHA256 for each secret. What
// receivers do stands in docs/webhooks.md.
//
// # What is promised
//
// Each event is delivered at least once. Those of one conversation are sent one after the other, in the order of
// the log: the next one is not sent before the one before it was taken, or given up as a dead letter. Conversations
// do not wait for each other. Only a status of 200 to 299 takes an event. What fails is tried again with growing
// pauses and jitter, not before the receiver's Retry-After; 410 disables the webhook until its URL changes or an
// admin enables it.
//
// # Why the archive
//
// The archive's database already holds each event once and in order, beyond the life of the bus's log, so that an
// outbox is a cursor and a list of what is under way (docs/adr/0006-webhooks-from-the-archive.md). A receiver that is slow or dead
// holds neither archiving nor purging: its cursor stays behind, and nothing else.
package webhook

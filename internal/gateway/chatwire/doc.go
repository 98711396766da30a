// Package chatwire is what customers' clients and a desk's gateway say to each other over the WebSocket
// /v1/chat: one JSON object a frame, in text frames.
//
// Unknown types and unknown fields are ignored on both sides, so that neighbouring releases work together.
// Times are RFC 3339 in UTC. Sequences are positive numbers that grow within a desk, with gaps.
//
// # From the client
//
//	{"type":"hello","v":1,"token":"dft1.…","contact":{"name":"Li Wei"},"language":"zh","conversation":"01JD…","resumeAfter":481,"start":false}
//	{"type":"message","clientId":"m1","text":"where is my order","language":"en","conversation":"01JD…"}
//	{"type":"typing","on":true}
//	{"type":"callBack","until":"2026-11-21T09:00:00Z"}
//	{"type":"rate","conversation":"01JD…","score":5,"comment":"quick"}
//	{"type":"close"}
//
// hello comes first, within ten seconds. Without a token the client is a new contact and is given one in
// the welcome, to be kept for the next time. resumeAfter is the greatest sequence that the client has seen;
// 0 asks for everything. conversation is the one that it shows. start opens a conversation at once;
// otherwise the first message does.
//
// message is sent again, with the same clientId, until its ack or its refusal has come; conversation is
// what the client showed when the message was first sent, empty when it showed none. clientId is 1 to 64 of
// [A-Za-z0-9_-] and unique in the conversation.
//
// callBack is for who waits for people: the conversation is put aside until the time, with the place that the wait has
// earned, or without a time keeps its place in the queue; in both cases the customer need not stay connected. rate is
// for a conversation that has ended: a score of 1 to 5, the last one counts.
//
// close ends the open conversation.
//
// # From the gateway
//
//	{"type":"welcome","v":1,"contact":{"id":"c-…","name":"Li Wei"},"token":"dft1.…","conversation":"01JD…",
//	 "desk":{"displayName":"Shop","languages":["zh","en"]},"limits":{"maxMessageLength":2000,"messagesPerMinute":20}}
//	{"type":"message","seq":482,"conversation":"01JD…","id":"01JD…","at":"…","from":{"kind":"bot","name":"Ada"},"text":"…",
//	 "language":"en","clientId":"…","entry":{"knowledgeBase":"shop","id":"shipping","question":"…","confidence":0.91}}
//	{"type":"state","seq":483,"conversation":"01JD…","at":"…","status":"Queued","queue":"refunds","agent":{"kind":"agent","name":"Chen"}}
//	{"type":"caughtUp","seq":483,"conversation":"01JD…","state":{…}}
//	{"type":"ack","clientId":"m1","conversation":"01JD…","seq":484,"duplicate":false}
//	{"type":"typing","conversation":"01JD…","from":{"kind":"bot","name":"Ada"},"on":true}
//	{"type":"position","conversation":"01JD…","position":3,"waiting":12,"queue":"refunds","expectedWaitSeconds":95}
//	{"type":"error","clientId":"m1","problem":{…}}
//	{"type":"ping"}
//	{"type":"goodbye","reason":"restart","retryAfterMillis":2310}
//
// welcome says anew when resumeAfter is of another log than the desk has now: everything comes again. It is followed by what was stored behind resumeAfter, in order, then by caughtUp, then by what
// happens. Each message and state comes exactly once and in order of seq; notes of agents never come. A
// message of the client itself comes too, with its clientId. An ack is sent only after the desk has stored
// the message; it may come before or behind the message itself.
//
// status is Queued (queue "bot": a bot is about to answer; otherwise people are), Bot, Offered (an agent is
// asked), Active (the agent has joined), WrapUp, Pending and CallbackPending (put aside; until says when it goes on, if
// the customer was told or asked for it), Closed, Abandoned or Reopened. callBack says that the customer need not stay
// connected while it waits, score what they gave. After Closed or Abandoned the
// next message opens another conversation, unless one came in before the end was stored: then all of them reopen
// the conversation. position 1 is next; 0 means that the conversation waits no longer.
//
// problem is an object of RFC 9457 with field, value and remedy; retryAfterSeconds is set when trying again
// may help: the client then keeps the message and sends it again, otherwise it shows it as refused.
//
// ping comes every 25 s: a client that heard nothing for twice as long reconnects.
//
// # Ends
//
// The gateway closes with 1012 (it restarts: come back after retryAfterMillis), 1013 (frames were not read
// fast enough, or it cannot serve now), 1008 (a rule was broken), 4401 (the token is not accepted: forget it),
// 1009 (a frame was too long). After every end the client comes back with its last sequence, after a random
// time that grows with each attempt: clients that come back together bring a desk down.
package chatwire

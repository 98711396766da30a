// Package agentwire is what agents' clients and a desk's console say to each other over the WebSocket
// /console/v1/agent: one JSON object a frame, in text frames. Unknown types and fields are ignored on both
// sides, so that neighbouring releases work together.
//
// # From the client
//
//	{"type":"signIn","v":1,"token":"…","presence":"available","resume":{"01JD…":481}}
//	{"type":"presence","id":"7","presence":"away"}
//	{"type":"accept","id":"8","conversation":"01JD…"}
//	{"type":"decline","id":"9","conversation":"01JD…"}
//	{"type":"message","conversation":"01JD…","clientId":"a1","text":"Hello","note":false}
//	{"type":"typing","conversation":"01JD…","on":true}
//	{"type":"handOff","id":"10","conversation":"01JD…","queue":"refunds","reason":"needs a refund","summary":"…"}
//	{"type":"close","id":"11","conversation":"01JD…","disposition":"solved","comment":"…"}
//
// signIn comes first, within ten seconds; the token may stand in the request's header "Authorization: Bearer"
// instead. presence is what the agent wants to be: available (may be given conversations), away (keeps what it
// has and gets nothing new) or offline (gives everything back). Without it nothing changes. resume names the
// conversations that the client shows, with the greatest sequence that it has seen of each.
//
// Requests with an id are answered by done or error with the same id. A message is sent again, with the same
// clientId, until its ack or its refusal has come.
//
// # From the console
//
//	{"type":"welcome","v":1,"agent":{"id":"chen","role":"agent"},"desk":{"displayName":"Shop","languages":["zh","en"],"queues":["refunds"]},"limits":{"maxMessageBytes":32000}}
//	{"type":"presence","presence":"available","signedOn":true,"why":["…"],"slots":3,"busy":1,"pools":["people"],"queues":["refunds"]}
//	{"type":"conversation","conversation":"01JD…","relation":"offered","card":{…}}
//	{"type":"message","conversation":"01JD…","seq":482,"id":"01JD…","at":"…","from":{"kind":"customer","id":"c-…","name":"Li Wei"},"text":"…","clientId":"m1","entry":{…},"note":true,"missed":true}
//	{"type":"caughtUp","conversation":"01JD…","seq":482}
//	{"type":"ack","conversation":"01JD…","clientId":"a1","seq":483,"duplicate":false}
//	{"type":"done","id":"8"}
//	{"type":"error","id":"8","clientId":"a1","conversation":"01JD…","problem":{…}}
//	{"type":"typing","conversation":"01JD…","from":{…},"on":true}
//	{"type":"figures","queues":[…],"pools":[…]}
//	{"type":"ping"}
//	{"type":"goodbye","reason":"restart","retryAfterMillis":2310}
//
// presence is what the desk's router believes; it changes without being asked when an offer was missed.
//
// conversation comes whenever the agent's relation to a conversation or its state changes. relation is
// offered (answer with accept or decline before card.deadline), owned, or none (no longer the agent's: card.why
// says why). With owned come all messages, notes too, exactly once and in order of seq, then caughtUp, then what
// is said. card.handOff is the reason, what was tried and how far the transcript went when the conversation
// was handed off.
//
// figures come when they change, at most once a second. ping comes every 25 s.
//
// # Ends
//
// As in package chatwire: 1012 restart, 1013 too slow, 1008 a rule was broken, 4401 the token is wrong or was
// withdrawn. A client comes back with its presence and with resume. While an agent has no socket its heartbeats
// stop; after six seconds the router gives its conversations to others.
package agentwire

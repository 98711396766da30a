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
//	{"type":"handOff","id":"10","conversation":"01JD…","queue":"refunds","agent":"wu","reason":"needs a refund","summary":"…"}
//	{"type":"postpone","id":"11","conversation":"01JD…","until":"2026-11-21T09:00:00Z","callBack":true}
//	{"type":"tag","id":"12","conversation":"01JD…","tags":["refund","broken"]}
//	{"type":"merge","id":"13","conversation":"01JE…","into":"01JD…"}
//	{"type":"watch","id":"14","conversation":"01JD…","on":true}
//	{"type":"takeOver","id":"15","conversation":"01JD…"}
//	{"type":"close","id":"16","conversation":"01JD…","disposition":"solved","comment":"…"}
//
// signIn comes first, within ten seconds; the token may stand in the request's header "Authorization: Bearer"
// instead. presence is what the agent wants to be: available (may be given conversations), away (keeps what it
// has and gets nothing new) or offline (gives everything back). Without it nothing changes. resume names the
// conversations that the client shows, with the greatest sequence that it has seen of each.
//
// handOff goes to a queue, or with agent to a colleague by name, who is asked first; summary is a note for them.
// postpone puts an owned conversation aside until a time, outside the slots; it comes back to its owner first. With
// callBack the customer is told that time. tag replaces the tags, of an owned conversation or, for supervisors, of any
// open one. merge ends conversation as a duplicate of into, which goes on: its transcript gets a note with
// what was said in the other one, whose customer is told. Agents merge what they own or are offered into what they
// own, supervisors any. Something that was said meanwhile refuses it with 409, and nothing is lost.
//
// takeOver is for supervisors: the conversation is theirs at once, whoever had it. watch is for supervisors, and for
// agents in what they have had: everything that is said comes, until watch with on false. A message with note is a
// whisper there: the owner and who watches see it, the customer never does.
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
// offered (answer with accept or decline before card.deadline), owned, watched, or none (no longer the agent's: card.why
// says why). With offered and owned card.why says why it is the agent who has it. With owned and watched come all messages, notes too, exactly once and in order of seq, then caughtUp, then what
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

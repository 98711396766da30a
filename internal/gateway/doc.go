// Package gateway is the role through which customers reach a desk: the web chat over WebSocket, the same
// over REST, the chat page and the widget that puts it into other sites.
//
// # What it promises
//
// A message is acknowledged only after the bus has it on disk, and is stored once however often it is sent.
// A client that comes back with its last sequence gets what it missed, once and in order. One contact has one
// open conversation, also for messages milliseconds apart on several gateways (package router/intake). Notes
// of agents never leave the desk's side. Nobody reads another contact's conversation: a contact is who holds
// its token (package contacttoken).
//
// The frames of the WebSocket are described in package chatwire. It needs no cookie, so that other sites
// cannot use a visitor's session; browsers' origins are checked nevertheless against the desk's own host and
// documents.webChat.allowedOrigins, which also bound who may show the page in a frame.
//
// # REST
//
// For clients without WebSocket; docs/api/openapi.yaml describes it in full, and GET /openapi.yaml serves that.
// Bodies are JSON. A contact is named by "Authorization: Bearer TOKEN".
//
//	POST /v1/conversations                   {"contact":{"name":"Li Wei"}?, "language":"zh"?}
//	  201 (opened) or 200 (joined) {"conversation":"01JD…","contact":{…},"token":"dft1.…"}
//	  Without a token the caller is a new contact and is given one.
//	POST /v1/conversations/{id}/messages     {"clientId":"m1","text":"…","language":"en"?}
//	  201 (stored) or 200 (was stored before) {"clientId":"m1","conversation":"01JD…","id":"01JD…","seq":484,"duplicate":false}
//	  The conversation in the answer differs from {id} when that one has ended: the message opened another.
//	GET  /v1/conversations/{id}/messages?after=481&limit=100
//	  200 {"conversation":"01JD…","state":{…},"messages":[{…}],"seq":484,"more":false}: messages as in frames;
//	  go on with after=seq while more is true.
//	POST /v1/conversations/{id}/close        {}
//	  200 {"conversation":"01JD…","status":"Closed"}
//
//	POST /v1/channels/webhook                {"id":"wamid.1","contact":{"id":"8613800000000","name":"Li Wei"?},"text":"…","language":"en"?}
//	  for bridges to messengers, signed as Standard Webhooks has it, see docs/webhooks.md
//
// Refusals are problems of RFC 9457 with field, value and remedy, and with Retry-After where trying again
// helps: 400 what was sent is wrong, 401 the token is, 403 the page's origin is, 404 no such conversation of
// this contact, 413 too long, 415 not JSON, 429 too many messages, 503 the desk cannot serve now.
package gateway

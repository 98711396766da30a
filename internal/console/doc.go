// Package console is the role through which people answer customers: the agents' API over WebSocket, a page
// to answer from, and access to the archive for supervisors.
//
// # Who may do what
//
// Agents sign in with static tokens that carry a name and a role (package tokens). A withdrawn token ends its
// sockets within seconds. Which conversations an agent may be given is decided by the router: the token's
// name must be a member of a human pool. Supervisors also read and search all conversations, admins also the
// audit log; each such reading is stored in the audit log before it is answered.
//
// The frames of the WebSocket /console/v1/agent are described in package agentwire.
//
// # What the console believes
//
// The router's pushes and answers only tell it where to look. What an agent owns, and with which sequence its
// messages are fenced, is folded from the conversation's own log: a push that is lost, late or doubled changes
// nothing. While an agent has a socket the console sends its heartbeats; when the last one is gone they stop,
// and the router gives its conversations to others. Signing off is something else: it is at once.
//
// # REST
//
// All with "Authorization: Bearer TOKEN"; docs/api/openapi.yaml describes it in full. Refusals are problems of RFC 9457.
//
//	GET /console/v1/me                                          {"name":"chen","role":"agent"}
//	GET /console/v1/transcripts/{id}?after=…&limit=100          supervisor; an agent for what it owns
//	  {"conversation":{…},"items":[{"seq":17,"event":{…}},…],"next":"…"}: next goes into after
//	GET /console/v1/agents, /console/v1/conversations?queue=…&agent=…&status=…     who is signed on, what is open
//	GET /console/v1/search?q=…&contact=…&agent=…&tag=…&disposition=…&from=…&to=…&limit=50&before=…     supervisor
//	  {"hits":[{"conversation":{…},"message":{…}},…],"next":"…"}: next goes into before
//	GET /console/v1/audit?after=…&limit=100&conversation=…&who=…&action=…&newest=true&verify=true     admin
//	  {"records":[…],"next":100,"verified":{…}}
//	GET  /console/v1/webhooks, …/webhooks/{name}/dead-letters                      admin
//	POST /console/v1/webhooks/{name}/replay, …/webhooks/{name}/enable              admin, stored in the audit log
package console

// Package protocol is how gateways, consoles and bot workers talk to the router: requests with
// replies, pushes, heartbeats, places in the queue, figures. Everything is JSON with a version; unknown
// fields and types are ignored, so that neighbouring releases work together.
//
// # Requests
//
// A request goes to Subjects.Intent(party, who) with a time-out of [RequestTimeout]. Who is the agent's
// id (party bot or agent), or the contact's token (party customer: the gateway speaks for it). Only the
// leading router answers; without an answer ask again WITH THE SAME ID: the router answers a repeated
// request as the first time and does not do it twice, also after a change of the lead.
//
//	{"v":1,"id":"01JD…","type":"accept","conversation":"01JD…"}
//
//	type         party       fields                                 effect, reply
//	signOn       agent, bot  agent:{kind,id,name?,pool?}, presence   the agent may get conversations; a bot names its pool. Reply: agent,
//	                                                                 conversations (what it owns and is asked for; a restarted client resumes with it)
//	presence     agent       presence: online|away                   away: nothing new, an open offer is taken back. Reply: agent
//	drain        agent, bot  draining: true|false                    nothing new, what it has stays. Reply: agent
//	signOff      agent, bot  —                                       what it has goes back to its old place in the queue; a bot sends it
//	                                                                 on SIGTERM between two turns. Reply: agent (unknown ones are fine)
//	sync         agent, bot  —                                       reply: agent, conversations
//	accept       agent       conversation                            the person owns it. Reply: conversation (with ownSeq)
//	decline      agent       conversation                            the next agent is asked
//	handOff      agent, bot  conversation, handOff:{…}               from the owner: to a queue of people, or with handOff.agent to a person by name.
//	                                                                 Reply: conversation
//	close        agent, bot  conversation, disposition?, comment?    from the owner. Reply: conversation
//	close        customer    conversation, seq                       the customer ended it, behind the message of that sequence
//	left, back   customer    conversation, seq                       the customer's last connection ended, behind that message; it is connected again
//	postpone     agent       conversation, until, promised?          from the owner; it comes back to them first, then or when the customer writes
//	takeOver     agent       conversation                            at once, from whoever has it; the console lets those do so who may
//	callBack     customer    conversation, until?                    while it waits for people: it has its place again then; without a time it
//	                                                                 keeps it, and the customer need not stay connected
//	tag          agent       conversation, tags                      replaces the tags; the console lets those do so who may
//	merge        agent       conversation, seq, into, note, say      into is a person's and goes on, with the note; the other one is told say and ends.
//	                                                                 seq is the last of .msg that the asker has seen of it: with more it is refused
//	holdStep     agent       queue, step, until, reason              a declared step of the queue's ladder applies until then; the console lets those do so
//	                                                                 who may. Reply: queues
//	releaseStep  agent       queue, step                             the predicted wait decides about the step again. Reply: queues
//	queues       agent       —                                       reply: queues, with their ladders
//	agents       agent       —                                       reply: agents, the people who are signed on
//	open         agent       filter?                                 reply: conversations, more
//	staffing     agent       pool                                    reply: staffing, the plan of a pool of people
//	callReserve  agent       pool, tier, until, reason               a declared reserve tier is called in until then; the console lets those do so
//	                                                                 who may. Reply: reserve
//	releaseReserve agent     pool, tier                              ends that; what the operator calls in stays. Reply: reserve
//	reserve      agent       —                                       reply: reserve, the tiers of all pools
//	show         any         conversation                            reply: conversation with its position, for who resumes
//
//	{"v":1,"ok":true,"conversation":{…},"agent":{…},"conversations":[{…}]}
//	{"v":1,"ok":false,"error":{"code":"notOwner","what":"…","why":"…","remedy":"…"}}
//
// Codes: see [Code]. Retry only [CodeUnavailable] (the router is just losing the lead) and time-outs.
//
// # Pushes to agents, on Subjects.Offer(party, agent)
//
//	{"v":1,"type":"offer","conversation":{…,"deadline":"…","why":[…],"handOff":{…}}}     a person is asked: answer with accept or decline
//	{"v":1,"type":"offerEnded","conversation":{…},"outcome":"expired","why":[…]}         it is no longer asked
//	{"v":1,"type":"assigned","conversation":{…}}    the agent owns it now: for bots the beginning, for people the echo of accept.
//	                                                 With status WrapUp the talk is over and it has until the deadline for what is
//	                                                 left; close ends that early, and a message of the customer makes it Active again
//	{"v":1,"type":"released","conversation":{…},"why":[…]}   it owns it no longer: queued elsewhere, closed
//	{"v":1,"type":"presence","presence":"away","why":["missed an offer"]}
//	{"v":1,"type":"resync","why":[…]}               the router's view and the agent's differ: send sync, then act on the difference
//	{"v":1,"type":"signOn","why":[…]}               the router does not know the agent: send signOn again
//
// Pushes may be lost or come twice; a conversation's ownSeq tells old from new (greater is newer).
// What an agent owns is what its last sync or push says. Whoever writes a message as the owner appends it
// with AppendOptions{MsgID: conv+":"+clientId, ExpectLast: ownSeq, ExpectFilter: Subjects.Ownership(conv)};
// bus.ErrFenced then means: no longer yours (or send sync to get a newer ownSeq).
//
// # Heartbeats, on Subjects.Heartbeat(party, agent), every [HeartbeatEvery]
//
//	{"v":1,"holding":3}    holding: how many conversations the agent believes to own
//
// An agent that is not heard for [HeartbeatLost] is lost: what it has goes back to its old place.
//
// # Places in the queue, on Subjects.Live(conversation)
//
//	{"v":1,"type":"position","conversation":"01JD…","status":"Queued","queue":"refunds","position":3,"waiting":12,
//	 "expectedWaitSeconds":95,"at":"…"}
//
// Pushed on change, at most once in [PositionEvery] a conversation; position 1 is next. The expected wait is looked
// at every fifth second, and missing while nothing tells; a queue may announce the position alone, or nothing. With
// another status position is 0: the conversation waits no longer. Other roles put other types (typing) on the same subject.
//
// # Customers
//
// A gateway finds or opens the conversation of a contact with package router/intake and appends the
// customer's messages there; the router sees them in the log. There is no request to open one.
//
// # After the end
//
// The archive finds an ended conversation by closed or abandoned on its .own subject, stores it, and purges
// Subjects.Conversation(id) up to the last sequence that it stored. The router notices the purge, forgets the
// conversation and removes its claim; the archive tells nobody.
package protocol

// Package chatclient is the other end of a desk's WebSockets: [Chat] is a customer at a gateway, [Agent] a
// person at a console. [RunChat] and [RunAgent] are the commands "deskfleet chat" and "deskfleet agent";
// programs that play customers and agents, such as the demo and the end-to-end tests, use all of it.
//
// # What the clients promise
//
// A connection that is lost is made anew, after a random time that grows with each attempt, and resumed by
// sequence. Each message and state comes exactly once and in order, however often that happens. A message is
// sent, with the same client id, until the desk has acknowledged or refused it; the messages of a conversation
// are stored in the order in which they were posted. Requests of an agent are repeated too, unless what has
// become of the conversation answers them. Only a token that is not accepted, or a desk that stays away longer
// than [Reconnect].GiveUpAfter, ends a client.
//
// Tokens are sent in frames only: never in an address, an event, an error or what is printed. What others
// wrote is printed without its control characters.
package chatclient

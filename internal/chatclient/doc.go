// Package chatclient is the other end of a desk's WebSockets: [Chat] is a customer at a gateway, and the
// commands "deskfleet chat" and "deskfleet agent" are built from it. Programs that play customers, such as
// the demo and the end-to-end tests, use it too.
//
// # What a Chat promises
//
// A connection that is lost is made anew, after a random time that grows with each attempt, and resumed by
// sequence. Each message and state comes exactly once and in order, however often that happens. A message is
// sent, with the same client id, until the desk has acknowledged or refused it; messages are stored in the
// order in which they were posted. Only a token that is no longer accepted, or a desk that stays away longer
// than [Options].GiveUpAfter, ends a Chat.
package chatclient

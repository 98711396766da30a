// Package dialogue decides what a bot says next. It is pure: what was said, what the knowledge bases gave and
// the pool's settings go in, a [Reply] comes out; there is no clock, no I/O and no memory of its own.
//
// # Rules
//
// A customer who asks for a person gets one, whatever else the message says, in Chinese or English and at once.
//
// A question is answered with the best entry whose confidence reaches the pool's floor, and the answer cites
// it. Below the floor the bot says honestly that it has no sure answer and hands the conversation off. It never
// says the same answer twice: who asks again after an answer was not helped by it, so the next entry that
// reaches the floor is given, or the conversation is handed off. The same goes for a customer who says that
// the answer was no help. Thanks, greetings and farewells are answered as people would, and hand nothing off.
//
// The bot speaks the customer's language if the desk has it, otherwise the desk's first one. An answer is said
// in the language of its entry.
//
// # Whoever comes next
//
// What a bot knows of a conversation ([Talk]) is folded from the transcript alone, so that any worker goes on
// where another one stopped, also in the middle of a turn. For this the bot's messages carry client ids that
// say up to which message of the customer they answer, and that a person was promised:
//
//	bot-KIND-THROUGH-PART    KIND greeting, answer, chat or handoff; THROUGH a sequence; PART from 0
//
// A worker that says again what was said gives it the same id, which every transcript recognises.
package dialogue

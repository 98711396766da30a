// Package routing matches the conversations of one desk with its agents. It is pure: time is an
// argument, there are no goroutines and no I/O, and the same inputs at the same times give the same
// decisions.
//
// A [Desk] holds everything in memory. [Desk.Decide] takes one input (a customer wrote, an agent
// signed on, an offer was accepted, time passed) and returns the decisions that follow, already
// applied. A decision is an event of package conversation; folding the decisions of a log with
// [Desk.Fold], and what was said with [Desk.Hear], gives the same desk again. That is what a standby
// does all the time, and a router after a restart.
//
// # Rules
//
// A waiting conversation has a place: priority, highest first, then arrival (time, then sequence). The
// place is given when the conversation first comes to wait for bots, and anew when it first comes to
// wait for people; after that it keeps it, whether an offer runs out, its agent is lost, or it is
// passed on to another queue.
//
// An agent gets the conversation with the highest priority among its queues; of equal ones that of the
// earlier queue in its pool's list; within a queue the earliest. A conversation gets the agent that has
// been idle longest; when none is idle the one with the fewest busy slots, then the one that was given
// a conversation longest ago. Bots are assigned at once, people are offered and have their pool's time
// to accept; an open offer takes a slot, so that no agent ever has more than its slots.
//
// Nothing is offered to an agent that is away, draining or signed off. Whoever misses an offer is set
// away, and whoever declined or missed a conversation is not asked for it again for a while.
//
// # Cost
//
// Waiting conversations and free agents are kept in trees that know their sizes, so that an event costs
// a few comparisons and no rescan, and a conversation's position is read in logarithmic time.
package routing

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
// # Places
//
// A waiting conversation has a place by its score: its priority and the desk's ageing for each minute
// since its arrival. All scores grow at one rate, so that the order of two conversations never changes
// while they wait, and nobody starves. The arrival is given when the conversation first comes to
// wait for bots, and anew when it first comes to wait for people; after that it keeps it, whether an offer
// runs out, its agent is lost, or it is passed on to another queue.
//
// # Matching
//
// Queues ask for skills with levels, required or preferred. Rings relax that with the waiting time, and let
// further pools serve the conversation. An agent gets the conversation with the best score among those that it may serve;
// of equal ones that of the earlier queue in its pools' lists. A conversation gets, of the agents who may
// serve it, the one who meets most of the preferred skills, then the one with the least surplus of skill, then
// the one that has been idle longest; when none is idle the one with the fewest busy slots, then the one that was
// given a conversation longest ago. The person whom the contact talked to last goes before all of them, within the
// desk's window.
//
// Bots are assigned at once, people are offered and have their pool's time to accept; an open offer takes its slots, so
// that no agent ever has more than its slots. Channels may weigh several slots, and slots may be reserved for a queue. An
// agent keeps a slot free for a conversation that needs several, once that one is a minute ahead: it would wait for
// ever otherwise.
//
// Nothing is offered to an agent that is away, draining, signed off or outside its shift, nor what would pass the
// end of the shift by the queue's mean handle time. Whoever misses as many offers in a row as the pool allows is set
// away, and whoever declined or missed a conversation is not asked for it again for a while.
//
// A conversation that is transferred to a person by name, or comes back to the one who put it off, waits for that person
// alone for the time of an offer, whatever the skills, and then for anybody.
//
// # Too much, and too late
//
// Each second a [Review] predicts how long who comes now will wait: from the answers of the last minutes in which
// people waited, and where these are few from the slots over the mean handle time. By that prediction the steps of a
// queue's degradation ladder are entered, and left again with a margin. A full queue, and a conversation that has
// waited for as long as its queue allows, take the last step. Outside the desk's hours a customer is told, and
// does not wait for people unless the desk calls back when it opens; a conversation that waits for that overflows
// nowhere.
//
// # Cost
//
// Conversations wait by class (what the same agents may serve) and agents are free by profile (who may serve the same).
// Whether a profile may serve a class is found once and kept, so that an event costs no look at skills, no rescan, and
// a few comparisons; a conversation's position is read in logarithmic time. The benchmarks print it.
package routing

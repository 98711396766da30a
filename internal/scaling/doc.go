// Package scaling decides how many agents a pool needs, which workers to take
// back, and what of that may be done now. It is pure: figures and the time come
// in, a decision with its reason in words goes out; nothing in it reads a clock,
// a cluster or the network.
//
// # How many
//
// Everybody in the system deserves a slot: the need is the conversations that
// wait and those in progress, over the slots of one worker, rounded up. Waiting
// alone would say "none" as soon as the queue is empty, while every worker still
// talks. The need is lifted to what was declared (min, the floor of a running
// peak) and cut to max.
//
// More is done at once. Less is done when the need has been lower for [Hold]:
// the decision follows the highest need of that time, so that a lull between two
// waves takes nobody away and gives nobody back.
//
// Figures older than [StaleAfter], and figures that cannot be true, hold: they
// neither shrink nor grow a pool. Missing is never zero. What was declared is no
// figure and goes on to apply: a floor raises a pool whose desk is silent, too.
//
// # Which ones
//
// A worker leaves in three steps, so that no conversation is cut: it is marked
// draining and takes nothing new; it has nothing left (it finished, or handed
// over at the deadline); then the number of replicas falls. [PlanDrain] marks the
// least busy workers and takes marks back before new workers are made; [Act] lets
// the number fall by those that have nothing left, and no further.
package scaling

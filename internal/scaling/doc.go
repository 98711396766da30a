// Package scaling decides how many agents a pool needs, which workers to take
// back, and what of that may be done now. It is pure: figures and the time come
// in, a decision with its reason in words goes out; nothing in it reads a clock,
// a cluster or the network.
//
// # How many
//
// [Decide] has four ways to the number of workers, each a [Term]; the largest wins:
//   - feedback: everybody in the system deserves a slot. The need is the
//     conversations that wait and those in progress, over the slots of one worker.
//     Waiting alone would say "none" as soon as the queue is empty, while every
//     worker still talks;
//   - load: those in progress that will still be at the lead time, given how long
//     they have lasted, and the arrivals of the last minutes until then;
//   - forecast: the same with the arrivals of comparable days. It only ever raises;
//   - calendar: the same with what peaks announce, so early that it stands in time.
//
// A load becomes workers by Erlang A (package erlang) for an objective of two parts: a
// share answered within a time, and a ceiling on abandonment. What is not by chance
// is added: by how much arrivals have surprised before, and the error of their rate,
// at the quantile of that share. Without a [Flow] in the figures there is the feedback alone.
//
// The need is lifted to what was declared (min, the floor of a peak) and cut to
// max, the cap of a peak and the budget. More is done at once. Less is done when
// the need has been lower for the hold, step by step, and never in a burst, in a
// rollout, shortly before a peak, before arrivals were watched for a while, or while
// the cluster refuses workers: a lull between two waves takes nobody away.
//
// Figures older than [StaleAfter], figures that cannot be true, and figures that
// contradict the ones before hold: they neither shrink nor grow a pool. Missing is
// never zero. What was declared is no figure and goes on to apply: a floor raises a
// pool whose desk is silent, too. After [BlindAfter] the fallback and the forecast do.
//
// What was learned of a pool, its [Knowledge], can be stored in at most
// [MaxEncodedKnowledge] bytes, so that neither the arrivals of eight weeks nor
// handle times are lost with a leader.
//
// # Which ones
//
// A worker leaves in three steps, so that no conversation is cut: it is marked
// draining and takes nothing new; it has nothing left (it finished, or handed
// over at the deadline); then the number of replicas falls. [PlanDrain] marks the
// least busy workers and takes marks back before new workers are made; [Act] lets
// the number fall by those that have nothing left, and no further.
package scaling

// Package bot is the role of a bot worker: an agent of kind bot that takes conversations from the router,
// answers from the knowledge bases, and hands off to people. What it says is decided by package dialogue.
//
// # Life
//
// A worker signs on at the router with its pool and its id, the pod's name, and sends a heartbeat every two
// seconds. The router assigns it conversations, never more than the pool's slots. Each one is a session: a
// goroutine that reads the transcript from the log and does one turn after the other. A turn reads what is
// new, looks the question up over the bus, decides, publishes, and if that was the decision hands off.
//
// On SIGTERM the worker asks for nothing new, lets every session finish its turn, and signs off: the router
// puts what is left back at its old place and the next worker goes on from the transcript. Run returns when the
// router has confirmed that.
//
// # What keeps it honest
//
// The log is the truth: pushes and live messages only say that it is time to look. A message may be received
// live before it is stored, or without ever being stored; the session reads until it finds it, for a while.
// Every message that a worker writes expects the last sequence of the conversation's .own subject, so that
// one that has lost the conversation, even without knowing, is refused; it then asks the router what is still
// its own. Messages have the same id whoever repeats them (package dialogue), so that a lost answer of the
// bus, or of the worker before, says nothing twice.
//
// A hand-off is two steps: the bot says so, then asks the router. A worker that dies in between leaves a
// promise in the transcript, and whoever gets the conversation next keeps it first.
package bot

// Package archive keeps what was said and done on a desk after the bus has forgotten it: conversations,
// searchable, and the audit chain. It holds the store over database/sql (SQLite or PostgreSQL) and the role
// that fills it.
//
// # From the log to the database
//
// The role tails the conversations and the audit subject of the desk's stream from the position that the
// database holds, and writes rows and the new position in one transaction: each stored event is in the
// database exactly once, whatever dies when. A message that a client sent again after the bus had forgotten
// its id is recognised by (conversation, client id), as in every projection.
//
// # Forgetting
//
// A conversation leaves the log, up to the last sequence that the database holds of it, when
//
//   - it has ended, and nothing was logged for it since a grace time;
//   - the router has seen the customer's last message: the cursor in the decision log's last batch says so.
//     A message that slips in after the end may reopen the conversation, and no other role but the router
//     may decide that;
//   - the log holds nothing of it that the database does not.
//
// What arrives later stays in the log, is stored, and goes the same way. Purging twice is harmless, so that
// nothing has to be atomic between database and log. Audit events leave the log as soon as they are stored.
//
// # Generations
//
// A log that was lost or made anew begins at sequence 1 again. The archive notices it by the log's time of
// creation, counts a new generation, ends what the old log held open, and reads the new one from its
// beginning. Rows are keyed by generation and sequence, so that nothing is taken for something else; what a
// restored copy of the log tells again is recognised. An audit record remains.
//
// # Reading
//
// Package protocol describes what other roles may ask, package audit how they report who did what.
//
// # Reports
//
// What a conversation did in one queue and with the agent who answered it from there is a stay. Stays are told from
// the events when the conversation has ended, and told anew when there is more of it; reports add them up in SQL.
//
// # Schema
//
// Numbered steps in migrations/, one folder an engine, run in order when the database is opened. A database
// that a newer release has changed is refused. Texts are found by trigrams; SQLite's index holds no words of
// one or two characters, which most Chinese words are, so these are looked for row by row from the newest on.
package archive

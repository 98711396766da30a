-- What reports add up: the time of a conversation in one queue, and with the agent who answered it from there.
-- Times are nanoseconds since 1970 in UTC, durations milliseconds. They are told from the events, see stays.go, and
-- told anew when there are more: reported_seq is the last sequence that they know.

ALTER TABLE conversations ADD COLUMN reported_seq INTEGER NOT NULL DEFAULT 0;

CREATE INDEX conversations_unreported ON conversations (id)
  WHERE reported_seq <> last_seq AND (ended_at IS NOT NULL OR reported_seq > 0);

CREATE TABLE stays (
  conversation TEXT NOT NULL,
  number INTEGER NOT NULL,
  contact TEXT NOT NULL,
  queue TEXT NOT NULL,
  began_at INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  wait_ms INTEGER,
  agent_kind TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  agent_name TEXT NOT NULL,
  agent_pool TEXT NOT NULL,
  reply_ms INTEGER,
  handle_ms INTEGER,
  left_at INTEGER,
  ending TEXT NOT NULL,
  closing INTEGER NOT NULL,
  reopened INTEGER NOT NULL,
  deflected INTEGER NOT NULL,
  PRIMARY KEY (conversation, number)
) WITHOUT ROWID;

CREATE INDEX stays_by_time ON stays (began_at);

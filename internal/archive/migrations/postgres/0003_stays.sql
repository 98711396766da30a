-- What reports add up: the time of a conversation in one queue, and with the agent who answered it from there.
-- Times are nanoseconds since 1970 in UTC, durations milliseconds. They are told from the events, see stays.go, and
-- told anew when there are more: reported_seq is the last sequence that they know.

ALTER TABLE conversations ADD COLUMN reported_seq BIGINT NOT NULL DEFAULT 0;

CREATE INDEX conversations_unreported ON conversations (id)
  WHERE reported_seq <> last_seq AND (ended_at IS NOT NULL OR reported_seq > 0);

CREATE TABLE stays (
  conversation TEXT NOT NULL,
  number BIGINT NOT NULL,
  contact TEXT NOT NULL,
  queue TEXT NOT NULL,
  began_at BIGINT NOT NULL,
  outcome TEXT NOT NULL,
  wait_ms BIGINT,
  agent_kind TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  agent_name TEXT NOT NULL,
  agent_pool TEXT NOT NULL,
  reply_ms BIGINT,
  handle_ms BIGINT,
  left_at BIGINT,
  ending TEXT NOT NULL,
  closing SMALLINT NOT NULL,
  reopened SMALLINT NOT NULL,
  deflected SMALLINT NOT NULL,
  PRIMARY KEY (conversation, number)
);

CREATE INDEX stays_by_time ON stays (began_at);

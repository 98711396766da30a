-- Times are nanoseconds since 1970 in UTC. Sequences are those of the desk's log; generation counts the logs,
-- because a log that was lost begins again at sequence 1.

CREATE TABLE desk (
  only_row SMALLINT PRIMARY KEY CHECK (only_row = 1),
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  generation BIGINT NOT NULL,
  log_created BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  conversations BIGINT NOT NULL DEFAULT 0,
  messages BIGINT NOT NULL DEFAULT 0,
  unreadable BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE conversations (
  id TEXT PRIMARY KEY,
  status TEXT NOT NULL,
  channel TEXT NOT NULL,
  contact TEXT NOT NULL,
  contact_name TEXT NOT NULL,
  language TEXT NOT NULL,
  queue TEXT NOT NULL,
  agent_kind TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  agent_name TEXT NOT NULL,
  agent_pool TEXT NOT NULL,
  disposition TEXT NOT NULL,
  opened_at BIGINT NOT NULL,
  ended_at BIGINT,
  logged_at BIGINT NOT NULL,
  generation BIGINT NOT NULL,
  last_seq BIGINT NOT NULL,
  customer_seq BIGINT NOT NULL,
  purged_seq BIGINT NOT NULL,
  messages BIGINT NOT NULL,
  state TEXT NOT NULL
);

CREATE INDEX conversations_by_opening ON conversations (opened_at, id);
CREATE INDEX conversations_by_contact ON conversations (contact, opened_at, id);
CREATE INDEX conversations_by_end ON conversations (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX conversations_unpurged ON conversations (logged_at) WHERE ended_at IS NOT NULL AND purged_seq < last_seq;

CREATE TABLE messages (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  conversation TEXT NOT NULL,
  generation BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  client_id TEXT NOT NULL,
  at BIGINT NOT NULL,
  from_kind TEXT NOT NULL,
  from_id TEXT NOT NULL,
  from_name TEXT NOT NULL,
  note SMALLINT NOT NULL,
  text TEXT NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (conversation, generation, seq),
  UNIQUE (conversation, client_id)
);

CREATE TABLE ownership (
  conversation TEXT NOT NULL,
  generation BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  event_id TEXT NOT NULL,
  type TEXT NOT NULL,
  at BIGINT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (conversation, generation, seq),
  UNIQUE (conversation, event_id)
);

-- What the escalation policy could see when the message came in, so that policies can be replayed.
CREATE TABLE facts (
  conversation TEXT NOT NULL,
  generation BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  facts TEXT NOT NULL,
  PRIMARY KEY (conversation, generation, seq)
);

-- What no release of this format can read is kept as it came.
CREATE TABLE unreadable (
  generation BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  subject TEXT NOT NULL,
  data BYTEA NOT NULL,
  problem TEXT NOT NULL,
  logged_at BIGINT NOT NULL,
  PRIMARY KEY (generation, seq)
);

CREATE TABLE audit (
  number BIGINT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  v BIGINT NOT NULL,
  at BIGINT NOT NULL,
  namespace TEXT NOT NULL,
  desk TEXT NOT NULL,
  role TEXT NOT NULL,
  action TEXT NOT NULL,
  who_kind TEXT NOT NULL,
  who_id TEXT NOT NULL,
  who_name TEXT NOT NULL,
  conversation TEXT NOT NULL,
  details TEXT NOT NULL,
  salt TEXT NOT NULL,
  prev_hash TEXT NOT NULL,
  hash TEXT NOT NULL
);

CREATE INDEX audit_by_conversation ON audit (conversation, number) WHERE conversation <> '';
CREATE INDEX audit_by_who ON audit (who_id, number);

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit records are never changed or deleted';
END $$;

CREATE TRIGGER audit_unchanged BEFORE UPDATE OR DELETE ON audit
  FOR EACH ROW EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_untruncated BEFORE TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TABLE audit_head (
  only_row SMALLINT PRIMARY KEY CHECK (only_row = 1),
  number BIGINT NOT NULL,
  hash TEXT NOT NULL
);

INSERT INTO audit_head (only_row, number, hash) VALUES (1, 0, '');

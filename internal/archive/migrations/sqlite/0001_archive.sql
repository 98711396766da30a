-- Times are nanoseconds since 1970 in UTC. Sequences are those of the desk's log; generation counts the logs,
-- because a log that was lost begins again at sequence 1.

CREATE TABLE desk (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  generation INTEGER NOT NULL,
  log_created INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  conversations INTEGER NOT NULL DEFAULT 0,
  messages INTEGER NOT NULL DEFAULT 0,
  unreadable INTEGER NOT NULL DEFAULT 0
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
  opened_at INTEGER NOT NULL,
  ended_at INTEGER,
  logged_at INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  customer_seq INTEGER NOT NULL,
  purged_seq INTEGER NOT NULL,
  messages INTEGER NOT NULL,
  state TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX conversations_by_opening ON conversations (opened_at, id);
CREATE INDEX conversations_by_contact ON conversations (contact, opened_at, id);
CREATE INDEX conversations_by_end ON conversations (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX conversations_unpurged ON conversations (logged_at) WHERE ended_at IS NOT NULL AND purged_seq < last_seq;

CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  conversation TEXT NOT NULL,
  generation INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  client_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  from_kind TEXT NOT NULL,
  from_id TEXT NOT NULL,
  from_name TEXT NOT NULL,
  note INTEGER NOT NULL,
  text TEXT NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (conversation, generation, seq),
  UNIQUE (conversation, client_id)
);

CREATE TABLE ownership (
  conversation TEXT NOT NULL,
  generation INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  type TEXT NOT NULL,
  at INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (conversation, generation, seq),
  UNIQUE (conversation, event_id)
) WITHOUT ROWID;

-- What the escalation policy could see when the message came in, so that policies can be replayed.
CREATE TABLE facts (
  conversation TEXT NOT NULL,
  generation INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  facts TEXT NOT NULL,
  PRIMARY KEY (conversation, generation, seq)
) WITHOUT ROWID;

-- What no release of this format can read is kept as it came.
CREATE TABLE unreadable (
  generation INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  subject TEXT NOT NULL,
  data BLOB NOT NULL,
  problem TEXT NOT NULL,
  logged_at INTEGER NOT NULL,
  PRIMARY KEY (generation, seq)
) WITHOUT ROWID;

CREATE VIRTUAL TABLE message_text USING fts5(text, content='messages', content_rowid='id', tokenize='trigram');

CREATE TRIGGER messages_inserted AFTER INSERT ON messages BEGIN
  INSERT INTO message_text (rowid, text) VALUES (new.id, new.text);
END;

CREATE TRIGGER messages_deleted AFTER DELETE ON messages BEGIN
  INSERT INTO message_text (message_text, rowid, text) VALUES ('delete', old.id, old.text);
END;

CREATE TABLE audit (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  v INTEGER NOT NULL,
  at INTEGER NOT NULL,
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

CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit BEGIN
  SELECT RAISE(ABORT, 'audit records are never changed');
END;

CREATE TRIGGER audit_undeleted BEFORE DELETE ON audit BEGIN
  SELECT RAISE(ABORT, 'audit records are never deleted');
END;

CREATE TABLE audit_head (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  number INTEGER NOT NULL,
  hash TEXT NOT NULL
);

INSERT INTO audit_head (only_row, number, hash) VALUES (1, 0, '');

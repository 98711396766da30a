-- Events that were stored up to (generation, seq) have been looked at for the webhook. disabled_at is 0 while it
-- is enabled.
CREATE TABLE webhooks (
  name TEXT PRIMARY KEY,
  url TEXT NOT NULL,
  generation INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  disabled_at INTEGER NOT NULL DEFAULT 0,
  disabled_why TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- What a webhook's receiver has still to be sent, and what was given up: dead_at is 0 while it is tried. The
-- event itself stays in messages or ownership, so that it is deleted in one place only.
CREATE TABLE webhook_events (
  webhook TEXT NOT NULL,
  generation INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  conversation TEXT NOT NULL,
  queued_at INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  dead_at INTEGER NOT NULL DEFAULT 0,
  problem TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (webhook, generation, seq)
) WITHOUT ROWID;

CREATE INDEX webhook_events_in_order ON webhook_events (webhook, conversation, generation, seq) WHERE dead_at = 0;
CREATE INDEX webhook_events_dead ON webhook_events (webhook, generation, seq) WHERE dead_at > 0;

CREATE INDEX messages_in_order ON messages (generation, seq);
CREATE INDEX ownership_in_order ON ownership (generation, seq);

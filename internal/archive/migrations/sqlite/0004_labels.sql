-- What people call a conversation: its tags, with blanks between them as no tag has one, and the customer's rating from
-- 1 to 5, 0 for none. conversation_tags is the same, for searches.

ALTER TABLE conversations ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE conversations ADD COLUMN rating INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN rating_comment TEXT NOT NULL DEFAULT '';

CREATE TABLE conversation_tags (
  tag TEXT NOT NULL,
  conversation TEXT NOT NULL,
  PRIMARY KEY (tag, conversation)
) WITHOUT ROWID;

CREATE INDEX conversation_tags_of_one ON conversation_tags (conversation);
CREATE INDEX conversations_by_disposition ON conversations (disposition, opened_at, id) WHERE disposition <> '';

-- When people were signed on stands in the audit; when they were busy, in the stays.
CREATE INDEX audit_of_the_router ON audit (who_id, at) WHERE role = 'router';
CREATE INDEX stays_by_agent ON stays (agent_id, left_at) WHERE agent_kind = 'agent';

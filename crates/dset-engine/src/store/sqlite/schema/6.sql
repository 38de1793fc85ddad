-- Version 6: texts in `answers` may be BLOBs, compressed with Zstandard (`texts.rs`); when an
-- answer came, beside its numbers; answers on their way into the place of others. In `meta` there may also be `redos`, as JSON: the
-- rows that are asked again on purpose and not all done, with the last answer that was there before.

-- An answer that came while its row was asked again, and that programs have not judged: once it is accepted, it
-- counts in place of those `before`.
CREATE TABLE replaces (
  answer INTEGER NOT NULL,
  before INTEGER NOT NULL,
  PRIMARY KEY (answer, before)
) WITHOUT ROWID;

-- Of `answers`, so that whoever adds up what was spent reads no page of texts. `facts_from` in `meta` is the first
-- answer from which on every one has them.
ALTER TABLE answer_facts ADD COLUMN answered_at INTEGER;
ALTER TABLE answer_facts ADD COLUMN life INTEGER;
INSERT OR REPLACE INTO meta (name, value) SELECT 'facts_from', ifnull(max(id), 0) + 1 FROM answers;

-- Version 6: a text in `answers` may be a BLOB, which is the text compressed with Zstandard (`texts.rs`); answers on
-- their way into the place of others. In `meta` there may also be `redos`, as JSON: the
-- rows that are asked again on purpose and not all done, with the last answer that was there before.

-- An answer that came while its row was asked again, and that programs have not judged: once it is accepted, it
-- counts in place of those `before`.
CREATE TABLE replaces (
  answer INTEGER NOT NULL,
  before INTEGER NOT NULL,
  PRIMARY KEY (answer, before)
) WITHOUT ROWID;

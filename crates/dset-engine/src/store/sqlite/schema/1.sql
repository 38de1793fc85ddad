-- The store of one folder: every answer that was bought, and what is known beside it.
-- Version 1; the number stands in `user_version`. Hashes are xxh3-128, big end first; times are
-- Unix milliseconds.

-- What holds for the whole store: `edition`, `moving`, `rebuilding`, `rebuilt_at`, `formats`, and,
-- where the last run wanted more than one answer to a question, `asked`: its settings and samples;
-- `call`, as JSON: the last run's column, header and, for each model, its base URLs without their
-- queries and the name of its key's variable or `none`, never a key. Older stores lack it.
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value
) WITHOUT ROWID;

-- What answers were bought with, and how that was decided: first, continue, again; with `beside` in it
-- where the model was asked beside others, so that its answers stand for no other model's.
-- Settings 0 are the original script's, which nobody knows.
CREATE TABLE settings (
  id INTEGER PRIMARY KEY,
  hash BLOB NOT NULL,
  edition INTEGER NOT NULL,
  text TEXT NOT NULL,
  decision TEXT NOT NULL,
  decided_at INTEGER NOT NULL,
  UNIQUE (hash, edition)
);

-- One row a run.
CREATE TABLE lives (
  id INTEGER PRIMARY KEY,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  ending TEXT,
  version TEXT NOT NULL,
  settings INTEGER NOT NULL,
  endpoint TEXT NOT NULL
);

-- In the order of arrival, so that pages are filled and never split.
CREATE TABLE answers (
  id INTEGER PRIMARY KEY,
  life INTEGER,
  row INTEGER,
  answered_at INTEGER NOT NULL,
  question TEXT NOT NULL,
  reasoning TEXT NOT NULL,
  answer TEXT NOT NULL,
  metadata TEXT NOT NULL
);

-- The unique key of every answer and its parts: all that a resume reads.
CREATE TABLE answer_keys (
  key BLOB PRIMARY KEY,
  question BLOB NOT NULL,
  settings INTEGER NOT NULL,
  edition INTEGER NOT NULL,
  sample INTEGER NOT NULL,
  answer INTEGER NOT NULL
) WITHOUT ROWID;

-- Asks that failed; one that may have been paid for keeps its reply, compressed with zstd.
CREATE TABLE attempts (
  id INTEGER PRIMARY KEY,
  life INTEGER NOT NULL,
  at INTEGER NOT NULL,
  row INTEGER NOT NULL,
  question BLOB NOT NULL,
  key BLOB NOT NULL,
  attempt INTEGER NOT NULL,
  seconds REAL NOT NULL,
  cause TEXT NOT NULL,
  status INTEGER,
  message TEXT NOT NULL,
  request_id TEXT,
  input_tokens INTEGER,
  output_tokens INTEGER,
  body BLOB
);

-- Wanted answers that did not come, until they do. `question` is the question's own hash for sample 0
-- of a model that is asked alone, and of the model that the edition was first asked with; for every
-- other answer a hash of question, model and sample. So a store that never had more than one of each
-- says what it always said.
CREATE TABLE ended (
  question BLOB NOT NULL,
  edition INTEGER NOT NULL,
  row INTEGER NOT NULL,
  fault TEXT NOT NULL,
  cause TEXT NOT NULL,
  at INTEGER NOT NULL,
  max_tokens INTEGER,
  cut_at_tokens INTEGER,
  PRIMARY KEY (question, edition)
) WITHOUT ROWID;

-- Questions before a bookmark of the original script, taken as answered.
CREATE TABLE presumed (
  question BLOB PRIMARY KEY
) WITHOUT ROWID;

-- The order of the rows in every output, decided once.
CREATE TABLE output_order (
  edition INTEGER NOT NULL,
  position INTEGER NOT NULL,
  answer INTEGER NOT NULL,
  PRIMARY KEY (edition, position)
) WITHOUT ROWID;

-- How far each output is known to be whole: its rows, its bytes, a hash of its last 64 KiB.
CREATE TABLE sinks (
  name TEXT PRIMARY KEY,
  rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  tail BLOB NOT NULL
) WITHOUT ROWID;

-- Rows that are to say ERROR and do not yet.
CREATE TABLE marks (
  question BLOB PRIMARY KEY
) WITHOUT ROWID;

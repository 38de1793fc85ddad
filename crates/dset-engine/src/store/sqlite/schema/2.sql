-- Version 2: numbers of answers beside their texts, columns for what was words in a text, and what an
-- output's rows say. In `meta` there are also `csv_bom`, whether `output.csv` is wished with a byte order
-- mark; `marks_column`, the column of the input that has marks of ours, empty where none has; and
-- `from_bookmark`, where somebody has said that the questions in `presumed` are to be taken as answered.
INSERT OR IGNORE INTO meta (name, value) SELECT 'marks_column',
  iif(EXISTS (SELECT 1 FROM ended) OR EXISTS (SELECT 1 FROM marks), 'status', '');

-- What is known of an answer beside its texts, narrow, so that whoever counts reads no text. Answers
-- of version 1 have no row here: theirs stands in `answers.metadata`, where newer ones have only
-- what has no column. `request` are the settings it was asked with, 0 for the original script's;
-- `sample` is absent where one answer of each model was wanted; `model` is what the service called
-- itself; `attempts` are the asks that it took, and `seconds` how long the last of them took.
CREATE TABLE answer_facts (
  answer INTEGER PRIMARY KEY,
  request INTEGER NOT NULL,
  sample INTEGER,
  attempts INTEGER,
  seconds REAL,
  finish TEXT,
  model TEXT,
  request_id TEXT,
  input_tokens INTEGER,
  cached_tokens INTEGER,
  output_tokens INTEGER,
  reasoning_tokens INTEGER,
  -- What the service says that the call cost.
  cost REAL
);

-- The model was asked beside others, so that its answers stand for no other model's. Version 1 said
-- so at the end of `decision`.
ALTER TABLE settings ADD COLUMN together INTEGER NOT NULL DEFAULT 0;
UPDATE settings SET together = 1 WHERE decision LIKE '%beside';

-- The run dropped asks when it ended. Version 1 said so at the end of `ending`.
ALTER TABLE lives ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
UPDATE lives SET dropped = 1 WHERE ending LIKE '%dropped';

-- The row of the input that an answer was written with, where that is another than in `answers`.
ALTER TABLE output_order ADD COLUMN row INTEGER;

-- What an output's rows look like: a file that was begun by an earlier version keeps that until a
-- rebuild. `tail` is a hash of the last 64 KiB and of the numbers beside it; where this is 0, it is a
-- mark of version 1, whose hash is of the bytes alone.
ALTER TABLE sinks ADD COLUMN shape INTEGER NOT NULL DEFAULT 0;

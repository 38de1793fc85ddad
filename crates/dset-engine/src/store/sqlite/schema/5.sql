-- Version 5: the keys of first answers in the order of the rows, which is about the order in which a run
-- brings them: the pages that it fills are few and the last ones, where an order by hashes dirties one page
-- for each answer. `row` is that of `answers`, or 0. Keys of earlier versions stay in `answer_keys`; no key
-- is in both.
CREATE TABLE keys_by_row (
  row INTEGER NOT NULL,
  key BLOB NOT NULL,
  question BLOB NOT NULL,
  settings INTEGER NOT NULL,
  edition INTEGER NOT NULL,
  sample INTEGER NOT NULL,
  answer INTEGER NOT NULL,
  PRIMARY KEY (row, key)
) WITHOUT ROWID;

-- The key of every first answer and its parts: all that a resume reads.
CREATE VIEW keys AS
  SELECT NULL AS row, key, question, settings, edition, sample, answer FROM answer_keys
  UNION ALL SELECT row, key, question, settings, edition, sample, answer FROM keys_by_row;

-- The same of later tries, with the `first` answer under the key. No index finds a key in the view, so that
-- the keys are gone through, where there are later tries at all.
CREATE VIEW later_keys AS
  SELECT k.row, k.key, k.question, k.settings, k.edition, k.sample, t.try, t.answer, k.answer AS first
  FROM (SELECT 1 WHERE EXISTS (SELECT 1 FROM later_tries))
  CROSS JOIN keys k CROSS JOIN later_tries t ON t.key = k.key;

-- What a reply cost at most that came and was not counted, in millionths of a millionth of a dollar, as its
-- run reckoned under a limit.
ALTER TABLE answer_facts ADD COLUMN cost_most INTEGER;
ALTER TABLE attempts ADD COLUMN cost_most INTEGER;

-- What else a service says of an ask that failed, and the model that was asked.
ALTER TABLE attempts ADD COLUMN cached_tokens INTEGER;
ALTER TABLE attempts ADD COLUMN cost REAL;
ALTER TABLE attempts ADD COLUMN model TEXT;

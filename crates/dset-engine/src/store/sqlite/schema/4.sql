-- Version 4: what answers are held against. In `meta` there may be `acceptance`, as JSON: the terms on which
-- the last run accepted answers; where there is none, every answer is accepted.

-- Further answers under the key of one in `answer_keys`, which is try 1: those before them were not
-- accepted when they came. Each is whole, and stands in `answers` like any other.
CREATE TABLE later_tries (
  key BLOB NOT NULL,
  try INTEGER NOT NULL,
  answer INTEGER NOT NULL,
  PRIMARY KEY (key, try)
) WITHOUT ROWID;

-- What was thought of answers: worked out again where it is missing. `acceptance` is a hash of what
-- was asked of them; `list` is JSON, and absent where every check passed.
CREATE TABLE verdicts (
  answer INTEGER NOT NULL,
  acceptance BLOB NOT NULL,
  list TEXT,
  PRIMARY KEY (answer, acceptance)
) WITHOUT ROWID;

-- Answers that count no more, because their rows were asked again on purpose.
CREATE TABLE set_aside (
  answer INTEGER PRIMARY KEY
);

-- Answers that somebody has said are to be kept, whatever this acceptance thinks of them.
CREATE TABLE kept (
  answer INTEGER NOT NULL,
  acceptance BLOB NOT NULL,
  PRIMARY KEY (answer, acceptance)
) WITHOUT ROWID;

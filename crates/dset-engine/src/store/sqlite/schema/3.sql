-- Version 3: limits of money.

-- What a run under a limit may be billed, in millionths of a millionth of a dollar, one row a run.
-- `bound` is durable before so much may be billed; once `is_last`, it is what the run was billed at most.
-- `unsure` is what of it nobody can tell from `answers` and `attempts`. Where `forgiven_at` stands,
-- somebody has said, at this time, that only what is in those was billed.
CREATE TABLE bounds (
  life INTEGER PRIMARY KEY,
  bound INTEGER NOT NULL,
  unsure INTEGER NOT NULL,
  is_last INTEGER NOT NULL,
  forgiven_at INTEGER
);

-- A store of version 4, or earlier, read-only: what version 5 adds, in memory.
CREATE TEMP TABLE keys_by_row (row, key, question, settings, edition, sample, answer,
  PRIMARY KEY (row, key)) WITHOUT ROWID;
CREATE TEMP VIEW keys AS
  SELECT NULL AS row, key, question, settings, edition, sample, answer FROM answer_keys;

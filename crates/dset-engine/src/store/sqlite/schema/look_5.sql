-- A store of version 5, or earlier, read-only: what version 6 adds, in memory.
CREATE TEMP TABLE replaces (answer, before, PRIMARY KEY (answer, before)) WITHOUT ROWID;
CREATE TEMP VIEW IF NOT EXISTS answer_facts AS SELECT *, NULL AS answered_at, NULL AS life, NULL AS place,
  NULL AS written_tokens, NULL AS written_1h_tokens
  FROM main.answer_facts;

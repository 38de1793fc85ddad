-- A store of version 7, or earlier, read-only: what version 8 adds, in memory.
CREATE TEMP VIEW IF NOT EXISTS lives AS SELECT *, NULL AS places FROM main.lives;
CREATE TEMP VIEW IF NOT EXISTS answer_facts AS SELECT *, NULL AS place, NULL AS written_tokens, NULL AS written_1h_tokens
  FROM main.answer_facts;
CREATE TEMP VIEW IF NOT EXISTS attempts AS SELECT *, NULL AS place, NULL AS written_tokens, NULL AS written_1h_tokens
  FROM main.attempts;

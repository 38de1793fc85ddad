-- A store of version 4, or earlier, read-only: what version 5 adds, in memory.
CREATE TEMP TABLE keys_by_row (row, key, question, settings, edition, sample, answer,
  PRIMARY KEY (row, key)) WITHOUT ROWID;
CREATE TEMP VIEW keys AS
  SELECT NULL AS row, key, question, settings, edition, sample, answer FROM answer_keys;
CREATE TEMP VIEW later_keys AS
  SELECT k.row, k.key, k.question, k.settings, k.edition, k.sample, t.try, t.answer, k.answer AS first
  FROM keys k JOIN later_tries t ON t.key = k.key;
CREATE TEMP VIEW IF NOT EXISTS answer_facts AS SELECT *, NULL AS cost_most, NULL AS answered_at, NULL AS life,
  NULL AS place, NULL AS written_tokens, NULL AS written_1h_tokens FROM main.answer_facts;
CREATE TEMP VIEW attempts AS
  SELECT *, NULL AS cost_most, NULL AS cached_tokens, NULL AS cost, NULL AS model,
    NULL AS place, NULL AS written_tokens, NULL AS written_1h_tokens FROM main.attempts;

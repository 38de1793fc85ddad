-- A store of version 1, read-only: what version 2 adds, in memory.
CREATE TEMP TABLE answer_facts (
  answer INTEGER PRIMARY KEY, request, sample, attempts, seconds, finish, model, request_id,
  input_tokens, cached_tokens, output_tokens, reasoning_tokens, cost, cost_most, answered_at, life, place,
  written_tokens, written_1h_tokens
);
CREATE TEMP VIEW settings AS SELECT *, decision LIKE '%beside' AS together FROM main.settings;
CREATE TEMP VIEW lives AS SELECT *, ifnull(ending LIKE '%dropped', 0) AS dropped, NULL AS identity,
  NULL AS places FROM main.lives;
CREATE TEMP VIEW output_order AS SELECT *, NULL AS row FROM main.output_order;
CREATE TEMP VIEW sinks AS SELECT *, 0 AS shape FROM main.sinks;

-- A store of version 7, or earlier, read-only: what version 8 adds, in memory.
CREATE TEMP VIEW IF NOT EXISTS lives AS SELECT *, NULL AS places FROM main.lives;
CREATE TEMP VIEW IF NOT EXISTS answer_facts AS SELECT *, NULL AS place FROM main.answer_facts;
CREATE TEMP VIEW IF NOT EXISTS attempts AS SELECT *, NULL AS place FROM main.attempts;

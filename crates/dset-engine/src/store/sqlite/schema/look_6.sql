-- A store of version 6, or earlier, read-only: what version 7 adds, in memory.
CREATE TEMP VIEW IF NOT EXISTS lives AS SELECT *, NULL AS identity, NULL AS places FROM main.lives;

-- A store of version 6, or earlier, read-only: what version 7 adds, in memory.
CREATE TEMP VIEW IF NOT EXISTS lives AS SELECT *, NULL AS identity FROM main.lives;

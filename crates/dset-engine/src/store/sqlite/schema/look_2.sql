-- A store of version 2, or 1, read-only: what version 3 adds, in memory.
CREATE TEMP TABLE bounds (life INTEGER PRIMARY KEY, bound, unsure, is_last, forgiven_at);

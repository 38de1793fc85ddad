-- A store of version 3, or earlier, read-only: what version 4 adds, in memory.
CREATE TEMP TABLE later_tries (key, try, answer, PRIMARY KEY (key, try)) WITHOUT ROWID;
CREATE TEMP TABLE verdicts (answer, acceptance, list, PRIMARY KEY (answer, acceptance)) WITHOUT ROWID;
CREATE TEMP TABLE kept (answer, acceptance, PRIMARY KEY (answer, acceptance)) WITHOUT ROWID;
CREATE TEMP TABLE set_aside (answer INTEGER PRIMARY KEY);

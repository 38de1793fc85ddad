-- A job and what workers on several machines have done of it. Version 4, which stands in `job`. Hashes
-- named `key`, `question` and `settings` are xxh3-128, as a folder's store has them; times of runs are Unix
-- milliseconds, leases go by this server's clock.

-- The job, as `job.json` says it, and what of the files of its input is read: one of them, a pattern, or, where
-- this is empty, all as one folder.
CREATE TABLE job (
  is_it boolean PRIMARY KEY DEFAULT true CHECK (is_it),
  version integer NOT NULL,
  made_by text NOT NULL,
  file text NOT NULL,
  input text,
  put_at timestamptz NOT NULL DEFAULT now()
);

-- The files of its input, in parts that are compressed with zstd.
CREATE TABLE input_file (number integer PRIMARY KEY, path text NOT NULL);
CREATE TABLE input_part (
  file integer NOT NULL,
  part integer NOT NULL,
  bytes bytea NOT NULL,
  PRIMARY KEY (file, part)
);

-- Limits of the whole job, and until when what was granted of those a minute is paid for, in microseconds
-- since 1970. Money is in millionths of a millionth of a dollar.
CREATE TABLE limits (
  is_it boolean PRIMARY KEY DEFAULT true CHECK (is_it),
  asks_a_minute bigint,
  tokens_a_minute bigint,
  cost bigint,
  asks_due bigint NOT NULL DEFAULT 0,
  tokens_due bigint NOT NULL DEFAULT 0
);

-- Who has each shard. The token grows with every lease: what comes with an earlier one is of a worker that
-- was taken for dead. `ledger` is JSON, as the worker last said it. With `is_again` what failed in it is asked
-- once more, whatever was tried before by runs up to the token `again_after`.
CREATE TABLE shard (
  number integer PRIMARY KEY,
  token bigint NOT NULL DEFAULT 0,
  holder text,
  leased_until timestamptz,
  is_done boolean NOT NULL DEFAULT false,
  ledger text,
  is_again boolean NOT NULL DEFAULT false,
  again_after bigint
);

-- What answers were bought with.
CREATE TABLE settings (
  hash bytea NOT NULL,
  edition integer NOT NULL,
  text text NOT NULL,
  decision text NOT NULL,
  together boolean NOT NULL,
  decided_at bigint NOT NULL,
  PRIMARY KEY (hash, edition)
);

-- Runs of shards; the token is -1 of one that had no lease. `places` is JSON, as in a folder's store. `granted` may still be billed, or was,
-- where `billed` is absent.
CREATE TABLE life (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  shard integer NOT NULL,
  token bigint NOT NULL,
  holder text NOT NULL,
  started_at bigint NOT NULL,
  ended_at bigint,
  ending text,
  dropped boolean NOT NULL DEFAULT false,
  version text NOT NULL,
  settings bytea NOT NULL,
  edition integer NOT NULL,
  endpoint text NOT NULL,
  places text,
  granted bigint NOT NULL DEFAULT 0,
  billed bigint,
  is_idle boolean NOT NULL DEFAULT false,
  UNIQUE (shard, started_at, endpoint)
);

-- Every answer. What tells two apart is `identity`, 128 bits of BLAKE3 over what was asked, and the try;
-- `entry` is JSON, as in `dset.rescue`.
CREATE TABLE answer (
  identity bytea NOT NULL,
  try integer NOT NULL,
  key bytea NOT NULL,
  shard integer NOT NULL,
  life bigint,
  settings bytea,
  at bigint NOT NULL,
  entry text NOT NULL,
  PRIMARY KEY (identity, try)
);
CREATE INDEX answer_of_shard ON answer (shard, try, at);

-- What programs said of answers that were recorded when they came, before that: the last one counts. `entry` is JSON,
-- as the verdicts in that of the answer.
CREATE TABLE verdict (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  identity bytea NOT NULL,
  try integer NOT NULL,
  key bytea NOT NULL,
  shard integer NOT NULL,
  entry text NOT NULL
);
CREATE INDEX verdict_of_shard ON verdict (shard, key, try, number);

-- Answers that count no more, because their rows were asked again on purpose.
CREATE TABLE aside (
  key bytea NOT NULL,
  try integer NOT NULL,
  shard integer NOT NULL,
  PRIMARY KEY (key, try)
);

-- Answers that came although there was one.
CREATE TABLE paid_twice (
  identity bytea NOT NULL,
  try integer NOT NULL,
  key bytea NOT NULL,
  shard integer NOT NULL,
  life bigint NOT NULL,
  settings bytea,
  at bigint NOT NULL,
  entry text NOT NULL,
  PRIMARY KEY (identity, try, life, at)
);

-- Asks that failed.
CREATE TABLE attempt (
  key bytea NOT NULL,
  at bigint NOT NULL,
  attempt integer NOT NULL,
  cause text NOT NULL,
  shard integer NOT NULL,
  life bigint NOT NULL,
  entry text NOT NULL,
  PRIMARY KEY (key, at, attempt, cause, life)
);
CREATE INDEX attempt_of_shard ON attempt (shard, at);

-- Questions that ended without an answer, until there is one, and in which run.
CREATE TABLE ended (
  question bytea NOT NULL,
  edition integer NOT NULL,
  shard integer NOT NULL,
  entry text NOT NULL,
  life bigint,
  PRIMARY KEY (question, edition)
);
CREATE INDEX ended_of_shard ON ended (shard);

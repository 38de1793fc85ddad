-- Version 7: what tells one run from all others, in whatever store it stands: 16 random bytes, absent in runs of earlier
-- versions. In `meta` there is `identity`, which is the same for the store, once a run has begun in it.
ALTER TABLE lives ADD COLUMN identity BLOB;
-- An answer that gives way is looked for among those that others are to come in place of.
CREATE INDEX replaces_by_before ON replaces (before);

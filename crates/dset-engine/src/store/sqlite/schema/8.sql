-- Version 8: where each call was asked, and who is paid there; what it wrote into the provider's cache.

-- As JSON, the places of a run in their order: the model, the base URL without its query, and the provider whose
-- address it is, absent where none is known. Absent in runs of earlier versions, and in those that asked nothing.
ALTER TABLE lives ADD COLUMN places TEXT;

-- Which place of its run an answer came from, or an ask went to, from 0.
ALTER TABLE answer_facts ADD COLUMN place INTEGER;
ALTER TABLE attempts ADD COLUMN place INTEGER;

-- Tokens of the input that were written into the provider's cache, and those of them that are kept there for an hour.
ALTER TABLE answer_facts ADD COLUMN written_tokens INTEGER;
ALTER TABLE answer_facts ADD COLUMN written_1h_tokens INTEGER;
ALTER TABLE attempts ADD COLUMN written_tokens INTEGER;
ALTER TABLE attempts ADD COLUMN written_1h_tokens INTEGER;

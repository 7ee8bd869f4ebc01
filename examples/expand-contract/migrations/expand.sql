-- Before release 2. Release 1 goes on: it neither sees the new columns nor has to fill them.
-- `name` may be empty from now on, since release 3 will not fill it.
SET lock_timeout = '2s'; -- rather fail and be run again than keep everybody waiting behind a long query
ALTER TABLE customer
  ADD COLUMN IF NOT EXISTS given text,
  ADD COLUMN IF NOT EXISTS family text,
  ALTER COLUMN name DROP NOT NULL;

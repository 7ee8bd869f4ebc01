-- When nobody will go back to release 2.
SET lock_timeout = '2s';
ALTER TABLE customer
  DROP COLUMN IF EXISTS name,
  ALTER COLUMN given SET NOT NULL,
  ALTER COLUMN family SET NOT NULL;

-- Before release 3, when no instance of release 1 writes any more. For a large table: in batches.
UPDATE customer
  SET given = split_part(name, ' ', 1), family = substr(name, strpos(name, ' ') + 1)
  WHERE given IS NULL;

CREATE TABLE IF NOT EXISTS customer (id serial PRIMARY KEY, name text NOT NULL);

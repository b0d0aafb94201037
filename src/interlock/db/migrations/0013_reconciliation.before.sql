-- The ledger held against the tables.
set local search_path = interlock, pg_catalog;

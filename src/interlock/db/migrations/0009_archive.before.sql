-- The archive: what decisions were made with.
set local search_path = interlock, pg_catalog;

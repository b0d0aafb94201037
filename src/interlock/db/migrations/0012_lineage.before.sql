-- Lineage.
set local search_path = interlock, pg_catalog;

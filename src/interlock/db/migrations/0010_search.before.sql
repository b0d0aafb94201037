-- Search: decisions by the fields that their contracts declare searchable.
set local search_path = interlock, pg_catalog;

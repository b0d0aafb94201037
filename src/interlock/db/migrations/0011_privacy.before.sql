-- Personal data: the keys of persons.
set local search_path = interlock, pg_catalog;

-- Written in this session; see the room that uses it.
set local search_path = interlock, pg_catalog;

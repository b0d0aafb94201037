-- The decision path at ten million decisions: indexes that hold what is looked for and nothing beside, so that a decision
-- keeps its cost and its size. Measured by bench/growth.py; the plans are held by tests/pg/test_growth.py.
set local search_path = interlock, pg_catalog;

-- Ids are of one case, decision or action for ever, so the tenant before them parts nothing; row security compares it on
-- the few rows that are found. What belongs to no case is not looked for by its case. One id after the other, equal
-- ones share an entry: a case's rows are so few that putting them in order costs less than an order kept for all.
drop index decision_by_case;
create index decision_by_case on decision (case_id) where case_id is not null;
drop index ledger_entry_by_case;
create index ledger_entry_by_case on ledger_entry (case_id) where case_id is not null;
drop index ledger_entry_by_subject;
create index ledger_entry_by_subject on ledger_entry (subject);

-- An indexed column, the state, changes with every move of a case, so no room beside its row would ever be used again
-- in place: it only made the table longer.
alter table cases reset (fillfactor);

-- A fifth of ten million cases are two million dead rows, which the claiming of due ones would step over before anybody
-- removed them: these tables are tended by what changed, not by how long they have become.
alter table cases set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);
alter table review set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);
alter table action set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);

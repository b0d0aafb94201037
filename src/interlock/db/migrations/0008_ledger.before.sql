-- The ledger: the tree over its entries, heads, checkpoints.
set local search_path = interlock, pg_catalog;

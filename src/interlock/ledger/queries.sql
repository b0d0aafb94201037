-- name: add_entries
insert into ledger_entry (id, tenant, kind, subject, case_id, at, body)
select id, tenant, kind, subject, case_id, at, decode(body, 'base64')
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, kind text, subject uuid, case_id uuid, at timestamptz, body text)

-- name: entries_of_case
select id, kind, subject, case_id, at, body from ledger_entry where case_id = %(case_id)s order by id

-- name: seal
select sealed, size, root, more from seal_entries(%(most)s)

-- name: find_head
select log, size, root, sealed_at from ledger_head

-- name: unsealed
select entries, since from unsealed_since()

-- name: leaf_at
select entry from ledger_leaf where index = %(index)s

-- name: keep_checkpoint
select keep_checkpoint(%(size)s, %(root)s, %(note)s, %(keys)s::text[])

-- name: newest_checkpoint
select size, root, note, keys, signed_at from ledger_checkpoint order by size desc limit 1

-- name: checkpoints_after
select size, root, note, keys, signed_at from ledger_checkpoint where size > %(size)s order by size limit %(most)s

-- name: changes_of_keys
-- One checkpoint for every set of keys that signed together.
select distinct on (keys) size, root, note, keys, signed_at from ledger_checkpoint where cardinality(keys) > 1 order by keys, size

-- name: try_to_lead
select pg_try_advisory_lock(%(lock)s::bigint)

-- name: find_nodes
select 0::smallint as level, index, hash from ledger_leaf where index = any(%(leaves)s::bigint[])
union all
select n.level, n.index, n.hash
from unnest(%(levels)s::smallint[], %(indexes)s::bigint[]) as w (level, index)
join ledger_node n on n.level = w.level and n.index = w.index

-- name: leaves_of_entries
-- Of the current tenant alone: whose entry it is not, gets nothing.
select l.index, l.entry, ledger_leaf_data(e.id, e.tenant, e.kind, e.subject, e.case_id, e.at, e.body) as data, l.hash
from ledger_entry e join ledger_leaf l on l.entry = e.id
where e.id = any(%(entries)s) and e.id >= %(least)s and e.id <= %(greatest)s
order by l.index

-- name: recomputed_leaves
select index, entry, kind, hash, recomputed from recomputed_leaves(%(first)s, %(before)s)

-- name: recomputed_range
select leaves, coalesce(hashes, '') as hashes, coalesce(recomputed, '') as recomputed from recomputed_range(%(first)s, %(before)s)

-- name: nodes_between
select level, index, hash from ledger_node where level = %(level)s and index >= %(first)s and index < %(before)s order by index

-- name: nodes_in_range
select coalesce(string_agg(hash, ''::bytea order by index), '')
from ledger_node where level = %(level)s and index >= %(first)s and index < %(before)s

-- name: beyond_head
-- Leaves and subtrees that the head does not reach, in one snapshot with it.
select 0::smallint as level, l.index, l.hash from ledger_leaf l where l.index >= (select size from ledger_head)
union all
select n.level, n.index, n.hash
from ledger_head h, generate_series(1, 62) g
join lateral (select * from ledger_node n where n.level = g and n.index >= h.size >> g) n on true
limit 100

-- name: entries_outside
select entry, kind, at from entries_outside(%(most)s)

-- name: tenants_known
select tenant, name from tenants_known()

-- name: entries_between
select id from ledger_entry where id >= %(since)s and id < %(before)s order by id limit %(most)s

-- name: decisions_of_entries
select id as entry, subject as decision from ledger_entry where id = any(%(entries)s) and kind = 'decision.taken'

-- name: entries_about
-- The entries of the current tenant that are of a thing: of that id, about it, or of its case.
select id from ledger_entry where id = %(id)s
union
select id from ledger_entry where subject = %(id)s
union
select id from ledger_entry where case_id = %(id)s
order by id limit %(most)s


-- name: reconcile_until
select reconcile_until(%(first)s, %(beyond)s, %(most)s)

-- name: find_gaps
select g.tenant, g.relation, g.subject, g.kind, g.gap, is_known_gap(g.tenant, g.relation, g.subject, g.kind, g.gap) as known
from ledger_gaps(%(first)s, %(beyond)s, %(most)s) g

-- name: find_new_gaps
select tenant, relation, subject, kind, gap, false as known from ledger_gaps(%(first)s, %(beyond)s, %(most)s, true)

-- name: ledger_counts
select relation, rows, entries from ledger_counts(%(first)s, %(beyond)s)

-- name: open_gaps
select id, tenant, relation, subject, kind, gap, found_at from open_gaps(%(most)s)

-- name: count_open_gaps
select count(*) from open_gaps(%(most)s)

-- name: looks
select look, upto, beyond, began_at, ended_at, looked_at from reconciliation order by look

-- name: move_looks
insert into reconciliation (look, upto, beyond, began_at, ended_at, looked_at)
select look, upto, beyond, began_at, ended_at, clock_timestamp()
from json_to_recordset(%(rows)s::json) as r (look text, upto uuid, beyond uuid, began_at timestamptz, ended_at timestamptz)
on conflict (look) do update
  set upto = excluded.upto, beyond = excluded.beyond, began_at = excluded.began_at, ended_at = excluded.ended_at,
      looked_at = excluded.looked_at

-- name: add_gaps
insert into ledger_gap (id, tenant, relation, subject, kind, gap, found_at)
select id, tenant, relation, subject, kind, gap, found_at
from json_to_recordset(%(rows)s::json) as r (tenant uuid, relation text, subject uuid, kind text, gap text, id uuid, found_at timestamptz)

-- name: close_gaps
update ledger_gap g set closed_at = r.closed_at, closed_by = r.closed_by, closed_why = r.closed_why
from json_to_recordset(%(rows)s::json) as r (id uuid, closed_at timestamptz, closed_by text, closed_why text)
where g.id = r.id and g.closed_at is null

-- name: latest_about
-- The last entry about each of these things.
select distinct on (subject) subject, id, body from ledger_entry where subject = any(%(subjects)s) order by subject, id desc

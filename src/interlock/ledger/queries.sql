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

-- name: binding_checkpoint
-- The newest that was kept since somebody accepted the ledger as it is, and whether it was signed in this database.
select c.size, c.note, c.cluster = this_cluster() as here
from ledger_checkpoint c join ledger_head h on c.size > h.accepted order by c.size desc limit 1

-- name: accept_ledger
select accept_ledger()

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
select leaves, coalesce(hashes, '') as hashes, coalesce(recomputed, '') as recomputed, coalesce(entries, '') as entries
from recomputed_range(%(first)s, %(before)s)

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

-- name: page_of_entries
-- How many entries the next page has, and the last of them; the current tenant's.
select count(*) as entries, (array_agg(id order by id desc))[1] as last
from (select id from ledger_entry where id > %(after)s and id <= %(until)s order by id limit %(most)s) page

-- name: facts_that_differ
-- What entries of a page say and their rows do not, by the field of the entry; a null field: the row is gone. Each row is read
-- by its key (offset 0): a plan that reads a whole table for each page would never end. Of what changes the last entry counts.
with page as (
  select * from ledger_entry where id > %(after)s and id <= %(until)s
),
told as materialized (
  select id, tenant, kind, subject, at, convert_from(body, 'UTF8')::jsonb as body
  from page
  where kind in (
    'case.received', 'case.released', 'case.continued', 'case.corrected', 'case.done', 'case.cancel_wanted', 'case.quarantined',
    'decision.quarantined', 'step.done', 'step.failed', 'review.opened', 'review.resolved', 'exception.opened', 'exception.resolved',
    'quarantine.released', 'quarantine.discarded', 'action.intended', 'action.done', 'action.failed', 'action.exception',
    'event.received', 'guard.stopped', 'guard.resumed', 'guard.term_begun', 'guard.authorized',
    'guard.term_ended', 'rules.published', 'contract.published', 'key.made')
),
held as (
  select t.*, 'cases' as relation, x.id is not null as is_there,
         jsonb_build_object('workflow', x.workflow, 'caller', x.caller, 'input_hash', case
           when exists (select from ledger_entry e where e.subject = t.subject
                        and e.kind in ('case.released', 'case.continued', 'case.corrected') and case
                          when t.kind = 'case.received' then true
                          when e.kind = 'case.released' then false
                          when t.kind = 'case.released' then true  -- before its first run
                          else (convert_from(e.body, 'UTF8')::jsonb ->> 'run')::int > (t.body ->> 'run')::int end)
             then t.body -> 'input_hash'
           else to_jsonb(encode(sha256(x.input), 'base64')) end) as now
  from told t left join lateral (select * from cases x where x.id = t.subject offset 0) x on true
  where t.kind in ('case.received', 'case.released', 'case.continued', 'case.corrected')
  union all
  -- a case that was done and then recalled has its conclusion on the ledger alone
  select t.*, 'cases', x.id is not null, jsonb_build_object('conclusion', case
    when x.conclusion is null and exists (select from ledger_entry e where e.subject = t.subject and e.kind = 'case.cancel_wanted')
      then t.body -> 'conclusion' else to_jsonb(x.conclusion) end)
  from told t left join lateral (select * from cases x where x.id = t.subject offset 0) x on true
  where t.kind = 'case.done'
  union all
  select t.*, 'cases', x.id is not null, jsonb_build_object('who', x.cancel_by, 'why', x.cancel_why)
  from told t left join lateral (select * from cases x where x.id = t.subject offset 0) x on true
  where t.kind = 'case.cancel_wanted'
  union all
  select t.*, 'quarantine', x.id is not null, jsonb_build_object(
    'contract', x.contract, 'data_hash', encode(sha256(x.data), 'base64'), 'violations_hash', encode(sha256(x.violations), 'base64'))
  from told t
  left join lateral (select * from quarantine x where x.id = (t.body ->> 'quarantine')::uuid offset 0) x on true
  where t.kind in ('case.quarantined', 'decision.quarantined') and t.body ? 'quarantine'
  union all
  select t.*, 'quarantine', x.id is not null, jsonb_build_object('who', x.resolved_by,
    -- of a step's, what came of it and why stand with its case
    'decision', coalesce(to_jsonb(x.decision_id), t.body -> 'decision'), 'why', coalesce(to_jsonb(x.why), t.body -> 'why'))
  from told t left join lateral (select * from quarantine x where x.id = t.subject offset 0) x on true
  where t.kind in ('quarantine.released', 'quarantine.discarded')
  union all
  -- an entry names a step's place and not its run: some run has that result there; what failed may have been tried again since
  select t.*, 'journal', true, jsonb_build_object('result_hash', x.hash)
  from told t
  cross join lateral (
    select (array_agg(encode(sha256(j.result), 'base64')
            order by encode(sha256(j.result), 'base64') = t.body ->> 'result_hash' desc nulls last))[1] as hash,
           coalesce(bool_and(j.state = 'failed'), true) as is_failed
    from journal j
    where j.case_id = t.subject
      and case when j.scope = '' then '' else j.scope || ':' end || j.ordinal = t.body ->> 'step'
    offset 0
  ) x
  where t.kind = 'step.done' or (t.kind = 'step.failed' and x.is_failed)
  union all
  select t.*, 'review', x.id is not null, jsonb_build_object(
    'queue', x.queue, 'decision', x.decision_id, 'question_hash', encode(sha256(x.question), 'base64'))
  from told t left join lateral (select * from review x where x.id = t.subject offset 0) x on true
  where t.kind = 'review.opened'
  union all
  select t.*, 'review', x.id is not null, jsonb_build_object(
    'who', x.resolved_by, 'resolution', x.resolution, 'reason_code', x.reason_code, 'decision', x.decision_id,
    'output_hash', encode(sha256(x.output), 'base64'))
  from told t left join lateral (select * from review x where x.id = t.subject offset 0) x on true
  where t.kind = 'review.resolved'
  union all
  select t.*, 'exception', x.id is not null, jsonb_build_object(
    'exception_kind', x.kind, 'priority', x.priority, 'owner', x.owner, 'action', x.action,
    'what_hash', encode(sha256(convert_to(x.what, 'UTF8')), 'base64'), 'detail_hash', encode(sha256(x.detail), 'base64'))
  from told t left join lateral (select * from exception x where x.id = t.subject offset 0) x on true
  where t.kind = 'exception.opened'
  union all
  select t.*, 'exception', x.id is not null, jsonb_build_object(
    'who', x.resolved_by, 'state', x.state, 'answer_hash', encode(sha256(x.answer), 'base64'),
    'way', split_part(x.resolution, ': ', 1), 'why', substr(x.resolution, strpos(x.resolution, ': ') + 2))
  from told t left join lateral (select * from exception x where x.id = t.subject offset 0) x on true
  where t.kind = 'exception.resolved'
  union all
  -- an amount has all the decimals of its currency, so without its point it is in minor units
  select t.*, 'action', x.id is not null, jsonb_build_object(
    'key', x.key, 'connector', x.connector, 'domain', x.domain, 'decision', x.decision_id, 'undo_of', x.undo_of,
    'payload_hash', encode(sha256(x.payload), 'base64'),
    'amount', case when replace(split_part(t.body ->> 'amount', ' ', 1), '.', '')::numeric = x.exposure_minor
                    and split_part(t.body ->> 'amount', ' ', 2) = x.currency then t.body ->> 'amount'
                   else x.exposure_minor || ' minor ' || x.currency end)
  from told t left join lateral (select * from action x where x.id = t.subject offset 0) x on true
  where t.kind = 'action.intended'
  union all
  -- how an action ended, unless another entry, a minute before or any time later, says that it did not stay so
  select t.*, 'action', x.id is not null, jsonb_build_object(
      'response_hash', coalesce(encode(sha256(x.response), 'base64'), ''), 'state', x.state,
      'error_hash', case when t.kind = 'action.failed'
        then encode(sha256(convert_to(regexp_replace(x.error, '^(the input was corrected; )+', ''), 'UTF8')), 'base64')
        else t.body ->> 'error_hash' end)
  from (
    select t.id, t.tenant, t.kind, t.subject, t.at, case when t.kind = 'action.done' then '{}' else
             jsonb_build_object('state', split_part(t.kind, '.', 2)) end || jsonb_strip_nulls(t.body) as body
    from told t where t.kind in ('action.done', 'action.failed', 'action.exception')
  ) t
  left join lateral (select * from action x where x.id = t.subject offset 0) x on true
  where not exists (
    select from ledger_entry e
    where e.subject = t.subject and e.id > first_id(id_moment(t.id) - interval '1 minute') and e.id <> t.id
      and e.kind in ('action.done', 'action.failed', 'action.exception', 'action.decided', 'action.reopened', 'action.undone') offset 0)
  union all
  select t.*, 'case_event', x.id is not null, jsonb_build_object(
    'name', x.name, 'sender', x.sender, 'payload_hash', encode(sha256(x.payload), 'base64'))
  from told t left join lateral (select * from case_event x where x.id = t.subject offset 0) x on true
  where t.kind = 'event.received'
  union all
  select t.*, 'stop', x.who is not null, jsonb_build_object('scope', x.scope, 'who', x.who, 'why', x.why, 'until', case
    when (t.body ->> 'until')::timestamptz is not distinct from x.until then t.body -> 'until' else to_jsonb(x.until) end)
  from told t
  left join lateral (
    select scope, who, why, until from stop x where x.id = t.subject
    union all
    select scope, who, why, until from installation_stop x where x.id = t.subject
    offset 0
  ) x on true
  where t.kind = 'guard.stopped'
  union all
  select t.*, 'stop', x.is_there is not null, jsonb_build_object('who', x.lifted_by, 'why', x.lifted_why)
  from told t
  left join lateral (
    select true as is_there, lifted_by, lifted_why from stop x where x.id = t.subject
    union all
    select true, lifted_by, lifted_why from installation_stop x where x.id = t.subject
    offset 0
  ) x on true
  where t.kind = 'guard.resumed'
  union all
  select t.*, 'dead_man', x.id is not null, jsonb_build_object('scope', x.scope, 'every_seconds', x.every_seconds,
    'authorized_until', case
      when (t.body ->> 'authorized_until')::timestamptz = x.authorized_until
        or exists (select from ledger_entry e where e.subject = t.subject and e.kind = 'guard.authorized'
                   and (e.id > t.id or t.kind = 'guard.term_begun'))
      then t.body -> 'authorized_until' else to_jsonb(x.authorized_until) end)
  from told t left join lateral (select * from dead_man x where x.id = t.subject offset 0) x on true
  where t.kind in ('guard.term_begun', 'guard.authorized')
  union all
  select t.*, 'dead_man', x.id is not null, jsonb_build_object('scope', x.scope, 'who', x.ended_by, 'why', x.ended_why)
  from told t left join lateral (select * from dead_man x where x.id = t.subject offset 0) x on true
  where t.kind = 'guard.term_ended'
  union all
  select t.*, 'publication', x.id is not null, jsonb_build_object(
    'name', x.name, 'version', x.version, 'line', x.line, 'digest', encode(sha256(x.content), 'hex'), 'who', x.author, 'why', x.why)
  from told t left join lateral (select * from publication x where x.id = t.subject offset 0) x on true
  where t.kind in ('rules.published', 'contract.published')
  union all
  select t.*, 'api_key', x.id is not null, jsonb_build_object('name', x.name, 'scopes', x.scopes)
  from told t left join lateral (select * from api_key x where x.id = t.subject offset 0) x on true
  where t.kind = 'key.made'
)
select d.id as entry, d.relation, d.subject, d.field, (select l.index from ledger_leaf l where l.entry = d.id) as index
from (
  select h.id, h.relation, h.subject, null as field from held h where not h.is_there
  union all
  select h.id, h.relation, h.subject, f.key
  from held h cross join lateral jsonb_each(h.now) f
  where h.is_there and h.body ? f.key and h.body -> f.key is distinct from f.value
  union all
  select p.id, 'ledger_entry', p.subject, 'at' from page p where p.at < id_moment(p.id) - interval '10 minutes'
) d
order by d.id, d.field

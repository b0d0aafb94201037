-- name: whose_id
-- Which kind of thing an id is, and the case that it belongs to. A decision may belong to none.
select 'case' as kind, id as case_id from cases where id = %(id)s
union all
select 'decision', case_id from decision where id = %(id)s
union all
select 'action', case_id from action where id = %(id)s
limit 1

-- name: entry_bodies
-- What the ledger says of how these decisions were brought. A person's own answer has an entry under another id: it has no origin.
select id as subject, body from ledger_entry
where id = any(%(ids)s) and id >= %(least)s and id <= %(greatest)s and kind = 'decision.taken'

-- name: received_body
select subject, body from ledger_entry where subject = %(id)s and id >= %(id)s and kind = 'case.received' order by id limit 1

-- name: order_of_case
-- What a case decided and intended, in the order in which it did: that of leaves, then that of commits that are not sealed
-- yet. The ids of two processes need not go with time.
select e.subject from ledger_entry e left join ledger_leaf l on l.entry = e.id
where e.case_id = %(case_id)s and e.kind in ('decision.taken', 'action.intended')
order by l.index, e.xid, e.id

-- name: publications_used
-- Rules by the digest of their file, contracts by their whole name.
select id, kind, name, version, digest, author, at from publication
where (kind = 'rules' and digest = any(%(digests)s)) or (kind = 'contract' and name || '@' || version = any(%(contracts)s))
order by at, id

-- name: find_publication
select id, kind, name, version, digest, author, at from publication where id = %(id)s

-- name: follow_lineage
select followed, behind from follow_lineage(%(most)s)

-- name: influence_totals
select currency, sum(decisions)::bigint as decisions, sum(cases)::bigint as cases, sum(exposure_sum) as exposure_sum
from lineage_part where source = %(source)s group by currency order by currency

-- name: influence_money
select currency, pending, pending_sum, done, done_sum, undone, undone_sum, failed
from lineage_money where source = %(source)s order by currency

-- name: influence_members
-- The newest parts first. A part has at most 1,024 members, in no order across currencies: whoever reads to the limit
-- has the last part in halves.
select index from (
  select part * 1024 + unnest(members) as index
  from (select part, members from lineage_part where source = %(source)s and part <= %(below)s::bigint / 1024 order by part desc) p
) m
where index < %(below)s::bigint
limit %(most)s

-- name: influenced
-- What stands at these leaves: decisions, and cases as they were received.
select l.index, e.kind, e.subject, e.case_id, e.at, d.workflow, d.point, d.component, d.route::text as route, d.exposure_minor,
  d.currency
from ledger_leaf l
join ledger_entry e on e.id = l.entry
left join decision d on d.id = e.subject and e.kind = 'decision.taken'
where l.index = any(%(indexes)s)
order by l.index desc

-- name: read_cursor
select next from lineage_cursor where reader = %(reader)s

-- name: ledger_size
select coalesce(max(index) + 1, 0) from ledger_leaf

-- name: begin_cursor
-- Somebody else may begin it at the same time: the first one counts.
insert into lineage_cursor (reader, next) values (%(reader)s, %(next)s) on conflict (reader) do nothing

-- name: move_cursor
-- From where the batch began, and only from there: somebody else may have moved it since.
update lineage_cursor set next = %(next)s, moved_at = clock_timestamp() where reader = %(reader)s and next = %(start)s

-- name: feed
select index, tenant, tenant_name, kind, subject, case_id, at from lineage_feed(%(next)s, %(most)s)

-- name: tenant_feed
-- One tenant's entries of a span, in order of their ids, which go with time.
select id, kind, subject, case_id, at from ledger_entry
where id > %(after)s and id < %(until)s and kind = any(%(kinds)s)
order by id limit %(most)s

-- name: cases_told
select id, workflow, version, code, state::text as state, caller, exposure_minor, currency, created_at, changed_at
from cases where id = any(%(ids)s)

-- name: actions_told
select id, case_id, decision_id, workflow, name, connector, domain, state::text as state, exposure_minor, currency, undo_of
from action where id = any(%(ids)s)

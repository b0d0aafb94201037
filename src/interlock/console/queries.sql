-- What pages show that no other room offers. Every number is bounded: a page answers in milliseconds, however much is stored,
-- and says "at least" where it stopped counting.

-- name: count_cases_in
-- How many cases are in each of these states, up to a bound in each workflow, of those that came since a moment; of one workflow
-- or of all. A state is written out, since its index is one of a predicate: see 0024.
with recursive w as (
  (select c.workflow from cases c where c.workflow >= coalesce(%(workflow)s::text, '') order by c.workflow limit 1)
  union all
  select n.workflow from w cross join lateral (
    select c.workflow from cases c where %(workflow)s::text is null and c.workflow > w.workflow order by c.workflow limit 1) n
)
select s.state, least(%(most)s, coalesce(sum(n.cases), 0))::int as cases
from unnest(%(states)s::text[]) with ordinality s (state, place)
left join w on %(workflow)s::text is null or w.workflow = %(workflow)s
left join lateral (select case s.state
    when 'ready' then (select count(*) from (select from cases c where c.state = 'ready' and c.workflow = w.workflow and c.id >= %(since)s limit %(most)s) x)
    when 'running' then (select count(*) from (select from cases c where c.state = 'running' and c.workflow = w.workflow and c.id >= %(since)s limit %(most)s) x)
    when 'waiting' then (select count(*) from (select from cases c where c.state = 'waiting' and c.workflow = w.workflow and c.id >= %(since)s limit %(most)s) x)
    when 'exception' then (select count(*) from (select from cases c where c.state = 'exception' and c.workflow = w.workflow and c.id >= %(since)s limit %(most)s) x)
    when 'quarantined' then (select count(*) from (select from cases c where c.state = 'quarantined' and c.workflow = w.workflow and c.id >= %(since)s limit %(most)s) x)
    when 'done' then (select count(*) from (select from cases c where c.state = 'done' and c.workflow = w.workflow and c.id >= %(since)s limit %(most)s) x)
    when 'cancelled' then (select count(*) from (select from cases c where c.state = 'cancelled' and c.workflow = w.workflow and c.id >= %(since)s limit %(most)s) x)
  end as cases) n on w.workflow is not null
group by s.state, s.place
order by s.place

-- name: money_now
-- What is under way, and what came to pass since a moment, by currency. A known case and a second look move no money. Each line
-- reads so many rows and no more: it says how many, since a sum of some of them is none of all.
select what, currency, items, minor, sum(items) over (partition by what) >= %(most)s as at_least
from (
  select 'decided' as what, currency, count(*)::int as items, coalesce(sum(minor), 0)::numeric as minor from (
    select currency, exposure_minor as minor from decision
    where id >= %(since)s and (review is null or review not in (select id from known_case)) order by id desc limit %(most)s) x group by currency
  union all
  select 'paid', currency, count(*)::int, coalesce(sum(minor), 0)::numeric from (
    select currency, exposure_minor as minor from action
    where state = 'done' and ended_at >= %(since_at)s and undo_of is null order by ended_at desc limit %(most)s) x group by currency
  union all
  select 'failed', currency, count(*)::int, coalesce(sum(minor), 0)::numeric from (
    select currency, exposure_minor as minor from action
    where state = 'failed' and ended_at >= %(since_at)s and undo_of is null order by ended_at desc limit %(most)s) x group by currency
  union all
  select 'under way', currency, count(*)::int, coalesce(sum(minor), 0)::numeric from (
    (select currency, exposure_minor as minor from action
     where state in ('dispatching', 'in_doubt', 'exception', 'undoing') and state = 'dispatching' limit %(most)s)
    union all
    (select currency, exposure_minor from action where state = 'ready' and not_before is not null limit %(most)s)) x group by currency
  union all
  select 'in doubt', currency, count(*)::int, coalesce(sum(minor), 0)::numeric from (
    select currency, exposure_minor as minor from action
    where state in ('dispatching', 'in_doubt', 'exception', 'undoing') and state = 'in_doubt' limit %(most)s) x group by currency
  union all
  select 'waiting', currency, count(*)::int, coalesce(sum(minor), 0)::numeric from (
    select currency, exposure_minor as minor from review where state in ('open', 'claimed')
      and id not in (select id from known_case) and id not in (select id from second_look)
      and id not in (select review from audit_draw where review is not null) limit %(most)s) x group by currency
  union all
  select 'stuck', currency, count(*)::int, coalesce(sum(minor), 0)::numeric from (
    select currency, exposure_minor as minor from exception where state = 'open' limit %(most)s) x group by currency
  union all
  select 'stopped', currency, count(*)::int, coalesce(sum(minor), 0)::numeric from (
    select currency, exposure_minor as minor from cases where held_by is not null and state = 'waiting' limit %(most)s) x group by currency
) m
order by 1, 2

-- name: what_needs_attention
select
  (select count(*) from (select from exception where state = 'open' and priority = 0 limit %(most)s) x)::int as urgent,
  (select count(*) from (select from exception where state = 'open' limit %(most)s) x)::int as exceptions,
  (select count(*) from (select from quarantine where state = 'held' limit %(most)s) x)::int as held,
  (select count(*) from (select from action
     where state in ('dispatching', 'in_doubt', 'exception', 'undoing') and state = 'in_doubt' limit %(most)s) x)::int as in_doubt,
  (select count(*) from (select from ledger_gap where closed_at is null limit %(most)s) x)::int as gaps

-- name: count_overdue
select count(*)::int from (
  select from review where state in ('open', 'claimed') and due_at < %(now)s limit %(most)s) r

-- name: queues_now
select q.name, q.capacity, (select count(*) from (
    select from review v where v.queue = q.name and v.state in ('open', 'claimed') limit q.capacity) x)::int as waiting
from json_to_recordset(%(queues)s::json) as q (name text, capacity int)
order by q.name

-- name: levels_broken
select line, level, what, owner, changed_at from data_level where state = 'broken' order by changed_at limit 100

-- name: escalations_fired
select workflow, rule, state::text as state, value, stop, changed_at from escalation
where state <> 'cleared' order by changed_at desc limit 100

-- name: points_now
-- At each of these points: what waits for a person, and, of the newest so many decisions of the tenant, what was decided there since
-- a moment; ``read`` says how many these are.
with newest as materialized (
  select d.workflow, d.point, d.review from decision d where d.id >= %(since)s order by d.id desc limit %(newest)s
)
select p.point,
  (select count(*) from (select from review v where v.workflow = %(workflow)s and v.point = p.point and v.queue = p.queue
     and v.state in ('open', 'claimed') limit %(most)s) x)::int as waiting,
  (select count(*) from newest d where d.workflow = %(workflow)s and d.point = p.point
     and (d.review is null or d.review not in (select id from known_case)))::int as decided,
  (select count(*) from newest)::int as read
from json_to_recordset(%(points)s::json) as p (point text, queue text)

-- name: actions_now
-- Of a workflow's actions: those under way, and of the newest so many of the tenant those that were intended since a moment.
select name, state::text as state, count(*)::int as actions
from (
  select name, state from (
    select workflow, name, state, created_at from action where case_id >= %(since)s order by case_id desc limit %(most)s) newest
  where workflow = %(workflow)s and state not in ('dispatching', 'in_doubt', 'exception', 'undoing')
  union all
  select name, state from action
  where workflow = %(workflow)s and state in ('dispatching', 'in_doubt', 'exception', 'undoing') limit 10000
) a
group by 1, 2

-- name: versions_of
-- Which code the oldest cases of a workflow that have not ended are on, up to a bound of each state. (A range of one workflow: by
-- an equal one the planner takes ids for an order of their own, and reads all cases in it to find these few.)
select version, code, count(*)::int as cases, min(created_at) as oldest
from (
    (select c.version, c.code, c.created_at from cases c where c.state = 'ready' and c.workflow >= %(workflow)s and c.workflow <= %(workflow)s order by c.workflow, c.id limit %(most)s)
    union all
    (select c.version, c.code, c.created_at from cases c where c.state = 'running' and c.workflow >= %(workflow)s and c.workflow <= %(workflow)s order by c.workflow, c.id limit %(most)s)
    union all
    (select c.version, c.code, c.created_at from cases c where c.state = 'waiting' and c.workflow >= %(workflow)s and c.workflow <= %(workflow)s order by c.workflow, c.id limit %(most)s)
    union all
    (select c.version, c.code, c.created_at from cases c where c.state = 'exception' and c.workflow >= %(workflow)s and c.workflow <= %(workflow)s order by c.workflow, c.id limit %(most)s)
    union all
    (select c.version, c.code, c.created_at from cases c where c.state = 'quarantined' and c.workflow >= %(workflow)s and c.workflow <= %(workflow)s order by c.workflow, c.id limit %(most)s)
) c
group by 1, 2 order by 3 desc

-- name: unfinished_actions
-- Those that somebody may have to look at, the oldest first.
select id, case_id, workflow, name, connector, domain, key, exposure_minor, currency, state::text as state, attempt, sent_at,
       error, created_at, ended_at, undo_of
from (
  -- apart (offset 0): in the order of ids the planner would read all actions to find these few
  select * from action where state in ('dispatching', 'in_doubt', 'exception', 'undoing') offset 0) a
where id > %(after)s
order by id limit %(most)s

-- name: paused_actions
select id, case_id, workflow, name, connector, domain, key, exposure_minor, currency, state::text as state, attempt, sent_at,
       error, created_at, ended_at, undo_of
from (select * from action where state = 'ready' and not_before is not null offset 0) a
where id > %(after)s
order by id limit %(most)s

-- name: newest_actions
-- By the case, the newest first: a page ends with a whole case.
select id, case_id, workflow, name, connector, domain, key, exposure_minor, currency, state::text as state, attempt, sent_at,
       error, created_at, ended_at, undo_of
from action where case_id < %(before)s
order by case_id desc, id desc limit %(most)s

-- name: failed_actions
-- Of one workflow, the latest first.
select id, case_id, workflow, name, connector, domain, key, exposure_minor, currency, state::text as state, attempt, sent_at,
       error, created_at, ended_at, undo_of
from action where workflow = %(workflow)s and state = 'failed' and ended_at < %(before)s
order by ended_at desc limit %(most)s

-- name: undo_of_action
select id, case_id, workflow, name, connector, domain, key, exposure_minor, currency, state::text as state, attempt, sent_at,
       error, created_at, ended_at, undo_of
from action where undo_of = %(id)s

-- name: actions_of_decision
-- Of one case, what rests on a decision.
select id, case_id, workflow, name, connector, domain, key, exposure_minor, currency, state::text as state, attempt, sent_at,
       error, created_at, ended_at, undo_of
from action where case_id = %(case_id)s and decision_id = %(decision)s order by id

-- name: last_decided
-- The last verdicts of one person, and where each review stands since.
select s.review, v.workflow, v.point, v.exposure_minor, v.currency, s.resolution::text as resolution, s.at, s.effective_at,
       s.undone_at is not null as undone, coalesce(v.held_verdict = s.id, false) as held,
       v.state in ('open', 'claimed') and v.held_verdict is null and s.undone_at is null and cardinality(v.decided_by) < v.needed as waits,
       v.state = 'resolved' and s.undone_at is null and v.resolution = s.resolution and v.output is not distinct from s.output as counts,
       v.state in ('open', 'claimed') as unsettled
from review_verdict s join review v on v.id = s.review
where s.who = %(who)s order by s.at desc limit %(most)s

-- name: cases_alive
-- Of some workflows' cases that have not ended, so many of each state: how many, and what the last decision of each puts at stake.
select c.state, d.currency, count(*)::int as cases, coalesce(sum(d.minor), 0)::numeric as minor, max(c.read) >= %(most)s as at_least
from (
  select 'ready' as state, id, count(*) over () as read from (
    select id from cases where state = 'ready' and workflow = any(%(workflows)s) limit %(most)s) x
  union all
  select 'running', id, count(*) over () from (
    select id from cases where state = 'running' and workflow = any(%(workflows)s) limit %(most)s) x
  union all
  select 'waiting', id, count(*) over () from (
    select id from cases where state = 'waiting' and workflow = any(%(workflows)s) limit %(most)s) x
) c left join lateral (
  select currency, exposure_minor as minor from decision where case_id = c.id and currency is not null order by id desc limit 1) d on true
group by 1, 2
order by 1, 2

-- name: stop_history
-- Stops that were lifted or have ended, the newest first; the installation's too.
select id, kind, scope, who, why, until, created_at, lifted_at, lifted_by, lifted_why from (
  select id, 'stop' as kind, scope, who, why, until, created_at, lifted_at, lifted_by, lifted_why from stop
  union all
  select id, 'installation', scope, who, why, until, created_at, lifted_at, lifted_by, lifted_why from installation_stop
  where scope not like 'tenant:%%' or scope = (select 'tenant:' || t.name from tenant t where t.tenant = current_tenant())
) s
where id < %(before)s and (lifted_at is not null or until <= clock_timestamp())
order by id desc limit %(most)s

-- name: entries_in
-- Entries of a stretch of time, the newest first.
select id, kind, subject, case_id, at, body from ledger_entry
where id >= %(least)s and id < %(before)s and (%(kind)s::text is null or kind = %(kind)s)
order by id desc limit %(most)s

-- name: entries_by_id
select id, kind, subject, case_id, at, body from ledger_entry where id = any(%(ids)s) order by id desc

-- name: gaps_open
select id, relation, subject, kind, gap, found_at from ledger_gap where closed_at is null order by found_at desc limit 100

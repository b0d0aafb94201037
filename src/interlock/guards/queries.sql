-- name: hold_off_stops
-- Held to the end of the transaction, shared: by it `stop` knows the transactions that may not have seen it.
select pg_advisory_xact_lock_shared(1398034256, hashtext(%(tenant)s))::text
       || pg_advisory_xact_lock_shared(1398034256, hashtext('installation'))::text

-- name: dispatches_under_way
-- The transactions that hold that lock: `stop` waits for those that it finds, and nobody waits for `stop`.
select pid || ' ' || virtualtransaction from pg_locks
where locktype = 'advisory' and classid = 1398034256 and objsubid = 2 and granted
  and objid = (hashtext(%(whose)s)::bigint & 4294967295)::oid
  and database = (select oid from pg_database where datname = current_database())

-- name: stops_in_force
select id, kind, scope, who, why, until, created_at from (
  select id, 'stop' as kind, scope, who, why, until, created_at from stop
  where scope = any(%(scopes)s::text[]) and lifted_at is null and (until is null or until > clock_timestamp())
  union all
  select id, 'installation', scope, who, why, until, created_at from installation_stop
  where (scope = any(%(scopes)s::text[]) or ('everything' = any(%(scopes)s::text[])
         and scope = (select 'tenant:' || t.name from tenant t where t.tenant = current_tenant())))
    and lifted_at is null and (until is null or until > clock_timestamp())
  union all
  select id, 'lapsed', scope, authorized_by, why, null, authorized_until from dead_man
  where scope = any(%(scopes)s::text[]) and ended_at is null and authorized_until <= clock_timestamp()
) stopped
order by created_at

-- name: list_stops
select id, kind, scope, who, why, until, created_at from (
  select id, 'stop' as kind, scope, who, why, until, created_at from stop
  where lifted_at is null and (until is null or until > clock_timestamp())
  union all
  select id, 'installation', scope, who, why, until, created_at from installation_stop
  where (scope not like 'tenant:%%' or scope = (select 'tenant:' || t.name from tenant t where t.tenant = current_tenant()))
    and lifted_at is null and (until is null or until > clock_timestamp())
  union all
  select id, 'lapsed', scope, authorized_by, why, null, authorized_until from dead_man
  where ended_at is null and authorized_until <= clock_timestamp()
) stopped
order by created_at

-- name: list_installation_stops
select id, 'installation' as kind, scope, who, why, until, created_at from installation_stop
where lifted_at is null and (until is null or until > clock_timestamp())
order by created_at

-- name: find_stop
select id, kind, scope, who, why, until, created_at, lifted_at, lifted_by, lifted_why from (
  select id, 'stop' as kind, scope, who, why, until, created_at, lifted_at, lifted_by, lifted_why from stop
  where id = %(id)s
  union all
  select id, 'installation', scope, who, why, until, created_at, lifted_at, lifted_by, lifted_why from installation_stop
  where id = %(id)s
) stopped

-- name: stops_everywhere
select tenant, id, kind, scope, who, why, until, created_at from stops_everywhere()

-- name: show_stop_to_cases
select show_stop_to_cases(%(stop)s, %(scope)s, %(what)s, %(tenant)s, %(most)s)

-- name: add_stops
insert into stop (id, tenant, scope, who, why, until, created_at)
select id, tenant, scope, who, why, until, created_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, scope text, who text, why text, until timestamptz, created_at timestamptz)

-- name: add_installation_stops
insert into installation_stop (id, scope, who, why, until, created_at)
select id, scope, who, why, until, created_at
from json_to_recordset(%(rows)s::json) as r (id uuid, scope text, who text, why text, until timestamptz, created_at timestamptz)

-- name: lift_stops
update stop s set lifted_at = r.lifted_at, lifted_by = r.lifted_by, lifted_why = r.lifted_why
from json_to_recordset(%(rows)s::json) as r (id uuid, lifted_at timestamptz, lifted_by text, lifted_why text)
where s.id = r.id and s.lifted_at is null

-- name: lift_installation_stops
update installation_stop s set lifted_at = r.lifted_at, lifted_by = r.lifted_by, lifted_why = r.lifted_why
from json_to_recordset(%(rows)s::json) as r (id uuid, lifted_at timestamptz, lifted_by text, lifted_why text)
where s.id = r.id and s.lifted_at is null

-- name: lock_stops
select id, case when lifted_at is null then 'in force' else 'lifted' end as state
from stop where id = any(%(ids)s) order by id for no key update

-- name: lock_installation_stops
select id, case when lifted_at is null then 'in force' else 'lifted' end as state
from installation_stop where id = any(%(ids)s) order by id for no key update

-- name: list_terms
select id, scope, every_seconds, authorized_until, authorized_by, why, created_at from dead_man
where ended_at is null and (%(scope)s::text is null or scope = %(scope)s) order by authorized_until

-- name: add_terms
insert into dead_man (id, tenant, scope, every_seconds, authorized_until, authorized_by, why, created_at)
select id, tenant, scope, every_seconds, authorized_until, authorized_by, why, created_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, scope text, every_seconds bigint,
  authorized_until timestamptz, authorized_by text, why text, created_at timestamptz)

-- name: authorize_terms
update dead_man d set authorized_until = r.authorized_until, authorized_by = r.authorized_by
from json_to_recordset(%(rows)s::json) as r (id uuid, authorized_until timestamptz, authorized_by text)
where d.id = r.id and d.ended_at is null

-- name: end_terms
update dead_man d set ended_at = r.ended_at, ended_by = r.ended_by, ended_why = r.ended_why
from json_to_recordset(%(rows)s::json) as r (id uuid, ended_at timestamptz, ended_by text, ended_why text)
where d.id = r.id and d.ended_at is null

-- name: lock_terms
select id, case when ended_at is null then 'in force' else 'ended' end as state
from dead_man where id = any(%(ids)s) order by id for no key update

-- name: known_buckets
select b.guard, b.currency, b.slot, b.used
from guard_bucket b
join json_to_recordset(%(wanted)s::json) as r (guard text, currency text, slot text) using (guard, currency, slot)

-- name: open_buckets
insert into guard_bucket (tenant, guard, currency, slot, used)
select tenant, guard, currency, slot, 0
from json_to_recordset(%(rows)s::json) as r (tenant uuid, guard text, currency text, slot text)
order by guard, currency, slot
on conflict do nothing

-- name: lock_buckets
-- Locked last of all and in one order; whoever holds them decides alone.
select b.guard, b.currency, b.slot, b.used
from guard_bucket b
join json_to_recordset(%(wanted)s::json) as r (guard text, currency text, slot text) using (guard, currency, slot)
order by b.guard, b.currency, b.slot
for no key update of b

-- name: read_periods
-- The periods of heads that are locked: they change under that lock alone. Row by row (offset 0): the planner takes a
-- range for a third of the table, and would read all of it for a few sub-slots.
select p.guard, p.currency, p.slot, p.used
from json_to_recordset(%(wanted)s::json) as r (guard text, currency text, least text, most text)
cross join lateral (
  select b.guard, b.currency, b.slot, b.used from guard_bucket b
  where b.guard = r.guard and b.currency = r.currency and b.slot >= r.least and b.slot <= r.most offset 0
) p

-- name: caller_buckets
select b.guard, b.currency, b.slot, b.used
from json_to_recordset(%(wanted)s::json) as r (guard text, currency text, period text)
join guard_bucket b on b.guard = r.guard and b.currency = r.currency and starts_with(b.slot, r.period || '/')

-- name: reserved_buckets
-- What is reserved belongs to cases that go on: by their index, since settled reservations are many.
select v.guard, v.currency, v.slot, sum(v.amount_minor)::bigint as used
from cases c
join action a on a.tenant = c.tenant and a.case_id = c.id
join reservation v on v.action_id = a.id
where c.state in ('ready', 'running', 'waiting', 'exception') and v.state = 'reserved' and v.guard = any(%(guards)s::text[])
group by v.guard, v.currency, v.slot

-- name: find_reservations
select action_id, guard, currency, slot, amount_minor from reservation
where action_id = any(%(actions)s) and state = 'reserved'

-- name: fill_buckets
insert into guard_bucket (tenant, guard, currency, slot, used)
select tenant, guard, currency, slot, used
from json_to_recordset(%(rows)s::json) as r (tenant uuid, guard text, currency text, slot text, used bigint)
order by guard, currency, slot
on conflict (tenant, guard, currency, slot) do update set used = excluded.used

-- name: reserve
-- An action that is sent again reserves anew, in the period in which it is then sent; what is settled stays.
insert into reservation (action_id, tenant, guard, currency, slot, amount_minor, state, at)
select action_id, tenant, guard, currency, slot, amount_minor, 'reserved', at
from json_to_recordset(%(rows)s::json) as r (action_id uuid, tenant uuid, guard text, currency text, slot text, amount_minor bigint, at timestamptz)
on conflict (action_id, guard) do update
  set slot = excluded.slot, amount_minor = excluded.amount_minor, state = 'reserved', at = excluded.at
  where reservation.state <> 'settled'

-- name: settle
-- Conditional on the original slot's reservation: settled once, and never after a release.
update reservation v set state = 'settled'
from json_to_recordset(%(rows)s::json) as r (action_id uuid)
where v.action_id = r.action_id and v.state = 'reserved'

-- name: release
update reservation v set state = 'released'
from json_to_recordset(%(rows)s::json) as r (action_id uuid)
where v.action_id = r.action_id and v.state = 'reserved'

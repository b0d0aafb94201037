-- name: hold_off_stops
-- Held to the end of the transaction: when `stop` returns, no dispatch that did not see it can still commit.
select pg_advisory_xact_lock_shared(1398034256, hashtext(%(tenant)s))::text

-- name: wait_for_dispatches
select pg_advisory_xact_lock(1398034256, hashtext(%(tenant)s))::text

-- name: stops_in_force
select id, scope, who, why, until, created_at from stop
where scope = any(%(scopes)s) and lifted_at is null and (until is null or until > clock_timestamp())
order by created_at

-- name: list_stops
select id, scope, who, why, until, created_at from stop
where lifted_at is null and (until is null or until > clock_timestamp())
order by created_at

-- name: add_stops
insert into stop (id, tenant, scope, who, why, until, created_at)
select id, tenant, scope, who, why, until, created_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, scope text, who text, why text, until timestamptz, created_at timestamptz)

-- name: lift_stops
update stop s set lifted_at = r.lifted_at, lifted_by = r.lifted_by, lifted_why = r.lifted_why
from json_to_recordset(%(rows)s::json) as r (id uuid, lifted_at timestamptz, lifted_by text, lifted_why text)
where s.id = r.id and s.lifted_at is null

-- name: lock_stops
select id, case when lifted_at is null then 'in force' else 'lifted' end as state
from stop where id = any(%(ids)s) order by id for no key update

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

-- name: find_reservations
select action_id, guard, currency, slot, amount_minor, state from reservation
where action_id = any(%(actions)s) and state = 'reserved'

-- name: fill_buckets
update guard_bucket b set used = r.used
from json_to_recordset(%(rows)s::json) as r (tenant uuid, guard text, currency text, slot text, used bigint)
where b.tenant = r.tenant and b.guard = r.guard and b.currency = r.currency and b.slot = r.slot

-- name: reserve
insert into reservation (action_id, tenant, guard, currency, slot, amount_minor, state, at)
select action_id, tenant, guard, currency, slot, amount_minor, 'reserved', at
from json_to_recordset(%(rows)s::json) as r (action_id uuid, tenant uuid, guard text, currency text, slot text, amount_minor bigint, at timestamptz)
on conflict (action_id, guard) do update
  set slot = excluded.slot, amount_minor = excluded.amount_minor, state = 'reserved', at = excluded.at
  where reservation.state = 'released'

-- name: settle
-- Conditional on the original slot's reservation: settled once, and never after a release.
update reservation v set state = 'settled'
from json_to_recordset(%(rows)s::json) as r (action_id uuid)
where v.action_id = r.action_id and v.state = 'reserved'

-- name: release
update reservation v set state = 'released'
from json_to_recordset(%(rows)s::json) as r (action_id uuid)
where v.action_id = r.action_id and v.state = 'reserved'

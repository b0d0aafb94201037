-- name: set_tenant
-- From here to the end of the transaction only this tenant's rows exist.
select set_config('app.tenant', %(tenant)s, true)

-- name: read_clock
select clock_timestamp()

-- name: ensure_partitions
select ensure_partitions(3)

-- name: partitions_ahead
select partitions_ahead()

-- name: find_tenant
select find_tenant(%(name)s) as id

-- name: ensure_tenant
select ensure_tenant(%(name)s, %(id)s)

-- name: find_units
-- Which of these units of work are written: a unit bears the id of its first ledger entry.
select id from ledger_entry where id = any(%(ids)s) and id >= %(least)s and id <= %(greatest)s

-- name: take_keys
-- In order of the digests, so that two batches never wait for each other in a circle.
insert into idempotency_key (digest, tenant, holder, payload)
select digest, tenant, holder, payload
from json_to_recordset(%(rows)s::json) as r (digest uuid, tenant uuid, holder uuid, payload uuid)
order by digest
on conflict do nothing

-- name: find_keys
-- A second statement, since a key that another transaction has just committed is not visible to the first.
select digest, holder, payload from idempotency_key where digest = any(%(digests)s)

-- name: give_keys_back
delete from idempotency_key where digest = any(%(digests)s) and holder = any(%(holders)s)

-- name: free_keys
-- The key of what ended without having been sent: what takes its place may bear it.
delete from idempotency_key k using json_to_recordset(%(rows)s::json) as r (digest uuid, holder uuid)
where k.digest = r.digest and k.holder = r.holder

-- name: hold_cases
-- The case's row is the lock of everything that belongs to the case. Locked in order before anything is updated: an
-- UPDATE from a sorted list still deadlocks.
select id, state, fence, signals, run, cancel_at is not null as cancelled from cases where id = any(%(ids)s) order by id for no key update

-- name: wake_cases
-- Counts the signal even while the case runs: whoever parks it compares the count and sees that news came. Locks in
-- order, as every statement does that changes several cases.
update cases c
set signals = c.signals + 1,
    state = case when c.state = 'waiting' then 'ready' else c.state end,
    waiting_for = case when c.state = 'waiting' then null else c.waiting_for end,
    wake_at = case when c.state in ('waiting', 'ready') then clock_timestamp() else c.wake_at end,
    changed_at = case when c.state = 'waiting' then clock_timestamp() else c.changed_at end
from (
  select d.id from cases d
  where d.id in (select r.case_id from json_to_recordset(%(rows)s::json) as r (case_id uuid))
  order by d.id for no key update
) held
where c.id = held.id

-- name: notify
select pg_notify(%(channel)s, %(names)s)

-- name: ensure_migration_record
create table if not exists public.interlock_migration (
  name text primary key, digest text not null, applied_at timestamptz not null default clock_timestamp()
)

-- name: find_applied_migrations
select name || ' ' || digest from public.interlock_migration order by name

-- name: record_migration
insert into public.interlock_migration (name, digest) values (%(name)s, %(digest)s)

-- name: record_migration_in_ledger
-- In the transaction of the migration; those from before there was a way to tell of them are told of with it.
do $$ begin
  if to_regprocedure('interlock.record_migrations()') is not null then perform interlock.record_migrations(); end if;
end $$

-- Whether everything that happened is in the ledger: entries that statements write by themselves, those of the installation,
-- and the comparison of the ledger with every table that it tells of.
set local search_path = interlock, pg_catalog;

--------------------------------------------------------------------------------------------------------- reviews

-- Since when whoever holds a review has held it, so that its resolution can say how long they looked at it.
alter table review add column claimed_at timestamptz;

---------------------------------------------------------------------------------------------------------- entries

-- The id of an entry that a statement writes by itself, where only the database knows which rows it changes: a UUIDv7 of
-- that moment (RFC 9562, section 5.7), whose other bits are random.
create function entry_id(moment timestamptz) returns uuid
  language sql volatile set search_path = interlock, pg_catalog as $$
  select overlay(replace(gen_random_uuid()::text, '-', '')
                 placing lpad(to_hex(floor(extract(epoch from moment) * 1000)::bigint), 12, '0') || '7' from 1 for 13)::uuid
$$;

-- The tenant of what happens to the installation as a whole: migrations, builds, components, workflows. No row of `tenant`
-- and no key is of it, so no caller ever reads or writes under its name. The same as INSTALLATION in ledger/ledger.py.
create function installation_tenant() returns uuid
  language sql immutable parallel safe as $$ select '00000000-0000-7000-8000-000000000000'::uuid $$;
alter table tenant add constraint tenant_is_not_the_installation check (tenant <> '00000000-0000-7000-8000-000000000000');

-- Writes an entry for every migration that has none: for those before this one, and by `migrate` in the transaction of each
-- that follows.
create function record_migrations() returns bigint
  language sql security definer set search_path = interlock, pg_catalog as $$
  with told as (
    insert into ledger_entry (id, tenant, kind, subject, case_id, at, body)
    select entry_id(clock_timestamp()), installation_tenant(), 'migration.applied', md5(m.name)::uuid, null, clock_timestamp(),
           convert_to('{"applied_at":"' || to_char(m.applied_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
                      || '","digest":' || to_json(m.digest) || ',"name":' || to_json(m.name) || '}', 'UTF8')
    from public.interlock_migration m
    where not exists (select from ledger_entry e
                      where e.subject = md5(m.name)::uuid and e.tenant = installation_tenant() and e.kind = 'migration.applied')
    order by m.name
    returning 1
  )
  select count(*) from told
$$;

-- As before; that a tenant was made is in the ledger of the installation.
create or replace function ensure_tenant(wanted text, id uuid) returns uuid
  language sql security definer set search_path = interlock, pg_catalog as $$
  with made as (
    insert into tenant (tenant, name) values (id, wanted) on conflict (name) do nothing returning tenant, name, created_at
  )
  insert into ledger_entry (id, tenant, kind, subject, case_id, at, body)
  select entry_id(m.created_at), installation_tenant(), 'tenant.made', m.tenant, null, m.created_at,
         convert_to('{"name":' || to_json(m.name) || '}', 'UTF8')
  from made m;
  select t.tenant from tenant t where t.name = wanted
$$;
grant insert on ledger_entry to interlock_finder;
grant select on public.interlock_migration to interlock_finder;

-------------------------------------------------------------------------------------------------- reconciliation

-- How far each look at the ledger and the tables has come. `first` to `beyond` are ids; `upto` is the first that is not compared.
create table reconciliation (
  look       text primary key,            -- 'new', 'day', 'all'; 'beginning': what is before `upto` is not compared
  upto       uuid not null,
  beyond     uuid not null,               -- where this turn ends
  began_at   timestamptz not null,        -- when this turn began
  ended_at   timestamptz,                 -- when the last whole turn ended
  looked_at  timestamptz not null
) with (fillfactor = 50);
-- What was written before this migration was told of differently, and is not held to what is told now.
insert into reconciliation (look, upto, beyond, began_at, looked_at)
select 'beginning', case when exists (select from ledger_entry) then first_id(clock_timestamp())
                         else '00000000-0000-0000-0000-000000000000' end,
       '00000000-0000-0000-0000-000000000000', clock_timestamp(), clock_timestamp();
alter table reconciliation enable row level security;
alter table reconciliation force row level security;
-- No process moves the beginning, or names it otherwise: whoever could would switch the comparison off.
create policy installation on reconciliation using (true) with check (look <> 'beginning');
grant select, insert, update (upto, beyond, began_at, ended_at, looked_at) on reconciliation to interlock_service;
alter table reconciliation owner to interlock_owner;
grant select on reconciliation to interlock_finder;

-- What the ledger and a table say differently, found once. It is closed when it is no more, or when a person accepts it.
create table ledger_gap (
  id          uuid primary key,            -- that of its entry ledger.gap
  tenant      uuid not null,
  relation    text not null,               -- the table
  subject     uuid not null,               -- the row, or what the entry is about
  kind        text not null,               -- the kind of entry
  gap         text not null constraint ledger_gap_is_of_a_known_sort check (gap in ('entry', 'row', 'change')),
  found_at    timestamptz not null,
  closed_at   timestamptz,
  closed_by   text,
  closed_why  text,
  constraint ledger_gap_closed_says_who_and_why check ((closed_at is null) = (closed_by is null) and (closed_at is null) = (closed_why is null))
);
call protect('ledger_gap');
create unique index ledger_gap_is_found_once on ledger_gap (tenant, relation, subject, kind, gap)
  where closed_at is null or closed_by <> 'reconciliation';

-- The moment in a UUIDv7.
create function id_moment(id uuid) returns timestamptz
  language sql immutable parallel safe
  as $$ select to_timestamp(('x' || lpad(left(replace($1::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0) $$;

-- Where a part of the ledger ends that has about `most` entries.
create function reconcile_until(first uuid, beyond uuid, most int) returns uuid
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select coalesce((select e.id from ledger_entry e where e.id >= first and e.id < beyond order by e.id offset most limit 1), beyond)
$$;

-- What is missing of everything whose id is from `first` to before `beyond`: a row without its entry ('entry'), an entry without
-- its row ('row'), an entry of a change that its row does not show ('change'). Rows and their entries are committed together
-- and looked at in one snapshot, so work under way is no gap.
--
-- Each row asks the index of subjects for itself (offset 0): how many entries there are beside its own then costs nothing. The
-- first entry of a row is made in the same flush, but perhaps by another clock (a process's, or the database's after somebody
-- set it): it is looked for an hour around it, in a partition or two. `only_new` leaves out what is known before `most` counts.
create function ledger_gaps(first uuid, beyond uuid, most int, only_new boolean default false)
  returns table (tenant uuid, relation text, subject uuid, kind text, gap text)
  language plpgsql stable security definer
  set search_path = interlock, pg_catalog set plan_cache_mode = force_generic_plan
  set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  least_id constant uuid := greatest($1, (select b.upto from reconciliation b where b.look = 'beginning'));
  since_at constant timestamptz := id_moment(least_id);
  until_at constant timestamptz := least(id_moment($2), '9999-01-01');
  near constant uuid := first_id(greatest(since_at - interval '1 hour', 'epoch'));
  far constant uuid := first_id(until_at + interval '1 hour');
begin
  return query
  select g.* from (
    select x.tenant as tenant, 'cases' as relation, x.id as subject, 'case.received' as kind, 'entry' as gap from cases x
    where x.id >= least_id and x.id < $2
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'case.received' and e.id >= near and e.id < far offset 0)
    union all
    select x.tenant as tenant, 'cases' as relation, x.id as subject, 'case.quarantined' as kind, 'entry' as gap from cases x
    where x.id >= least_id and x.id < $2 and x.state = 'quarantined'
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'case.quarantined' and e.id >= near and e.id < far offset 0)
    union all
    select x.tenant as tenant, 'cases' as relation, x.id as subject, 'case.done' as kind, 'entry' as gap from cases x
    where x.id >= least_id and x.id < $2 and x.state = 'done'
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'case.done' and e.id >= near offset 0)
    union all
    select x.tenant as tenant, 'cases' as relation, x.id as subject, 'case.cancelled' as kind, 'entry' as gap from cases x
    where x.id >= least_id and x.id < $2 and x.state = 'cancelled'
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'case.cancelled' and e.id >= near offset 0)
    union all
    select x.tenant as tenant, 'decision' as relation, x.id as subject, 'decision.taken' as kind, 'entry' as gap from decision x
    where x.id >= least_id and x.id < $2
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'decision.taken' and e.id >= near and e.id < far offset 0)
    union all
    select x.tenant as tenant, 'review' as relation, x.id as subject, 'review.opened' as kind, 'entry' as gap from review x
    where x.id >= least_id and x.id < $2
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'review.opened' and e.id >= near and e.id < far offset 0)
    union all
    select x.tenant as tenant, 'review' as relation, x.id as subject, 'review.resolved' as kind, 'entry' as gap from review x
    where x.id >= least_id and x.id < $2 and x.state = 'resolved'
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'review.resolved' and e.id >= near offset 0)
    union all
    select x.tenant as tenant, 'review' as relation, x.id as subject, 'review.withdrawn' as kind, 'entry' as gap from review x
    where x.id >= least_id and x.id < $2 and x.state = 'withdrawn'
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'review.withdrawn' and e.id >= near offset 0)
    union all
    select x.tenant as tenant, 'action' as relation, x.id as subject, 'action.intended' as kind, 'entry' as gap from action x
    where x.id >= least_id and x.id < $2
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'action.intended' and e.id >= near and e.id < far offset 0)
    union all
    select x.tenant as tenant, 'action' as relation, x.id as subject, 'action.done' as kind, 'entry' as gap from action x
    where x.id >= least_id and x.id < $2 and x.state in ('done', 'undoing', 'undone')
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind in ('action.done', 'action.decided') and e.id >= near offset 0)
    union all
    select x.tenant as tenant, 'action' as relation, x.id as subject, 'action.undone' as kind, 'entry' as gap from action x
    where x.id >= least_id and x.id < $2 and x.state = 'undone'
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'action.undone' and e.id >= near offset 0)
    union all
    select x.tenant as tenant, 'action' as relation, x.id as subject, 'action.failed' as kind, 'entry' as gap from action x
    where x.id >= least_id and x.id < $2 and x.state = 'failed'
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind in ('action.failed', 'action.decided') and e.id >= near offset 0)
    union all
    select x.tenant as tenant, 'action' as relation, x.id as subject, 'action.exception' as kind, 'entry' as gap from action x
    where x.id >= least_id and x.id < $2 and x.state = 'exception'
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'action.exception' and e.id >= near offset 0)
    union all
    select x.tenant as tenant, 'attempt' as relation, x.action_id as subject, 'action.dispatched' as kind, 'entry' as gap from attempt x
    where x.action_id >= least_id and x.action_id < $2
      and not exists (select from ledger_entry e where e.subject = x.action_id and e.at = x.sent_at and e.tenant = x.tenant and e.kind = 'action.dispatched' and e.id >= near offset 0)
    union all
    select x.tenant as tenant, 'reservation' as relation, x.action_id as subject, 'action.dispatched' as kind, 'entry' as gap from reservation x
    where x.action_id >= least_id and x.action_id < $2
      and not exists (select from ledger_entry e where e.subject = x.action_id and e.tenant = x.tenant and e.kind in ('action.dispatched', 'cost.reserved') and e.id >= near offset 0)
    union all
    select x.tenant as tenant, 'exception' as relation, x.id as subject, 'exception.opened' as kind, 'entry' as gap from exception x
    where x.id >= least_id and x.id < $2
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'exception.opened' and e.id >= near and e.id < far offset 0)
    union all
    select x.tenant as tenant, 'exception' as relation, x.id as subject, 'exception.resolved' as kind, 'entry' as gap from exception x
    where x.id >= least_id and x.id < $2 and x.state <> 'open'
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind in ('exception.resolved', 'exception.abandoned') and e.id >= near offset 0)
    union all
    select x.tenant, 'quarantine', x.id, 'decision.quarantined', 'entry' from quarantine x
    where x.id >= least_id and x.id < $2
      and not exists (select from ledger_entry e where e.subject in (x.id, x.case_id) and e.tenant = x.tenant
                      and e.kind in ('decision.quarantined', 'case.quarantined') and e.at = x.created_at and e.id >= near and e.id < far offset 0)
    union all
    select x.tenant, 'quarantine', x.id, 'quarantine.' || x.state, 'entry' from quarantine x
    where x.id >= least_id and x.id < $2 and x.state <> 'held'
      and not exists (select from ledger_entry e where e.subject in (x.id, x.case_id) and e.tenant = x.tenant
                      and e.kind in ('quarantine.released', 'quarantine.discarded', 'case.released') and e.id >= near offset 0)
    union all
    select x.tenant as tenant, 'case_event' as relation, x.id as subject, 'event.received' as kind, 'entry' as gap from case_event x
    where x.id >= least_id and x.id < $2
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'event.received' and e.id >= near and e.id < far offset 0)
    union all
    select x.tenant as tenant, 'case_event' as relation, x.id as subject, 'event.taken' as kind, 'entry' as gap from case_event x
    where x.id >= least_id and x.id < $2 and x.taken_at is not null
      and not exists (select from ledger_entry e where e.subject = x.id and e.at = x.taken_at and e.tenant = x.tenant and e.kind = 'event.taken' and e.id >= near offset 0)
    union all
    select x.tenant as tenant, 'stop' as relation, x.id as subject, 'guard.stopped' as kind, 'entry' as gap from stop x
    where x.id >= least_id and x.id < $2
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'guard.stopped' and e.id >= near and e.id < far offset 0)
    union all
    select x.tenant as tenant, 'stop' as relation, x.id as subject, 'guard.resumed' as kind, 'entry' as gap from stop x
    where x.id >= least_id and x.id < $2 and x.lifted_at is not null
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'guard.resumed' and e.id >= near offset 0)
    union all
    select installation_tenant(), 'installation_stop', x.id, 'guard.stopped', 'entry' from installation_stop x
    where x.id >= least_id and x.id < $2
      and not exists (select from ledger_entry e where e.subject = x.id and e.kind = 'guard.stopped' and e.id >= near and e.id < far offset 0)
    union all
    select installation_tenant(), 'installation_stop', x.id, 'guard.resumed', 'entry' from installation_stop x
    where x.id >= least_id and x.id < $2 and x.lifted_at is not null
      and not exists (select from ledger_entry e where e.subject = x.id and e.kind = 'guard.resumed' and e.id >= near offset 0)
    union all
    select x.tenant as tenant, 'dead_man' as relation, x.id as subject, 'guard.term_begun' as kind, 'entry' as gap from dead_man x
    where x.id >= least_id and x.id < $2
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'guard.term_begun' and e.id >= near and e.id < far offset 0)
    union all
    select x.tenant as tenant, 'dead_man' as relation, x.id as subject, 'guard.term_ended' as kind, 'entry' as gap from dead_man x
    where x.id >= least_id and x.id < $2 and x.ended_at is not null
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'guard.term_ended' and e.id >= near offset 0)
    union all
    select x.tenant as tenant, 'publication' as relation, x.id as subject, 'rules.published' as kind, 'entry' as gap from publication x
    where x.id >= least_id and x.id < $2
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind in ('rules.published', 'contract.published') and e.id >= near and e.id < far offset 0)
    union all
    select x.tenant as tenant, 'in_force' as relation, x.publication as subject, 'rules.published' as kind, 'entry' as gap from in_force x
    where x.since >= since_at and x.since < until_at
      and not exists (select from ledger_entry e where e.subject = x.publication and e.at = x.since and e.tenant = x.tenant and e.kind in ('rules.published', 'contract.published', 'rules.reverted') and e.id >= near offset 0)
    union all
    select x.tenant as tenant, 'api_key' as relation, x.id as subject, 'key.made' as kind, 'entry' as gap from api_key x
    where x.id >= least_id and x.id < $2
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'key.made' and e.id >= near and e.id < far offset 0)
    union all
    select x.tenant as tenant, 'api_key' as relation, x.id as subject, 'key.revoked' as kind, 'entry' as gap from api_key x
    where x.id >= least_id and x.id < $2 and x.revoked_at is not null
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = 'key.revoked' and e.id >= near offset 0)
    union all
    select x.tenant as tenant, 'undecided_cost' as relation, x.id as subject, 'cost.settled' as kind, 'entry' as gap from undecided_cost x
    where x.id >= least_id and x.id < $2
      and not exists (select from ledger_entry e where e.id = x.id and e.tenant = x.tenant and e.kind = 'cost.settled' and e.id >= near and e.id < far offset 0)
    union all
    select x.tenant as tenant, 'escalation' as relation, x.id as subject, 'escalation.fired' as kind, 'entry' as gap from escalation x
    where x.changed_at >= since_at and x.changed_at < until_at
      and not exists (select from ledger_entry e where e.subject = x.id and e.at = x.changed_at and e.tenant = x.tenant and e.kind in ('escalation.fired', 'escalation.watched', 'escalation.cleared') and e.id >= near and e.id < far offset 0)
    union all
    select x.tenant, 'data_level', md5(x.tenant || '/' || x.line || '/' || x.level)::uuid, 'data.level_' || case when x.state = 'kept' then 'restored' else 'broken' end, 'entry'
    from data_level x
    where x.changed_at >= since_at and x.changed_at < until_at
      and not exists (select from ledger_entry e where e.tenant = x.tenant and e.kind in ('data.level_broken', 'data.level_restored') and e.at = x.changed_at
                      and e.id >= first_id(x.changed_at - interval '5 seconds') and e.id < first_id(x.changed_at + interval '5 seconds') offset 0)
    union all
    select installation_tenant(), 'tenant', x.tenant, 'tenant.made', 'entry' from tenant x
    where x.tenant >= least_id and x.tenant < $2
      and not exists (select from ledger_entry e where e.subject = x.tenant and e.kind = 'tenant.made' and e.id >= near and e.id < far offset 0)
    union all
    select installation_tenant(), 'interlock_migration', md5(x.name)::uuid, 'migration.applied', 'entry' from public.interlock_migration x
    where x.applied_at >= since_at and x.applied_at < until_at
      and not exists (select from ledger_entry e where e.subject = md5(x.name)::uuid and e.kind = 'migration.applied' offset 0)
    union all
    select e.tenant, r.relation, e.subject, e.kind, case when r.is_there then 'change' else 'row' end
    from ledger_entry e
    cross join lateral (
      select split_part(e.kind, '.', 1) as noun, split_part(e.kind, '.', 2) as verb
    ) k
    cross join lateral (
      -- one branch is evaluated: the table whose row the entry tells of, whether that row is there, and whether it shows the change
      select * from (values (
        case k.noun
          when 'case' then 'cases' when 'step' then 'cases' when 'event' then 'case_event' when 'key' then 'api_key'
          when 'rules' then 'publication' when 'contract' then 'publication' when 'cost' then 'reservation'
          when 'migration' then 'interlock_migration'
          when 'guard' then case when k.verb in ('stopped', 'resumed') then 'stop' else 'dead_man' end
          else case when k.verb = 'quarantined' then 'quarantine' when e.kind = 'action.dispatched' then 'attempt' else k.noun end
        end,
        case
          when e.kind in ('case.quarantined', 'decision.quarantined') then exists (
            select from quarantine x where x.tenant = e.tenant and (x.id = e.subject or x.case_id = e.subject) and x.created_at = e.at)
          when k.noun in ('case', 'step') then exists (select from cases x where x.id = e.subject and x.tenant = e.tenant)
          when k.noun = 'decision' then exists (select from decision x where x.id = e.subject and x.tenant = e.tenant)
          when e.kind = 'action.dispatched' then exists (
            select from attempt x where x.action_id = e.subject and x.tenant = e.tenant and x.sent_at = e.at)
          when k.noun = 'action' then exists (select from action x where x.id = e.subject and x.tenant = e.tenant)
          when k.noun = 'review' then exists (select from review x where x.id = e.subject and x.tenant = e.tenant)
          when k.noun = 'exception' then exists (select from exception x where x.id = e.subject and x.tenant = e.tenant)
          when k.noun = 'quarantine' then exists (select from quarantine x where x.id = e.subject and x.tenant = e.tenant)
          when k.noun = 'event' then exists (select from case_event x where x.id = e.subject and x.tenant = e.tenant)
          when e.kind in ('guard.stopped', 'guard.resumed') then
            exists (select from stop x where x.id = e.subject and x.tenant = e.tenant)
            or exists (select from installation_stop x where x.id = e.subject)
          when k.noun = 'guard' then exists (select from dead_man x where x.id = e.subject and x.tenant = e.tenant)
          when e.kind in ('key.made', 'key.revoked') then
            exists (select from api_key x where x.id = e.subject and x.tenant = e.tenant)
          when e.kind in ('rules.published', 'contract.published') then
            exists (select from publication x where x.id = e.subject and x.tenant = e.tenant)
          when e.kind = 'rules.reverted' then
            exists (select from in_force x where x.publication = e.subject and x.tenant = e.tenant and x.since = e.at)
          when e.kind = 'cost.reserved' then exists (select from reservation x where x.action_id = e.subject and x.tenant = e.tenant)
          when k.noun = 'escalation' then exists (select from escalation x where x.id = e.subject and x.tenant = e.tenant)
          when e.kind = 'tenant.made' then exists (select from tenant x where x.tenant = e.subject)
          when e.kind = 'migration.applied' then
            exists (select from public.interlock_migration x where md5(x.name)::uuid = e.subject)
          else true
        end,
        case e.kind
          when 'case.done' then exists (select from cases x where x.id = e.subject and x.state = 'done')
          when 'case.cancelled' then exists (select from cases x where x.id = e.subject and x.state = 'cancelled')
          when 'review.resolved' then exists (select from review x where x.id = e.subject and x.state = 'resolved')
          when 'review.withdrawn' then exists (select from review x where x.id = e.subject and x.state = 'withdrawn')
          when 'action.done' then exists (select from action x where x.id = e.subject and x.state in ('done', 'undoing', 'undone'))
          when 'exception.resolved' then exists (select from exception x where x.id = e.subject and x.state <> 'open')
          when 'exception.abandoned' then exists (select from exception x where x.id = e.subject and x.state <> 'open')
          when 'quarantine.released' then exists (select from quarantine x where x.id = e.subject and x.state <> 'held')
          when 'quarantine.discarded' then exists (select from quarantine x where x.id = e.subject and x.state <> 'held')
          when 'guard.resumed' then
            exists (select from stop x where x.id = e.subject and x.lifted_at is not null)
            or exists (select from installation_stop x where x.id = e.subject and x.lifted_at is not null)
          when 'guard.term_ended' then exists (select from dead_man x where x.id = e.subject and x.ended_at is not null)
          when 'key.revoked' then exists (select from api_key x where x.id = e.subject and x.revoked_at is not null)
          else true
        end
      )) as v (relation, is_there, is_changed)
    ) r
    where e.id >= least_id and e.id < $2 and e.subject >= (select b.upto from reconciliation b where b.look = 'beginning')
      and not (r.is_there and r.is_changed)
    offset 0  -- so that only gaps are looked up among the known
  ) g
  where not $4 or not is_known_gap(g.tenant, g.relation, g.subject, g.kind, g.gap)
  limit $3;
end $$;

-- How many rows, and how many first entries of rows, have an id from `first` to before `beyond`: for people, who want numbers.
create function ledger_counts(first uuid, beyond uuid)
  returns table (relation text, rows bigint, entries bigint)
  language plpgsql stable security definer set search_path = interlock, pg_catalog as $$
declare
  least_id constant uuid := greatest($1, (select b.upto from reconciliation b where b.look = 'beginning'));
begin
  return query
  with told as (
    select e.kind, count(*) as entries from ledger_entry e where e.id >= least_id and e.id < $2 group by e.kind
  ), there as (
    select 'cases' as relation, count(*) as rows, '{case.received}'::text[] as kinds from cases x where x.id >= least_id and x.id < $2
    union all
    select 'decision', count(*), '{decision.taken}' from decision x where x.id >= least_id and x.id < $2
    union all
    select 'review', count(*), '{review.opened}' from review x where x.id >= least_id and x.id < $2
    union all
    select 'action', count(*), '{action.intended}' from action x where x.id >= least_id and x.id < $2
    union all
    select 'attempt', count(*), '{action.dispatched}' from attempt x where x.action_id >= least_id and x.action_id < $2
    union all
    select 'exception', count(*), '{exception.opened}' from exception x where x.id >= least_id and x.id < $2
    union all
    select 'quarantine', count(*), '{case.quarantined,decision.quarantined}' from quarantine x where x.id >= least_id and x.id < $2
    union all
    select 'case_event', count(*), '{event.received}' from case_event x where x.id >= least_id and x.id < $2
    union all
    select 'stop', (select count(*) from stop x where x.id >= least_id and x.id < $2)
                   + (select count(*) from installation_stop x where x.id >= least_id and x.id < $2), '{guard.stopped}'
    union all
    select 'dead_man', count(*), '{guard.term_begun}' from dead_man x where x.id >= least_id and x.id < $2
    union all
    select 'publication', count(*), '{rules.published,contract.published}' from publication x where x.id >= least_id and x.id < $2
    union all
    select 'api_key', count(*), '{key.made}' from api_key x where x.id >= least_id and x.id < $2
  )
  select t.relation, t.rows, coalesce((select sum(o.entries)::bigint from told o where o.kind = any (t.kinds)), 0)
  from there t order by 1;
end $$;

-- The gaps that nobody has closed, in every tenant, the oldest first.
create function open_gaps(most int)
  returns table (id uuid, tenant uuid, relation text, subject uuid, kind text, gap text, found_at timestamptz)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select g.id, g.tenant, g.relation, g.subject, g.kind, g.gap, g.found_at from ledger_gap g
  where g.closed_at is null order by g.id limit most
$$;
create index ledger_gap_open on ledger_gap (id) where closed_at is null;

-- The same, of those that a person accepted: they are known, and not found again.
create function is_known_gap(whose uuid, of_table text, about uuid, of_kind text, sort text) returns boolean
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select exists (select from ledger_gap g where g.tenant = whose and g.relation = of_table and g.subject = about and g.kind = of_kind
                 and g.gap = sort and (g.closed_at is null or g.closed_by <> 'reconciliation'))
$$;

grant select on api_key, case_event, undecided_cost, escalation, data_level, ledger_gap, quarantine, reservation, attempt,
  journal, in_force, publication to interlock_finder;
grant create on schema interlock to interlock_finder;

do $$
declare
  finder text;
begin
  foreach finder in array array[
    'record_migrations()', 'reconcile_until(uuid, uuid, int)', 'ledger_gaps(uuid, uuid, int, boolean)', 'ledger_counts(uuid, uuid)',
    'open_gaps(int)', 'is_known_gap(uuid, text, uuid, text, text)'
  ] loop
    execute format('alter function interlock.%s owner to interlock_finder', finder);
    execute format('revoke all on function interlock.%s from public', finder);
    execute format('grant execute on function interlock.%s to interlock_service', finder);
  end loop;
end $$;

revoke create on schema interlock from interlock_finder;

-- Who runs migrations has them told of, in the transaction of each from this one on.
do $$ begin execute format('grant execute on function interlock.record_migrations() to %I', current_user); end $$;

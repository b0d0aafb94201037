-- The execution layer: undoing, cancelling, facts that decisions assume, outside events, circuits, dead-man terms.
set local search_path = interlock, pg_catalog;

---------------------------------------------------------------------------------------------------------- cases

alter table cases
  add column caller     text not null default '',  -- who submitted it: an API key's name, or who ran the command
  add column cancel_at  timestamptz,               -- since when it shall end; what it did is taken back first
  add column cancel_by  text,
  add column cancel_why text,
  add column rewinds    int not null default 0,    -- how often a stale decision was taken anew
  add column held_by    uuid,                      -- the stop, or the lapsed dead-man term, that it waits for
  add constraint case_cancel_says_who_and_why check (cancel_at is null or (cancel_by <> '' and cancel_why <> ''));

create index case_held_by_a_stop on cases (held_by) where held_by is not null and state = 'waiting';

alter type step_kind add value 'fact';
alter type step_kind add value 'event';

-- Outside events: kept until their case takes them, in the order in which they came. Never a second time.
create table case_event (
  id           uuid primary key,
  tenant       uuid not null,
  case_id      uuid not null,
  name         text not null,
  payload      bytea not null,              -- canonical JSON
  sender       text not null,
  received_at  timestamptz not null,
  taken_at     timestamptz
);
call protect('case_event');
create index case_event_untaken on case_event (tenant, case_id, name, id) where taken_at is null;
create index case_event_by_case on case_event (tenant, case_id, id);

------------------------------------------------------------------------------------------------------ decisions

alter table decision add column facts bytea;    -- what it assumed: names, parameters, values, when read; canonical JSON

-------------------------------------------------------------------------------------------------------- actions

alter table action
  add column generation      int not null default 0,  -- grows when the key of an earlier request was made void
  add column sender_ends_at  timestamptz,             -- when the process that sent last is dead, or has let go, for sure
  add column caller          text not null default '',
  add column point           text,                    -- of the decision that it rests on
  add column component       text,
  add column decided_at      timestamptz,
  add column facts           bytea;                   -- what that decision assumed
-- An undo that is waived or abandoned stays on record; the original is undone by one action at most.
create unique index action_is_undone_by_one on action (undo_of) where undo_of is not null;

-- Retries that wait: nothing else enters it, since an action that goes at its first attempt never has a not_before.
create index action_paused on action (tenant, id) where state = 'ready' and not_before is not null;

-- The state of what can fail by itself, shared by all workers of the installation: one row a connector.
create type circuit_state as enum ('closed', 'open', 'recovering');
create table circuit (
  connector   text primary key,
  state       circuit_state not null,
  failures    int not null,              -- in a row, since the last success that anyone recorded
  openings    int not null,              -- in a row: the pause grows with them
  since       timestamptz not null,
  retry_at    timestamptz,               -- when the next probe may go; open without it: by hand
  pace        bigint not null default 0, -- GCRA time in microseconds while recovering
  admitted    int not null default 0,    -- how many went while recovering, the probe included
  promised    int not null default 0,    -- the last place on the ramp that somebody was told to come at
  what        text not null              -- the last failure by kind and code: tenants share it
) with (fillfactor = 50);
alter table circuit enable row level security;
alter table circuit force row level security;
create policy installation on circuit using (true);
grant select, insert, update on circuit to interlock_service;
alter table circuit owner to interlock_owner;

--------------------------------------------------------------------------------------------------------- guards

-- A stop of the whole installation, or of one of its parts in every tenant. Any tenant's dispatch reads it.
create table installation_stop (
  id          uuid primary key,
  scope       text not null,
  who         text not null,
  why         text not null,
  until       timestamptz,
  created_at  timestamptz not null,
  lifted_at   timestamptz,
  lifted_by   text,
  lifted_why  text
);
alter table installation_stop enable row level security;
alter table installation_stop force row level security;
create policy installation on installation_stop using (true);
grant select, insert, update on installation_stop to interlock_service;
alter table installation_stop owner to interlock_owner;
create index installation_stop_in_force on installation_stop (scope) where lifted_at is null;

-- Dead-man terms: a scope that stops by itself unless somebody authorizes it in time, again and again.
create table dead_man (
  id                uuid primary key,
  tenant            uuid not null,
  scope             text not null,
  every_seconds     bigint not null constraint dead_man_has_a_span check (every_seconds > 0),
  authorized_until  timestamptz not null,
  authorized_by     text not null,
  why               text not null,
  created_at        timestamptz not null,
  ended_at          timestamptz,
  ended_by          text,
  ended_why         text
);
call protect('dead_man');
create unique index dead_man_is_one_a_scope on dead_man (tenant, scope) where ended_at is null;

------------------------------------------------------------------------------------------------------ oversight

alter table exception
  add column run      int,               -- the step at which its case stopped, so that a person's answer has a place
  add column scope    text,
  add column ordinal  int,
  add column action   uuid,              -- the action that it is about, if it is about one
  add column answer   bytea;             -- the value that resolved it, if one did: canonical JSON
create index exception_by_fingerprint on exception (tenant, fingerprint) where state = 'open';

-- Where each rule of `escalation` in a workflow's file stands; one that never fired has no row.
create type escalation_state as enum ('fired', 'watched', 'cleared');
create table escalation (
  id          uuid primary key,          -- of tenant, workflow, condition and response
  tenant      uuid not null,
  workflow    text not null,
  rule        text not null,             -- in words: 'open exceptions >= 20: pause for 1h'
  turn        bigint not null,           -- how often it changed its state
  state       escalation_state not null,
  value       bigint not null,           -- what was measured then: a number, or seconds
  stop        uuid,                      -- the stop that it made when it fired last
  changed_at  timestamptz not null
);
call protect('escalation');

-- What escalation measures and no other index finds: few rows, since few actions fail.
create index action_failed on action (tenant, workflow, ended_at) where state = 'failed';
create index review_resolved on review (tenant, workflow, resolved_at) where state = 'resolved' and proposal is not null;

-------------------------------------------------------------------------------------------------------- finders

drop function claim_cases(bigint, uuid[], int, uuid);
create function claim_cases(claimant bigint, carried uuid[], most int, serves uuid default null)
  returns table (id uuid, tenant uuid, workflow text, version text, code uuid, key text, input bytea, run int,
                 signals bigint, fence bigint, exposure_minor bigint, currency text, created_at timestamptz,
                 caller text, cancel_at timestamptz, cancel_by text, cancel_why text, rewinds int)
  language sql security definer set search_path = interlock, pg_catalog as $$
  update cases c
  set state = 'running', worker = claimant, fence = c.fence + 1, waiting_for = null, wake_at = null, held_by = null,
      changed_at = clock_timestamp()
  from (
    select d.id from cases d
    -- the statement's time: by clock_timestamp(), which is volatile, every timer that is not due would be read too
    where d.state in ('ready', 'waiting') and d.wake_at <= statement_timestamp() and d.code = any (carried)
      and (serves is null or d.tenant = serves)
      -- a worker whose lease is over may take nothing: its peers may already be taking its cases over
      and exists (select from worker w where w.number = claimant and w.ended_at is null
                  and w.lease_until > clock_timestamp())
    order by d.wake_at limit most
    for no key update skip locked
  ) due
  where c.id = due.id
  returning c.id, c.tenant, c.workflow, c.version, c.code, c.key, c.input, c.run, c.signals, c.fence,
            c.exposure_minor, c.currency, c.created_at, c.caller, c.cancel_at, c.cancel_by, c.cancel_why, c.rewinds
$$;
grant create on schema interlock to interlock_finder;
alter function claim_cases(bigint, uuid[], int, uuid) owner to interlock_finder;
revoke create on schema interlock from interlock_finder;
revoke all on function claim_cases(bigint, uuid[], int, uuid) from public;
grant execute on function claim_cases(bigint, uuid[], int, uuid) to interlock_service;

-- Every stop in force, with the tenant that it is for; null: every tenant. A hint for what is under way: what is
-- dispatched or decided reads the stops in its own commit.
create function stops_everywhere()
  returns table (tenant uuid, id uuid, kind text, scope text, who text, why text, until timestamptz, created_at timestamptz)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select s.tenant, s.id, 'stop', s.scope, s.who, s.why, s.until, s.created_at from stop s
  where s.lifted_at is null and (s.until is null or s.until > clock_timestamp())
  union all
  select t.tenant, i.id, 'installation', i.scope, i.who, i.why, i.until, i.created_at
  from installation_stop i left join tenant t on i.scope = 'tenant:' || t.name
  where i.lifted_at is null and (i.until is null or i.until > clock_timestamp())
    and (i.scope not like 'tenant:%' or t.tenant is not null)
  union all
  select d.tenant, d.id, 'lapsed', d.scope, d.authorized_by, d.why, null, d.authorized_until from dead_man d
  where d.ended_at is null and d.authorized_until <= clock_timestamp()
$$;

-- Makes the cases ready whose stop is in force no longer, whoever or whatever ended it. SKIP LOCKED: it waits for nobody.
create function wake_freed_cases() returns bigint
  language sql security definer set search_path = interlock, pg_catalog as $$
  with freed as (
    select c.id from cases c
    where c.state = 'waiting' and c.held_by in (
      select h.held_by from (select distinct held_by from cases where held_by is not null and state = 'waiting') h
      where not exists (select from stop s where s.id = h.held_by and s.lifted_at is null
                        and (s.until is null or s.until > clock_timestamp()))
        and not exists (select from installation_stop s where s.id = h.held_by and s.lifted_at is null
                        and (s.until is null or s.until > clock_timestamp()))
        and not exists (select from dead_man d where d.id = h.held_by and d.ended_at is null
                        and d.authorized_until <= clock_timestamp())
    )
    order by c.tenant, c.id
    for no key update skip locked
  ), woken as (
    update cases c
    set state = 'ready', waiting_for = null, held_by = null, wake_at = clock_timestamp(), changed_at = clock_timestamp()
    from freed where c.id = freed.id
    returning 1
  )
  select count(*) from woken
$$;

-- Whether a stop of a scope holds an action; an undo is held only by one that names its own action or connector.
-- The same rule as scopes_of in actions/scopes.py, which a test holds against it.
create function stop_holds_action(stopped text, a action) returns boolean
  language sql stable parallel safe set search_path = interlock, pg_catalog as $$
  select stopped in ('action:' || a.workflow || '.' || a.name, 'connector:' || a.connector)
      or (a.undo_of is null and (
            stopped = 'everything' or stopped like 'tenant:%'
            or stopped in ('workflow:' || a.workflow, 'domain:' || a.domain)
            or (a.caller <> '' and stopped = 'agent:' || a.caller)
            or (a.point is not null and stopped = 'point:' || a.workflow || '.' || a.point)
            or (a.component is not null and stopped = 'component:' || a.component)))
$$;

-- Cases that wait for their next attempt show the stop that will hold it, and are woken when it ends.
create function show_stop_to_cases(held_by_stop uuid, stopped text, what text, only_tenant uuid, most int) returns bigint
  language sql security definer set search_path = interlock, pg_catalog as $$
  with waiting as (
    select c.id from cases c
    where c.state = 'waiting' and c.id in (
      select a.case_id from action a
      where a.state = 'ready' and a.not_before is not null and (only_tenant is null or a.tenant = only_tenant)
        and stop_holds_action(stopped, a)
      limit most)
    order by c.tenant, c.id
    for no key update skip locked
  ), shown as (
    update cases c set waiting_for = what, held_by = held_by_stop from waiting where c.id = waiting.id returning 1
  )
  select count(*) from shown
$$;

-- Calls that were dispatched and are not settled yet, in the scope of a stop; of one tenant, or of all.
create function calls_under_way(stopped text, only_tenant uuid, most int)
  returns table (tenant text, id uuid, case_id uuid, workflow text, name text, connector text, state text, attempt int,
                 key text, exposure_minor bigint, currency text, since timestamptz, deadline timestamptz)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select t.name, a.id, a.case_id, a.workflow, a.name, a.connector, a.state::text, a.attempt, a.key, a.exposure_minor,
         a.currency, a.sent_at, a.send_deadline
  from action a join tenant t on t.tenant = a.tenant
  where a.state in ('dispatching', 'in_doubt') and (only_tenant is null or a.tenant = only_tenant)
    and stop_holds_action(stopped, a)
  order by a.sent_at, a.id limit most
$$;

-- The tenants that have anything of these workflows. By scalar subqueries with a limit: EXISTS ... OR EXISTS may be
-- answered by hashing all cases of the installation.
create function tenants_of_workflows(wanted text[]) returns setof uuid
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select t.tenant from tenant t
  where (select true from cases c where c.tenant = t.tenant and c.workflow = any (wanted) limit 1)
     or (select true from decision d where d.tenant = t.tenant and d.workflow = any (wanted) limit 1)
  order by t.tenant
$$;

-- What each rule of `escalation` measures now, of the current tenant; null: there is no sample yet. Ages are in whole
-- seconds. A finder although it reads one tenant alone: under row security the planner may use no statistics of `state`,
-- takes the few rows for all of them, and reads the whole table.
create function measured(rules json) returns table (id uuid, value bigint)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select r.id, case r.measure
    when 'open exceptions' then (
      select count(*) from exception e where e.tenant = current_tenant() and e.workflow = r.workflow and e.state = 'open')
    when 'oldest exception' then (
      select coalesce(floor(extract(epoch from statement_timestamp() - min(e.created_at))), 0)::bigint
      from exception e where e.tenant = current_tenant() and e.workflow = r.workflow and e.state = 'open')
    when 'open reviews' then (
      select count(*) from review v
      where v.tenant = current_tenant() and v.workflow = r.workflow and v.state in ('open', 'claimed'))
    when 'oldest review' then (
      select coalesce(floor(extract(epoch from statement_timestamp() - min(v.created_at))), 0)::bigint
      from review v where v.tenant = current_tenant() and v.workflow = r.workflow and v.state in ('open', 'claimed'))
    when 'failed actions' then (
      select count(*) from action a
      where a.tenant = current_tenant() and a.workflow = r.workflow and a.state = 'failed'
        and a.ended_at >= statement_timestamp() - make_interval(secs => r.seconds))
    when 'actions in doubt' then (
      -- those that the protocol is settling, and those of which a person must say what became of them
      select count(*) from action a
      where a.tenant = current_tenant() and a.workflow = r.workflow and a.state in ('in_doubt', 'exception')
        and (select c.state from cases c where c.id = a.case_id) not in ('done', 'cancelled'))
    when 'overrides' then (
      select case when count(*) = r.sample then count(*) filter (where latest.resolution <> 'approve') end
      from (select v.resolution from review v
            where v.tenant = current_tenant() and v.workflow = r.workflow and v.state = 'resolved'
              and v.proposal is not null
            order by v.resolved_at desc limit r.sample) latest)
    end
  from json_to_recordset(rules) as r (id uuid, workflow text, measure text, seconds float8, sample bigint)
$$;
grant select on stop, installation_stop, dead_man, action, decision, exception, review to interlock_finder;
grant execute on function stop_holds_action(text, action) to interlock_finder;

do $$
declare
  finder text;
begin
  grant create on schema interlock to interlock_finder;
  foreach finder in array array[
    'stops_everywhere()', 'wake_freed_cases()', 'show_stop_to_cases(uuid, text, text, uuid, int)',
    'calls_under_way(text, uuid, int)', 'tenants_of_workflows(text[])', 'measured(json)'
  ] loop
    execute format('alter function interlock.%s owner to interlock_finder', finder);
    execute format('revoke all on function interlock.%s from public', finder);
    execute format('grant execute on function interlock.%s to interlock_service', finder);
  end loop;
  revoke create on schema interlock from interlock_finder;
end $$;

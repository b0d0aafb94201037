-- The execution layer: undoing, cancelling, facts that decisions assume, outside events, circuits, dead-man terms.
set local search_path = interlock, pg_catalog;

---------------------------------------------------------------------------------------------------------- cases

alter table cases
  add column caller     text not null default '',  -- who submitted it: an API key's name, or who ran the command
  add column cancel_at  timestamptz,               -- since when it shall end; what it did is taken back first
  add column cancel_by  text,
  add column cancel_why text,
  add column rewinds    int not null default 0,    -- how often a stale decision was taken anew
  add constraint case_cancel_says_who_and_why check (cancel_at is null or (cancel_by <> '' and cancel_why <> ''));

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

-- The state of what can fail by itself, shared by all workers of the installation: one row a connector.
create type circuit_state as enum ('closed', 'open', 'recovering');
create table circuit (
  connector   text primary key,
  state       circuit_state not null,
  failures    int not null,              -- in a row, since the last success that anyone recorded
  openings    int not null,              -- in a row: the pause grows with them
  since       timestamptz not null,
  retry_at    timestamptz,               -- when the next probe may go
  pace        bigint not null default 0, -- GCRA time in microseconds while recovering
  what        text not null              -- the last failure, in a sentence
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

-------------------------------------------------------------------------------------------------------- finders

drop function claim_cases(bigint, uuid[], int, uuid);
create function claim_cases(claimant bigint, carried uuid[], most int, serves uuid default null)
  returns table (id uuid, tenant uuid, workflow text, version text, code uuid, key text, input bytea, run int,
                 signals bigint, fence bigint, exposure_minor bigint, currency text, created_at timestamptz,
                 caller text, cancel_at timestamptz, cancel_by text, cancel_why text, rewinds int)
  language sql security definer set search_path = interlock, pg_catalog as $$
  update cases c
  set state = 'running', worker = claimant, fence = c.fence + 1, waiting_for = null, wake_at = null,
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

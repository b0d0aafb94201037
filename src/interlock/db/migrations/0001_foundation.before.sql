-- The foundation: tenants, cases, the journal, decisions, actions, reviews, exceptions, quarantine, guards, the ledger.
--
-- Rules that hold for every table here and in every later migration (tests/pg/test_schema.py checks them):
--   * row-level security is enabled AND forced, with a policy on the tenant;
--   * the service's role owns nothing and has no right on any partition;
--   * amounts are whole minor units (bigint) with their currency; times are timestamptz; ids are UUIDv7;
--   * bytes that are hashed are stored as bytes; json columns are projections for people;
--   * constraints carry names that say the rule.

create schema interlock;
set local search_path = interlock, pg_catalog;

-- Roles are the cluster's, not the database's: another database of the same cluster may have made them.
do $$
declare
  role record;
begin
  for role in
    select * from (values
      ('interlock_owner', 'nologin'),               -- owns the schema; forced row security binds it too
      ('interlock_service', 'nologin'),             -- what servers and workers are
      ('interlock_finder', 'nologin bypassrls'),    -- owns the few reviewed functions that look across tenants
      ('interlock_migrator', 'nologin bypassrls')   -- runs data migrations, with row_security off
    ) as r (name, options)
  loop
    if not exists (select from pg_roles where rolname = role.name) then
      begin
        execute format('create role %I %s', role.name, role.options);
      exception when duplicate_object or unique_violation then null;  -- another migration was faster
      end;
    end if;
  end loop;
end $$;

grant usage on schema interlock to interlock_service, interlock_finder;
grant usage, create on schema interlock to interlock_owner;

create function current_tenant() returns uuid
  language sql stable parallel safe
  as $$ select nullif(current_setting('app.tenant', true), '')::uuid $$;

-- The one way to make a table of ours: forced row security by tenant, the service's rights, the owner.
create procedure protect(target regclass, rights text default 'select, insert, update')
  language plpgsql as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('create policy tenant on %s using (tenant = (select interlock.current_tenant()))', target);
  execute format('grant %s on %s to interlock_service', rights, target);
  execute format('alter table %s owner to interlock_owner', target);
end $$;

------------------------------------------------------------------------------------------------------------ who

create table tenant (
  tenant      uuid primary key,
  name        text not null constraint tenant_name_is_taken unique
              constraint tenant_name_is_a_slug check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  created_at  timestamptz not null default clock_timestamp()
);
call protect('tenant', 'select');

create table api_key (
  id          uuid primary key,
  tenant      uuid not null,
  name        text not null,
  digest      bytea not null constraint api_key_is_unique unique
              constraint api_key_digest_is_sha256 check (octet_length(digest) = 32),
  scopes      text[] not null,
  created_at  timestamptz not null,
  revoked_at  timestamptz
);
call protect('api_key');

----------------------------------------------------------------------------------------------------------- keys

-- Every idempotency key, as a 16-byte digest over tenant, purpose and key; its time is in the holder's UUIDv7.
create table idempotency_key (
  digest   uuid not null,      -- 16 bytes of BLAKE2b
  tenant   uuid not null,
  holder   uuid not null,      -- the case, decision or action that the key belongs to
  payload  uuid not null,      -- 16 bytes of BLAKE2b over the payload: the same key with another one is refused
  constraint idempotency_key_takes_effect_once primary key (digest)
) partition by hash (digest);
call protect('idempotency_key', 'select, insert, delete');

do $$
begin
  for i in 0..7 loop
    execute format('create table interlock.idempotency_key_%s partition of interlock.idempotency_key
                    for values with (modulus 8, remainder %s)', i, i);
    execute format('alter table interlock.idempotency_key_%s enable row level security', i);
    execute format('alter table interlock.idempotency_key_%s force row level security', i);
    execute format('alter table interlock.idempotency_key_%s owner to interlock_owner', i);
  end loop;
end $$;

---------------------------------------------------------------------------------------------------------- cases

create type case_state as enum ('quarantined', 'ready', 'running', 'waiting', 'exception', 'done', 'cancelled');

create table cases (
  id               uuid primary key,
  tenant           uuid not null,
  workflow         text not null,
  version          text not null,              -- as the author wrote it
  code             uuid not null,              -- the content hash that this case finishes on
  key              text not null,
  input            bytea not null,
  run              int not null default 1,     -- case.continue_as begins the next one
  state            case_state not null,
  conclusion       text,                       -- what the workflow returned: 'paid', 'rejected', ...
  waiting_for      text,                       -- in words, for a person
  wake_at          timestamptz,                -- when a worker shall take it; null: when somebody wakes it
  signals          bigint not null default 0,  -- how often it was woken; parking compares it
  worker           bigint,
  fence            bigint not null default 0,  -- only grows; every write for the case is conditional on it
  exposure_minor   bigint,
  currency         text,
  created_at       timestamptz not null,
  changed_at       timestamptz not null,
  constraint case_done_has_a_conclusion check ((state = 'done') = (conclusion is not null)),
  constraint case_running_has_a_worker check ((state = 'running') = (worker is not null)),
  constraint case_exposure_has_a_currency check ((exposure_minor is null) = (currency is null))
) with (fillfactor = 70);
call protect('cases');
create index case_due on cases (wake_at) where state in ('ready', 'waiting') and wake_at is not null;
create index case_held on cases (worker) where state = 'running';
create index case_by_state on cases (tenant, state, id);
create index case_by_workflow on cases (tenant, workflow, id);

create type step_kind as enum ('decide', 'act', 'review', 'wait', 'step', 'now', 'random', 'id', 'patched');
create type step_state as enum ('pending', 'done', 'failed');

create table journal (
  case_id      uuid not null,
  tenant       uuid not null,
  run          int not null,
  scope        text not null,                  -- '' or the path of gather branches, as '3.0'
  ordinal      int not null,
  kind         step_kind not null,
  name         text not null,
  args_hash    uuid not null,                  -- 16 bytes of BLAKE2b; compared on replay
  state        step_state not null,
  ref          uuid,                           -- the decision, action or review that the step made
  result       bytea,
  due          timestamptz,                    -- for a pending wait
  fence        bigint not null,
  started_at   timestamptz not null,
  finished_at  timestamptz,
  constraint journal_step_is_recorded_once primary key (case_id, run, scope, ordinal),
  constraint journal_pending_has_no_result check ((state = 'pending') = (finished_at is null))
) partition by range (case_id);
call protect('journal');

-- Not a tenant's: one row a worker process. Any service may read and write it.
create table worker (
  number       bigint generated always as identity primary key,  -- also the advisory lock that shows that it lives
  name         text not null,
  code         uuid[] not null,               -- the workflow versions that it carries
  lease_until  timestamptz not null,
  started_at   timestamptz not null default clock_timestamp(),
  suspect_at   timestamptz,                   -- since when its lock was seen to be free
  ended_at     timestamptz
);
alter table worker enable row level security;
alter table worker force row level security;
create policy installation on worker using (true);
grant select, insert, update on worker to interlock_service;
alter table worker owner to interlock_owner;
create index worker_alive on worker (number) where ended_at is null;

------------------------------------------------------------------------------------------------------ decisions

create type route as enum ('automatic', 'review', 'reject');

create table decision (
  id                uuid not null primary key,
  tenant            uuid not null,
  case_id           uuid,
  workflow          text not null,
  point             text not null,
  key               text not null,
  input             bytea not null,
  input_hash        bytea not null,           -- SHA-256
  input_contract    text,
  output            bytea,                    -- null: no component answered
  output_hash       bytea,
  output_contract   text,
  component         text not null,            -- whose output this is, as 'rules:approve@1'; 'person' where one is asked
  component_digest  bytea,
  propensity        numeric not null,         -- with which probability the release in force gave this component
  attempts          bytea not null,           -- every component asked, in order, with what became of it: canonical JSON
  confidence        double precision,
  confidence_needed double precision,         -- null: a person, whatever the confidence
  exposure_minor    bigint,
  currency          text,
  findings          bytea not null,           -- what the checks found: canonical JSON
  verdicts          bytea not null,           -- what the conditions said: canonical JSON
  reasons           bytea not null,           -- why this route: canonical JSON
  route             route not null,
  review            uuid,
  evidence          bytea not null,
  cost              numeric not null,         -- USD
  declaration       bytea not null,           -- SHA-256 of the workflow's file in force
  took_us           bytea not null,           -- microseconds by stage: canonical JSON
  valid_until       timestamptz,
  decided_at        timestamptz not null,
  supersedes        uuid,
  constraint decision_exposure_has_a_currency check ((exposure_minor is null) = (currency is null)),
  constraint decision_review_is_routed_so check ((route = 'review') = (review is not null))
) partition by range (id);
call protect('decision', 'select, insert');
create index decision_by_case on decision (tenant, case_id);
create index decision_by_point on decision (tenant, workflow, point, id);

------------------------------------------------------------------------------------------------------ oversight

create type review_state as enum ('open', 'claimed', 'resolved', 'withdrawn');
create type resolution as enum ('approve', 'change', 'reject');

create table review (
  id              uuid primary key,
  tenant          uuid not null,
  case_id         uuid,
  decision_id     uuid,
  workflow        text not null,
  point           text not null,
  queue           text not null,
  state           review_state not null,
  question        bytea not null,            -- what the reviewer sees: why, evidence, proposal, choices; canonical JSON
  proposal        bytea,
  exposure_minor  bigint,
  currency        text,
  urgency         bigint not null,           -- expected loss in minor units; the queue's first order
  due_at          timestamptz,
  claimed_by      text,
  claimed_until   timestamptz,
  resolution      resolution,
  output          bytea,                     -- what holds after the resolution
  reason_code     text,
  note            text,
  resolved_by     text,
  created_at      timestamptz not null,
  resolved_at     timestamptz,
  constraint review_resolved_says_how check ((state = 'resolved') = (resolution is not null)),
  constraint review_resolved_says_who check (state <> 'resolved' or resolved_by is not null),
  constraint review_claimed_says_who check (state <> 'claimed' or (claimed_by is not null and claimed_until is not null))
);
call protect('review');
create index review_queue on review (tenant, queue, urgency desc, id) where state in ('open', 'claimed');
create index review_by_case on review (tenant, case_id);

create type exception_state as enum ('open', 'resolved', 'abandoned');

create table exception (
  id              uuid primary key,
  tenant          uuid not null,
  case_id         uuid,
  workflow        text not null,
  kind            text not null,             -- the error's code
  fingerprint     uuid not null,             -- groups those of one cause
  state           exception_state not null,
  priority        int not null,              -- 0 is the highest
  what            text not null,
  detail          bytea not null,            -- the captured state: canonical JSON
  owner           text not null,
  exposure_minor  bigint,
  currency        text,
  created_at      timestamptz not null,
  resolved_at     timestamptz,
  resolved_by     text,
  resolution      text
);
call protect('exception');
create index exception_queue on exception (tenant, priority, id) where state = 'open';
create index exception_by_case on exception (tenant, case_id);

create type quarantine_state as enum ('held', 'released', 'discarded');

create table quarantine (
  id           uuid primary key,
  tenant       uuid not null,
  case_id      uuid,
  workflow     text not null,
  point        text not null,
  contract     text not null,
  data         bytea not null,               -- whole, as it came
  violations   bytea not null,               -- every one of them: canonical JSON
  state        quarantine_state not null,
  created_at   timestamptz not null,
  resolved_at  timestamptz,
  resolved_by  text
);
call protect('quarantine');
create index quarantine_held on quarantine (tenant, id) where state = 'held';
create index quarantine_by_case on quarantine (tenant, case_id);

-------------------------------------------------------------------------------------------------------- actions

create type action_state as enum
  ('intended', 'awaiting_approval', 'ready', 'dispatching', 'done', 'failed', 'in_doubt', 'undoing', 'undone', 'exception');

create table action (
  id              uuid primary key,
  tenant          uuid not null,
  case_id         uuid not null,
  decision_id     uuid,
  workflow        text not null,
  name            text not null,
  connector       text not null,
  domain          text not null,
  key             text not null,             -- the idempotency key that the outside system sees; the action's, for ever
  payload         bytea not null,
  exposure_minor  bigint,
  currency        text,
  state           action_state not null,
  fence           bigint not null,           -- the case's, under which it was last changed
  attempt         int not null default 0,
  not_before      timestamptz,               -- when the next attempt may be made
  valid_until     timestamptz,               -- of the decision that it rests on
  deadline        timestamptz not null,
  first_sent_at   timestamptz,
  sent_at         timestamptz,
  send_deadline   timestamptz,               -- when the request that is under way is dead on our side
  response        bytea,
  error           text,
  undo_of         uuid,
  created_at      timestamptz not null,
  ended_at        timestamptz,
  constraint action_exposure_has_a_currency check ((exposure_minor is null) = (currency is null)),
  constraint action_sent_has_a_deadline check (state <> 'dispatching' or send_deadline is not null)
) with (fillfactor = 70);
call protect('action');
create index action_by_case on action (tenant, case_id);
create index action_unfinished on action (tenant, id) where state in ('dispatching', 'in_doubt', 'exception', 'undoing');

create table attempt (
  action_id   uuid not null,
  tenant      uuid not null,
  number      int not null,
  worker      bigint not null,
  sent_at     timestamptz not null,
  ended_at    timestamptz,
  outcome     text,                          -- done, transient, permanent, in_doubt, found, absent, pending
  detail      text,
  constraint attempt_is_recorded_once primary key (action_id, number)
);
call protect('attempt');

--------------------------------------------------------------------------------------------------------- guards

create table guard_bucket (
  tenant    uuid not null,
  guard     text not null,                   -- 'receipts.pay.per_day'
  currency  text not null,                   -- '' for a rate
  slot      text not null,                   -- the local day, the case, or '' for a rate
  used      bigint not null,                 -- minor units reserved or spent; for a rate the GCRA time in microseconds
  constraint guard_bucket_is_one primary key (tenant, guard, currency, slot)
) with (fillfactor = 50);
call protect('guard_bucket');

create type reservation_state as enum ('reserved', 'settled', 'released');

create table reservation (
  action_id     uuid not null,
  tenant        uuid not null,
  guard         text not null,
  currency      text not null,
  slot          text not null,
  amount_minor  bigint not null,
  state         reservation_state not null,
  at            timestamptz not null,
  constraint reservation_is_one_an_action primary key (action_id, guard)
) with (fillfactor = 70);
call protect('reservation');

create table stop (
  id          uuid primary key,
  tenant      uuid not null,
  scope       text not null,                 -- 'everything', 'workflow:receipts', 'connector:payments', ...
  who         text not null,
  why         text not null,
  until       timestamptz,
  created_at  timestamptz not null,
  lifted_at   timestamptz,
  lifted_by   text,
  lifted_why  text
);
call protect('stop');
create index stop_in_force on stop (tenant, scope) where lifted_at is null;

--------------------------------------------------------------------------------------------------------- ledger

create table ledger_entry (
  id       uuid not null primary key,        -- also the id of the unit of work that wrote it
  tenant   uuid not null,
  xid      xid8 not null default pg_current_xact_id(),  -- the sequencer reads by it
  kind     text not null,                    -- 'case.received', 'decision.taken', 'action.done', ...
  subject  uuid not null,
  case_id  uuid,
  at       timestamptz not null,
  body     bytea not null                    -- canonical JSON
) partition by range (id);
call protect('ledger_entry', 'select, insert');
create index ledger_entry_by_case on ledger_entry (tenant, case_id, id);
create index ledger_entry_by_subject on ledger_entry (tenant, subject, id);

----------------------------------------------------------------------------------------------------- partitions

create function first_id(moment timestamptz) returns uuid
  language sql immutable parallel safe
  as $$ select (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid $$;

-- Makes the partitions of this month and of the next `ahead` ones, by CREATE and then ATTACH: CREATE ... PARTITION OF
-- would take a lock that stalls every writer behind one long reader. Row security does not pass on to partitions, so
-- it is forced on each; nobody has a right on them.
create function ensure_partitions(ahead int default 3) returns int
  language plpgsql security definer set search_path = interlock, pg_catalog set timezone = 'UTC' as $$
declare
  parent text;
  month timestamptz;
  part text;
  made int := 0;
begin
  perform pg_advisory_xact_lock(hashtext('interlock.ensure_partitions'));
  foreach parent in array array['decision', 'journal', 'ledger_entry'] loop
    for month in select generate_series(date_trunc('month', clock_timestamp() - interval '1 day'),
                                        date_trunc('month', clock_timestamp()) + make_interval(months => ahead),
                                        interval '1 month') loop
      part := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
      if to_regclass(part) is null then
        execute format('create table %I (like %I including defaults including constraints)', part, parent);
        execute format('alter table %I enable row level security', part);
        execute format('alter table %I force row level security', part);
        execute format('alter table %I attach partition %I for values from (%L) to (%L)',
                       parent, part, first_id(month), first_id(month + interval '1 month'));
        made := made + 1;
      end if;
    end loop;
  end loop;
  return made;
end $$;
alter function ensure_partitions(int) owner to interlock_owner;
revoke all on function ensure_partitions(int) from public;
grant execute on function ensure_partitions(int) to interlock_service;

-- How many whole months ahead of now every partitioned table has room for.
create function partitions_ahead() returns int
  language sql stable security definer set search_path = interlock, pg_catalog set timezone = 'UTC' as $$
  select coalesce(min(ahead), 0)::int from (
    select count(*) filter (where c.relname > p.relname || '_' || to_char(clock_timestamp(), 'YYYY_MM')) as ahead
    from unnest(array['decision', 'journal', 'ledger_entry']) as p (relname)
    left join pg_inherits i on i.inhparent = p.relname::regclass
    left join pg_class c on c.oid = i.inhrelid
    group by p.relname
  ) x
$$;
alter function partitions_ahead() owner to interlock_owner;
revoke all on function partitions_ahead() from public;
grant execute on function partitions_ahead() to interlock_service;

-------------------------------------------------------------------------------------------------------- finders
-- The only ways to look across tenants. Each gives ids and what is needed to go on under that tenant's name.

create function find_api_key(presented bytea) returns table (id uuid, tenant uuid, tenant_name text, name text, scopes text[])
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select k.id, k.tenant, t.name, k.name, k.scopes
  from api_key k join tenant t using (tenant)
  where k.digest = presented and k.revoked_at is null
$$;
grant select on api_key, tenant to interlock_finder;

create function find_tenant(wanted text) returns uuid
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select t.tenant from tenant t where t.name = wanted
$$;

create function ensure_tenant(wanted text, id uuid) returns uuid
  language sql security definer set search_path = interlock, pg_catalog as $$
  insert into tenant (tenant, name) values (id, wanted) on conflict (name) do nothing;
  select t.tenant from tenant t where t.name = wanted
$$;
grant insert on tenant to interlock_finder;

-- Takes up to `most` due cases for a worker, each with the next fence. Older ones first; SKIP LOCKED, so that
-- workers pass each other.
create function claim_cases(claimant bigint, carried uuid[], most int, serves uuid default null)
  returns table (id uuid, tenant uuid, workflow text, version text, code uuid, key text, input bytea, run int,
                 signals bigint, fence bigint, exposure_minor bigint, currency text, created_at timestamptz)
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
            c.exposure_minor, c.currency, c.created_at
$$;
grant select, update on cases to interlock_finder;

-- Gives back the cases of workers that are dead: the advisory lock of a killed one is free, the lease of a paused or
-- cut-off one is over. A free lock must be seen twice, a fifth of a second apart: after a restart of the server every
-- lock is free until its owner has connected again. The fence is raised when the next worker claims, and from then on
-- the old one can finish nothing. `suspects` counts those that the caller should look at again soon.
create function take_over_cases() returns table (worker bigint, cases bigint, suspects bigint)
  language plpgsql security definer set search_path = interlock, pg_catalog as $$
declare
  seen record;
begin
  for seen in
    select w.number, w.suspect_at, w.lease_until < clock_timestamp() as lapsed
    from worker w where w.ended_at is null
    order by w.number
    for no key update skip locked  -- another worker that looks at this moment sees for both
  loop
    if not seen.lapsed and not pg_try_advisory_xact_lock(1229999948, seen.number::int) then
      if seen.suspect_at is not null then
        update worker w set suspect_at = null where w.number = seen.number;
      end if;
      continue;
    end if;
    if not seen.lapsed and (seen.suspect_at is null or seen.suspect_at > clock_timestamp() - interval '200 ms') then
      update worker w set suspect_at = coalesce(w.suspect_at, clock_timestamp()) where w.number = seen.number;
      select seen.number, 0, 1 into worker, cases, suspects;
      return next;
      continue;
    end if;
    update worker w set ended_at = clock_timestamp() where w.number = seen.number;
    with held as (  -- in the one order in which cases are locked, so that no batch and no take-over wait in a circle
      select c.id from cases c where c.worker = seen.number and c.state = 'running'
      order by c.tenant, c.id for no key update
    ), given as (
      update cases c set state = 'ready', worker = null, wake_at = clock_timestamp(), changed_at = clock_timestamp()
      from held where c.id = held.id returning 1
    )
    select seen.number, count(*), 0 from given into worker, cases, suspects;
    return next;
  end loop;
end $$;
grant select, update on worker to interlock_finder;
grant usage on type case_state to interlock_finder;

-- Due cases whose code no living worker carries: they wait for a worker that has it.
create function stranded_cases() returns table (tenant uuid, workflow text, version text, code uuid, cases bigint)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select c.tenant, c.workflow, c.version, c.code, count(*)
  from cases c
  where c.state in ('ready', 'waiting')
    and not exists (select from worker w where w.ended_at is null and w.lease_until > clock_timestamp()
                    and c.code = any (w.code))
  group by 1, 2, 3, 4
$$;

do $$
declare
  finder text;
begin
  foreach finder in array array[
    'find_api_key(bytea)', 'find_tenant(text)', 'ensure_tenant(text, uuid)', 'claim_cases(bigint, uuid[], int, uuid)',
    'take_over_cases()', 'stranded_cases()'
  ] loop
    execute format('alter function interlock.%s owner to interlock_finder', finder);
    execute format('revoke all on function interlock.%s from public', finder);
    execute format('grant execute on function interlock.%s to interlock_service', finder);
  end loop;
end $$;

select ensure_partitions(3);

revoke create on schema interlock from interlock_finder;

-- A process that may only serve sees by itself whether the schema is the one that it needs.
grant select on public.interlock_migration to interlock_service;

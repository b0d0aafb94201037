-- Recall: what is done is taken back, too; what is taken back by one word is on record.
set local search_path = interlock, pg_catalog;

---------------------------------------------------------------------------------------------------------- cases

-- The workflows whose cases this worker can end, by whatever code they began: nothing of the code runs when a case ends.
alter table worker add column workflows text[] not null default '{}';

drop function claim_cases(bigint, uuid[], int, uuid);
create function claim_cases(claimant bigint, carried uuid[], most int, serves uuid default null, ends text[] default '{}')
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
    where d.state in ('ready', 'waiting') and d.wake_at <= statement_timestamp()
      and (d.code = any (carried) or (d.cancel_at is not null and d.workflow = any (ends)))
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

-- Due cases that no living worker can go on with: their code is carried by none, nor, where they only have to end, their workflow.
create or replace function stranded_cases() returns table (tenant uuid, workflow text, version text, code uuid, cases bigint)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select c.tenant, c.workflow, c.version, c.code, count(*)
  from cases c
  where c.state in ('ready', 'waiting')
    and not exists (select from worker w where w.ended_at is null and w.lease_until > clock_timestamp()
                    and (c.code = any (w.code) or (c.cancel_at is not null and c.workflow = any (w.workflows))))
  group by 1, 2, 3, 4
$$;

grant create on schema interlock to interlock_finder;
alter function claim_cases(bigint, uuid[], int, uuid, text[]) owner to interlock_finder;
revoke create on schema interlock from interlock_finder;
revoke all on function claim_cases(bigint, uuid[], int, uuid, text[]) from public;
grant execute on function claim_cases(bigint, uuid[], int, uuid, text[]) to interlock_service;

-- A case that the ledger says is done may have been recalled since: the ledger says that, too.
do $$
declare
  compared constant text := pg_get_functiondef('interlock.ledger_gaps(uuid, uuid, int, boolean)'::regprocedure);
  mended constant text := replace(compared,
    $was$when 'case.done' then exists (select from cases x where x.id = e.subject and x.state = 'done')$was$,
    $now$when 'case.done' then exists (select from cases x where x.id = e.subject and x.state = 'done')
            or exists (select from ledger_entry w where w.subject = e.subject and w.tenant = e.tenant and w.kind = 'case.cancel_wanted')$now$);
begin
  if mended = compared then
    raise exception 'ledger_gaps does not compare case.done as this migration expects';
  end if;
  execute mended;
end $$;

-------------------------------------------------------------------------------------------------------- recalls

create type recall_state as enum ('planned', 'running', 'open', 'done');
create type recall_member_state as enum ('found', 'wanted', 'ended', 'anew', 'left');

create table recall (
  id          uuid primary key,
  tenant      uuid not null,
  selector    bytea not null,             -- what was wrong: canonical JSON
  who         text not null,
  why         text not null,
  state       recall_state not null,
  stop        boolean not null,
  restore     boolean not null,
  anew        boolean not null,
  stopped     uuid,                       -- the stop that it made
  wrong       text,                       -- the version in force that was wrong, and
  target      text,                       -- the one that comes back: both on record before the line is reverted
  restored    text,                       -- what counts again, in words; '': nothing
  names       bytea not null,             -- the names on record that it means: canonical JSON
  strand      int not null,               -- how many of these are gathered, one after the other
  after       uuid not null,              -- how far the one at work is gathered
  beyond      uuid,                       -- where gathering ends
  gathered    boolean not null,
  decisions   bigint not null,
  within      xid8,                       -- transactions before this one were open when all was gathered: they may hold more of it
  combed      boolean not null default false,  -- whether these are over, and it is looked for what they held
  decided     uuid not null default '00000000-0000-0000-0000-000000000000',  -- how far its members are decided anew, in this round
  held_until  timestamptz not null,       -- the process at work on it renews this; others leave it alone until then
  created_at  timestamptz not null,
  changed_at  timestamptz not null,
  ended_at    timestamptz,
  constraint recall_ended_says_when check ((state = 'done') <= (ended_at is not null))
);
call protect('recall');
create index recall_listed on recall (tenant, id);
create index recall_under_way on recall (id) where state in ('running', 'open') or (state = 'planned' and not gathered);

-- The cases that rest on what is recalled, and the decisions that belong to no case.
create table recall_member (
  recall      uuid not null,
  member      uuid not null,
  tenant      uuid not null,
  is_case     boolean not null,
  pending     boolean not null,           -- whether it had not ended when it was found: it is stopped first
  state       recall_member_state not null,
  anew        uuid,                       -- what took its place
  why         text not null,
  primary key (recall, member)
);
call protect('recall_member');
-- An enumeration's comparison is not leakproof and so in no index condition, but a predicate is compared while planning.
create index recall_member_found on recall_member (recall, pending, member) where state = 'found';
create index recall_member_decision on recall_member (member) where not is_case;
create index recall_member_wanted on recall_member (recall, member) where state = 'wanted';
create index recall_member_ended on recall_member (recall, member) where state = 'ended';

-- Recalls are held against the ledger, as everything is that takes money back.
do $$
declare
  compared constant text := pg_get_functiondef('interlock.ledger_gaps(uuid, uuid, int, boolean)'::regprocedure);
  mended constant text := replace(replace(replace(compared,
    $was$    select e.tenant, r.relation, e.subject, e.kind, case when r.is_there$was$,
    $now$    select x.tenant, 'recall', x.id, k.kind, 'entry' from recall x
    cross join lateral (values (case when x.state = 'planned' then 'recall.planned' else 'recall.started' end),
                               (case when x.state in ('open', 'done') then 'recall.ended' end)) as k (kind)
    where x.id >= least_id and x.id < $2 and k.kind is not null
      and not exists (select from ledger_entry e where e.subject = x.id and e.tenant = x.tenant and e.kind = k.kind and e.id >= near offset 0)
    union all
    select e.tenant, r.relation, e.subject, e.kind, case when r.is_there$now$),
    $was$when k.noun = 'escalation' then exists$was$,
    $now$when k.noun = 'recall' then exists (select from recall x where x.id = e.subject and x.tenant = e.tenant)
          when k.noun = 'escalation' then exists$now$),
    $was$when 'key.revoked' then exists$was$,
    $now$when 'recall.started' then exists (select from recall x where x.id = e.subject and x.state <> 'planned')
          when 'recall.ended' then exists (select from recall x where x.id = e.subject and x.state in ('open', 'done'))
          when 'key.revoked' then exists$now$);
begin
  if mended not like '%''recall.planned''%' or mended not like '%k.noun = ''recall''%' or mended not like '%when ''recall.ended''%' then
    raise exception 'ledger_gaps does not compare escalations and keys as this migration expects';
  end if;
  execute mended;
end $$;

-- What is to be carried out, in every tenant; what ended with questions open is looked at again now and then.
create function recalls_under_way() returns table (tenant uuid, id uuid, state recall_state)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select r.tenant, r.id, r.state from recall r
  where r.state in ('running', 'open') or (r.state = 'planned' and not r.gathered) order by r.id
$$;
grant select on recall to interlock_finder;
grant usage on type recall_state to interlock_finder, interlock_service;
grant usage on type recall_member_state to interlock_service;
grant create on schema interlock to interlock_finder;
alter function recalls_under_way() owner to interlock_finder;
revoke create on schema interlock from interlock_finder;
revoke all on function recalls_under_way() from public;
grant execute on function recalls_under_way() to interlock_service;

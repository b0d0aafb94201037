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

-- What the reconciliation's close needs, and the step at which workflow code asks for a person.
set local search_path = interlock, pg_catalog;

alter type step_kind add value 'ask';

-- A close: what one account came to on a day, as a person signed it off. Its report is never changed; a close that is done
-- again stays, as one that was reopened.
create type recon_close_state as enum ('closed', 'reopened');
create type recon_closed_state as enum ('open', 'matched', 'written_off', 'accepted', 'gone');

create table recon_close (
  id              uuid primary key,
  tenant          uuid not null,
  reconciliation  text not null,
  account         text not null,
  first_day       date,                 -- the day after the close before it; null: it is the first
  until           date not null,
  report          bytea not null,       -- canonical JSON
  digest          bytea not null constraint recon_close_digest_is_sha256 check (octet_length(digest) = 32),
  follows         uuid,                 -- the close before it
  why             text not null,
  signed_by       text not null,
  closed_at       timestamptz not null,
  state           recon_close_state not null,
  reopened_by     text,
  reopened_at     timestamptz,
  reopened_why    text,
  constraint recon_close_is_reopened_by_somebody
    check ((state = 'reopened') = (reopened_by is not null and reopened_at is not null and reopened_why is not null)),
  constraint recon_close_ends_after_it_begins check (first_day is null or first_day <= until)
);
create unique index recon_close_is_one on recon_close (tenant, reconciliation, account, until) where state = 'closed';
create index recon_close_by_account on recon_close (tenant, reconciliation, account, until);
call protect('recon_close');

-- Where an entry stood at a close, if that is not where it stood at the one before: so each close keeps what it changed.
create table recon_closed_entry (
  close   uuid not null,
  entry   uuid not null,
  tenant  uuid not null,
  state   recon_closed_state not null,
  primary key (close, entry)
);
create index recon_closed_entry_by_entry on recon_closed_entry (entry);
call protect('recon_closed_entry', 'select, insert');

-- Where each entry of an account stands on a day, and where it stood at the last close before that day. A match counts
-- once its last entry is booked: what is paid after the day is open on it. One that holds an entry which is not in force any
-- more settles nothing: the next round takes it back.
create function recon_standing(named text, of_account text, first_day date, until date)
  returns table (entry uuid, side text, currency text, minor bigint, was text, now_is text, earlier boolean, why text, age text)
  language sql stable as $$
  with held as (
    select r.entry, m.state, max(e.booked_on) over (partition by m.id) as last_day,
           bool_and(exists (
             select from interlock.recon_line l
             join interlock.recon_statement s on s.id = l.statement and s.state = 'in_force' where l.entry = e.id)
           ) over (partition by m.id) as whole
    from interlock.recon_match m
    join interlock.recon_member r on r.match = m.id and r.alive
    join interlock.recon_entry e on e.id = r.entry
    where m.reconciliation = named and m.alive
  ), before as (
    select distinct on (x.entry) x.entry, x.state
    from interlock.recon_closed_entry x join interlock.recon_close c on c.id = x.close
    where c.reconciliation = named and c.account = of_account and c.state = 'closed' and c.until < recon_standing.until
    order by x.entry, c.until desc
  ), standing as (
    select e.id, e.side, e.currency, e.minor, e.booked_on, e.value_on,
           case when b.state <> 'gone' then b.state::text else 'absent' end as was,
           case when e.booked_on > recon_standing.until or not exists (
                     select from interlock.recon_line l
                     join interlock.recon_statement s on s.id = l.statement and s.state = 'in_force' where l.entry = e.id)
                  then 'gone'
                when h.state = 'booked' and h.whole and h.last_day <= recon_standing.until then 'matched'
                when k.state in ('written_off', 'accepted') then k.state::text
                else 'open' end as now_is,
           case when not h.whole then 'match-withdrawing'
                when h.state = 'booked' then 'matched-later'
                when h.state is not null then 'match-' || h.state
                else coalesce(k.cause, 'waiting') end as why
    from interlock.recon_entry e
    left join before b on b.entry = e.id
    left join held h on h.entry = e.id
    left join interlock.recon_break k on k.entry = e.id and k.state <> 'withdrawn'
    where e.reconciliation = named and e.account = of_account and (e.booked_on <= recon_standing.until or b.entry is not null)
  )
  select s.id, s.side, s.currency, s.minor, coalesce(s.was, 'absent'), s.now_is,
         coalesce(s.booked_on < recon_standing.first_day, false),
         case when s.now_is = 'open' then s.why else '' end,
         case when s.now_is <> 'open' then ''
              when recon_standing.until - s.value_on <= 7 then 'up to 7 days'
              when recon_standing.until - s.value_on <= 30 then '8 to 30 days'
              when recon_standing.until - s.value_on <= 90 then '31 to 90 days'
              else 'over 90 days' end
  from standing s
  where s.now_is <> 'gone' or coalesce(s.was, 'absent') <> 'absent'
$$;

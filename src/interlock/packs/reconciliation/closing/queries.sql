-- What an account came to, and its closes.

-- name: flows
-- How much went from where it stood at the last close to where it stands: the whole report but its statements is in it.
select side, currency, was, now_is, earlier, why, age, count(*) as entries, sum(minor) as minor
from recon_standing(%(reconciliation)s, %(account)s, %(first_day)s, %(until)s)
group by 1, 2, 3, 4, 5, 6, 7 order by 1, 2, 3, 4, 5, 6, 7

-- name: totals
-- What is in force up to the day, and how much of it is settled, without a look at any close: the witness of the flows.
with mine as (
  select e.id, e.side, e.currency, e.minor from recon_entry e
  where e.reconciliation = %(reconciliation)s and e.account = %(account)s and e.booked_on <= %(until)s
    and exists (select from recon_line l join recon_statement s on s.id = l.statement and s.state = 'in_force' where l.entry = e.id)
), settled as (
  select r.entry from recon_member r join recon_match m on m.id = r.match
  where m.reconciliation = %(reconciliation)s and m.state = 'booked' and r.alive
    and not exists (select from recon_member o join recon_entry e on e.id = o.entry
                    where o.match = m.id and o.alive
                      and (e.booked_on > %(until)s or not exists (
                        select from recon_line l join recon_statement s on s.id = l.statement and s.state = 'in_force'
                        where l.entry = e.id)))
  union all
  select b.entry from recon_break b where b.reconciliation = %(reconciliation)s and b.state in ('written_off', 'accepted')
)
select m.side, m.currency, count(*) as entries, sum(m.minor) as minor, count(s.entry) as settled_entries,
       coalesce(sum(m.minor) filter (where s.entry is not null), 0) as settled_minor
from mine m left join (select distinct entry from settled) s on s.entry = m.id group by 1, 2 order by 1, 2

-- name: differences
-- What all matches that settle entries of the account differ by, as it is booked: what of it as fees; and, to hold their
-- entries against it, what of these stands on other accounts.
with mine as (
  select distinct r.match as id
  from recon_standing(%(reconciliation)s, %(account)s, %(first_day)s, %(until)s) t
  join recon_member r on r.entry = t.entry and r.alive
  where t.now_is = 'matched')
select m.currency, count(*) as matches, sum(m.actual_minor::numeric - m.expected_minor) as minor,
       coalesce(sum(m.actual_minor::numeric - m.expected_minor) filter (where m.explained = 'fee'), 0) as fees,
       sum((select coalesce(sum(case when e.side = 'actual' then e.minor else -e.minor end), 0)
            from recon_member r join recon_entry e on e.id = r.entry
            where r.match = m.id and r.alive and e.account <> %(account)s)) as elsewhere
from mine n join recon_match m on m.id = n.id
group by 1 order by 1

-- name: stated
-- The statements of the account that end in the period, with what their entries come to.
select s.id, s.side, s.currency, s.number, s.first_day, s.last_day, s.opening_minor, s.closing_minor, s.entries,
       s.credit_sum - s.debit_sum as minor, s.broken
from recon_statement s
where s.reconciliation = %(reconciliation)s and s.account = %(account)s and s.state = 'in_force'
  and coalesce(s.last_day, s.first_day) <= %(until)s
  and (%(first_day)s::date is null or coalesce(s.last_day, s.first_day) >= %(first_day)s)
order by s.side, s.currency, coalesce(s.first_day, s.last_day), s.last_day, s.number, s.id

-- name: unready
-- What of the period is not done.
select 'statement' as kind, s.id, s.currency, null::numeric as minor,
       'statement ' || coalesce(nullif(s.number, ''), s.id::text) || ' is held back: ' || s.why as what
from recon_statement s
where s.reconciliation = %(reconciliation)s and s.account = %(account)s and s.state = 'held'
  and coalesce(s.first_day, s.last_day, %(until)s) <= %(until)s
union all
select 'broken', q.id, s.currency, null, 'line ' || b.line || ' of statement ' || coalesce(nullif(s.number, ''), s.id::text) || ' is broken'
from recon_broken b
join recon_statement s on s.id = b.statement and s.state in ('in_force', 'held')
join quarantine q on q.id = b.quarantine and q.state = 'held'
where s.reconciliation = %(reconciliation)s and s.account = %(account)s and coalesce(s.first_day, s.last_day, %(until)s) <= %(until)s
union all
select 'match', m.id, m.currency, greatest(abs(m.expected_minor::numeric), abs(m.actual_minor::numeric)),
       'the match ' || m.key || ' is ' || m.state
from recon_match m
where m.reconciliation = %(reconciliation)s and m.state in ('asked', 'withdrawing')
  and exists (select from recon_member r join recon_entry e on e.id = r.entry
              where r.match = m.id and r.alive and e.account = %(account)s and e.booked_on <= %(until)s)
union all
select 'break', b.id, e.currency, abs(e.minor::numeric),
       'the break of the entry of ' || e.value_on || ' (' || b.cause || ') is ' || b.state
from recon_break b join recon_entry e on e.id = b.entry
where b.reconciliation = %(reconciliation)s and b.state in ('open', 'withdrawing') and e.account = %(account)s
  and e.booked_on <= %(until)s
order by kind, id

-- name: posted
-- What should stand on each account of the books by what is booked and written off; where each stands is read from its case,
-- which a row may be behind.
with booked as (
  select m.currency, m.expected_minor::numeric as expected, m.actual_minor::numeric as actual, m.explained
  from recon_match m join cases c on c.id = m.case_id
  where m.reconciliation = %(reconciliation)s and m.alive and c.state = 'done' and c.cancel_at is null
    and c.conclusion is distinct from 'rejected'
), written_off as (
  select e.side, e.currency, e.minor::numeric as minor
  from recon_break b join cases c on c.id = b.case_id join recon_entry e on e.id = b.entry
  where b.reconciliation = %(reconciliation)s and b.alive and c.state = 'done' and c.cancel_at is null
    and c.conclusion = 'written_off')
select kind, currency, sum(minor) as minor from (
  select 'clearing_expected' as kind, currency, -expected as minor from booked
  union all select 'clearing_actual', currency, actual from booked
  union all select case when explained = 'fee' then 'fees' else 'differences' end, currency, expected - actual from booked
  union all select 'clearing_' || side, currency, case when side = 'expected' then -minor else minor end from written_off
  union all select 'write_offs', currency, case when side = 'expected' then minor else -minor end from written_off) lines
group by 1, 2 order by 1, 2

-- name: on_their_way
-- How many matches and breaks are being booked or taken back now: what each did may stand on one side alone.
select count(*) from cases c
where c.state not in ('done', 'cancelled') and (c.cancel_at is not null or c.id in (
    select m.case_id from recon_match m where m.reconciliation = %(reconciliation)s and m.alive)
    and not exists (select from review v where v.tenant = c.tenant and v.case_id = c.id and v.state in ('open', 'claimed')))
  and c.id in (
    select m.case_id from recon_match m where m.reconciliation = %(reconciliation)s and m.alive
    union all select b.case_id from recon_break b where b.reconciliation = %(reconciliation)s and b.alive)

-- name: last_round
-- The last round that came to its end.
select id, rested_on, figures from recon_round
where reconciliation = %(reconciliation)s and ended_at is not null order by id desc limit 1

-- name: last_close
-- The close in force before a day.
select id, reconciliation, account, first_day, until, report, digest, follows, why, signed_by, closed_at, state::text as state, reopened_by,
       reopened_at, reopened_why
from recon_close
where reconciliation = %(reconciliation)s and account = %(account)s and state = 'closed' and until < %(until)s
order by until desc limit 1

-- name: closes_from
-- The closes in force that end on a day or later.
select id, reconciliation, account, first_day, until, report, digest, follows, why, signed_by, closed_at, state::text as state, reopened_by,
       reopened_at, reopened_why
from recon_close
where reconciliation = %(reconciliation)s and account = %(account)s and state = 'closed' and until >= %(until)s
order by until

-- name: list_closes
select id, reconciliation, account, first_day, until, report, digest, follows, why, signed_by, closed_at, state::text as state, reopened_by,
       reopened_at, reopened_why
from recon_close
where reconciliation = %(reconciliation)s and (%(account)s::text is null or account = %(account)s)
order by account, until, closed_at limit %(most)s

-- name: known_accounts
select distinct account from recon_statement where reconciliation = %(reconciliation)s order by account limit 1000

-- name: reopen_close
update recon_close set state = 'reopened', reopened_by = %(who)s, reopened_at = %(now)s, reopened_why = %(why)s
where id = %(id)s and state = 'closed'

-- name: add_close
insert into recon_close (id, tenant, reconciliation, account, first_day, until, report, digest, follows, why, signed_by, closed_at,
  state)
values (%(id)s, interlock.current_tenant(), %(reconciliation)s, %(account)s, %(first_day)s, %(until)s, %(report)s, %(digest)s,
  %(follows)s, %(why)s, %(who)s, %(now)s, 'closed')

-- name: add_closed_entries
insert into recon_closed_entry (close, entry, tenant, state)
select %(close)s, entry, interlock.current_tenant(), now_is::recon_closed_state
from recon_standing(%(reconciliation)s, %(account)s, %(first_day)s, %(until)s)
where was <> now_is

-- Breaks: entries that no match takes, and the cases that follow them.

-- name: add_breaks
insert into recon_break (id, tenant, reconciliation, round, entry, key, facts, cause, case_id, state, why, opened_at, changed_at)
select id, tenant, reconciliation, round, entry, key, facts, cause, case_id, 'open'::recon_break_state, '', at, at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, reconciliation text, round uuid, entry uuid, key text,
  facts uuid, cause text, case_id uuid, at timestamptz)

-- name: withdraw_breaks
update recon_break b set state = 'withdrawing', why = r.why, changed_at = r.at
from json_to_recordset(%(rows)s::json) as r (id uuid, why text, at timestamptz)
where b.id = r.id and b.state in ('open', 'written_off', 'accepted')

-- name: project_breaks
-- Where each break that is alive stands now, by its case; how many changed. One that is over gives its entry free: only
-- here, so never before the undo of what it wrote off is on record.
with seen as (
  select b.id,
         case when c.state = 'cancelled' then 'withdrawn'
              when c.cancel_at is not null then 'withdrawing'
              when c.state = 'done' and c.conclusion = 'written_off' then 'written_off'
              when c.state = 'done' then 'accepted'
              else 'open' end::recon_break_state as state
  from recon_break b join cases c on c.id = b.case_id
  where b.reconciliation = %(reconciliation)s and b.alive
), changed as (
  update recon_break b set state = s.state, changed_at = %(now)s
  from seen s
  where b.id = s.id and b.state <> s.state and not (b.state = 'withdrawing' and s.state <> 'withdrawn')
  returning b.id)
select count(*) from changed

-- name: standing_breaks
-- Every break that is alive; read as columns.
select id, entry, facts, state::text as state, case_id
from recon_break where reconciliation = %(reconciliation)s and alive order by entry

-- name: earlier_breaks
-- How often the same was known of the same entry before; read as columns.
select facts, count(*) as turns
from recon_break where reconciliation = %(reconciliation)s and not alive group by facts order by facts

-- name: late_entries
-- Entries for which the other side is late by the calendar, whatever its statements cover; read as columns. They count from two
-- days after they came in: a history that is being taken in is one-sided for a while, and no break by that.
select id from recon_entry
where reconciliation = %(reconciliation)s and value_on < %(today)s::date - %(days)s::int
  and (received_at at time zone 'UTC')::date < %(today)s::date - 1

-- name: list_open
-- Every entry in force that neither a booked match nor a person has settled, the oldest first.
with counting as materialized (
  select distinct l.entry from recon_statement s join recon_line l on l.statement = s.id
  where s.reconciliation = %(reconciliation)s and s.state = 'in_force')
select e.id as entry, e.side, e.account, e.currency, e.minor, e.value_on, e.counterparty, e.reference,
  case when m.id is not null then 'match-' || m.state else coalesce(b.cause, 'waiting') end as why,
  (select max(coalesce(s.last_day, s.first_day)) from recon_statement s
   where s.reconciliation = e.reconciliation and s.side <> e.side and s.currency = e.currency and s.state = 'in_force') as known_until
from counting c join recon_entry e on e.id = c.entry
left join recon_member r on r.entry = e.id and r.alive
left join recon_match m on m.id = r.match
left join recon_break b on b.entry = e.id and b.alive
where (m.id is null or m.state <> 'booked') and (b.id is null or b.state not in ('written_off', 'accepted'))
  and (%(account)s::text is null or e.account = %(account)s)
order by e.value_on, e.id limit %(most)s

-- name: count_breaks
-- Of those that list_breaks lists, and of those beyond its limit.
select b.state::text as state, b.cause, e.currency, count(*) as breaks, sum(abs(e.minor))::numeric as minor, min(e.value_on) as oldest
from recon_break b
join recon_entry e on e.id = b.entry
join cases c on c.id = b.case_id
where b.reconciliation = %(reconciliation)s
  and (%(state)s::text is null and b.alive or b.state::text = %(state)s)
  and (%(cause)s::text is null or b.cause = %(cause)s)
  and (%(account)s::text is null or e.account = %(account)s)
  and (not %(due)s::boolean or b.state = 'open' and (
    exists (select from exception x where x.case_id = b.case_id and x.state = 'open')
    or exists (select from journal j where j.case_id = b.case_id and j.run = c.run and j.kind = 'step' and j.name = 'reminder'
      and j.state = 'done')))
group by 1, 2, 3 order by 1, 2, 3

-- name: list_breaks
-- The oldest first. Due: somebody was reminded of it, or it is an exception.
select b.id, b.entry, b.key, b.cause, b.state::text as state, b.case_id, b.why, b.opened_at, e.side, e.account, e.currency, e.minor, e.value_on,
       e.counterparty, e.reference, c.state::text as case_state, coalesce(c.waiting_for, '') as waiting_for, c.wake_at,
       r.finished_at as reminded_at, x.id as exception
from recon_break b
join recon_entry e on e.id = b.entry
join cases c on c.id = b.case_id
left join lateral (
  select finished_at from journal j
  where j.case_id = b.case_id and j.run = c.run and j.kind = 'step' and j.name = 'reminder' and j.state = 'done' limit 1
) r on true
left join lateral (
  select id from exception x where x.case_id = b.case_id and x.state = 'open' limit 1
) x on true
where b.reconciliation = %(reconciliation)s
  and (%(state)s::text is null and b.alive or b.state::text = %(state)s)
  and (%(cause)s::text is null or b.cause = %(cause)s)
  and (%(account)s::text is null or e.account = %(account)s)
  and (not %(due)s::boolean or b.state = 'open' and (x.id is not null or r.finished_at is not null))
order by e.value_on, b.id limit %(most)s

-- name: take_turn
-- One round of a reconciliation at a time: held by the session, so it ends with the process.
select pg_try_advisory_lock(1229999952, hashtext(%(tenant)s || '/' || %(reconciliation)s))

-- name: end_turn
select pg_advisory_unlock(1229999952, hashtext(%(tenant)s || '/' || %(reconciliation)s))

-- name: add_round
insert into recon_round (id, tenant, reconciliation, began_at, scorer, scorer_digest, terms, figures)
values (%(id)s, interlock.current_tenant(), %(reconciliation)s, %(began_at)s, %(scorer)s, %(scorer_digest)s, %(terms)s, %(figures)s)

-- name: end_rounds
update recon_round r set ended_at = s.at, figures = decode(s.figures, 'base64'), rested_on = s.rested_on
from json_to_recordset(%(rows)s::json) as s (id uuid, at timestamptz, figures text, rested_on text)
where r.id = s.id

-- name: last_rounds
select id, reconciliation, began_at, ended_at, scorer, figures from recon_round
where reconciliation = %(reconciliation)s order by id desc limit %(most)s

-- name: add_matches
insert into recon_match (id, tenant, reconciliation, round, key, members, form, currency, expected_minor, actual_minor, explained,
  probability, margin, sure, decision, case_id, state, word, by_person, why, proposed_at, changed_at)
select id, tenant, reconciliation, round, key, members, form, currency, expected_minor, actual_minor, explained,
  probability, margin, sure, decision, case_id, state, '', '', why, at, at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, reconciliation text, round uuid, key text, members uuid,
  form text, currency text, expected_minor bigint, actual_minor bigint, explained text, probability double precision,
  margin double precision, sure boolean, decision uuid, case_id uuid, state recon_match_state,
  why text, at timestamptz)

-- name: add_members
insert into recon_member (match, entry, tenant, alive)
select match, entry, tenant, alive
from json_to_recordset(%(rows)s::json) as r (match uuid, entry uuid, tenant uuid, alive boolean)

-- name: withdraw_matches
update recon_match m set state = 'withdrawing', why = r.why, changed_at = r.at
from json_to_recordset(%(rows)s::json) as r (id uuid, why text, at timestamptz)
where m.id = r.id and m.state in ('asked', 'booked')

-- name: say_of_matches
-- A person's word on matches; the first statement that writes a word is not undone by what a review says.
update recon_match m set word = r.word, by_person = r.who, why = r.why, changed_at = r.at
from json_to_recordset(%(rows)s::json) as r (id uuid, word text, who text, why text, at timestamptz)
where m.id = r.id

-- name: project_matches
-- Where each match that is alive stands now, by its case and by what a person answered; how many changed. A match
-- that is over gives its entries free: only here, so never before the undo of its booking is on record.
with seen as (
  select m.id,
         (case when c.state = 'cancelled' then 'withdrawn'
               when c.cancel_at is not null then 'withdrawing'
               when c.state = 'done' and c.conclusion = 'rejected' then 'refused'
               when c.state = 'done' then 'booked'
               else 'asked' end)::recon_match_state as state,
         case when m.word <> '' then m.word
              when r.resolution in ('approve', 'change') then 'yes'
              when r.resolution = 'reject' and c.state in ('done', 'cancelled') then 'no'
              else '' end as word,
         coalesce(r.resolved_by, '') as resolved_by, coalesce(r.note, '') as note
  from recon_match m
  join cases c on c.id = m.case_id
  left join lateral (
    select resolution, resolved_by, note from review
    where tenant = m.tenant and case_id = m.case_id and state = 'resolved' order by id desc limit 1
  ) r on m.word = '' and m.state in ('asked', 'withdrawing')
  where m.reconciliation = %(reconciliation)s and m.alive
), changed as (
  update recon_match m set state = s.state, word = s.word, changed_at = %(now)s,
    by_person = case when m.word = s.word then m.by_person else s.resolved_by end,
    why = case when m.word = s.word then m.why else s.note end
  from seen s
  where m.id = s.id and (m.state <> s.state or m.word <> s.word)
    and not (m.state = 'withdrawing' and s.state in ('asked', 'booked'))
  returning m.id, m.state
), freed as (
  update recon_member e set alive = false from changed c
  where e.match = c.id and e.alive and c.state in ('refused', 'withdrawn')
  returning 1
)
select count(*) from changed

-- name: standing_matches
-- Every match that is alive; read as columns.
select id, members, sure, state::text as state, word, case_id, key, currency, expected_minor, actual_minor
from recon_match where reconciliation = %(reconciliation)s and alive order by members

-- name: standing_members
-- The members of matches that are alive; read as columns.
select e.match, e.entry
from recon_member e join recon_match m on m.id = e.match
where m.reconciliation = %(reconciliation)s and m.alive and e.alive order by e.entry

-- name: words
-- What people said: the entries of the matches that were confirmed, and of those that were refused; read as columns, the
-- newest first. A yes counts until somebody takes it back: what a round took back, since an entry was out of force for a
-- while, is confirmed still. And matches of several that stand, which no bound of a solver's search passes over.
select e.match, r.identity as entry, r.side,
       case when m.word = 'yes' then 'yes' when m.word = 'no' or m.state = 'refused' then 'no' else 'stands' end as word
from recon_match m join recon_member e on e.match = m.id join recon_entry r on r.id = e.entry
left join cases c on c.id = m.case_id
where m.reconciliation = %(reconciliation)s
  and (m.word = 'no' or m.state = 'refused'
    or (m.word = '' and m.alive and m.form <> '1:1' and m.state in ('asked', 'booked'))
    or (m.word = 'yes' and (m.state in ('asked', 'booked') or c.cancel_by = 'interlock reconcile')))
order by e.match desc, r.identity

-- name: earlier_turns
-- How often the same entries were proposed together before; read as columns.
select members, count(*) as turns
from recon_match where reconciliation = %(reconciliation)s group by members order by members

-- name: count_matches
select state::text as state, currency, count(*) as matches,
       sum(greatest(abs(expected_minor), abs(actual_minor))) as minor
from recon_match where reconciliation = %(reconciliation)s group by state, currency order by state, currency

-- name: list_matches
select id, round, key, form, currency, expected_minor, actual_minor, probability, margin, sure, decision, case_id,
       state::text as state, word, by_person, why, proposed_at, changed_at, reconciliation
from recon_match
where reconciliation = %(reconciliation)s and (%(state)s::recon_match_state is null or state = %(state)s)
  and (%(before)s::uuid is null or id < %(before)s)
order by id desc limit %(most)s

-- name: find_match
select id, round, key, form, currency, expected_minor, actual_minor, probability, margin, sure, decision, case_id,
       state::text as state, word, by_person, why, proposed_at, changed_at, reconciliation
from recon_match where id = %(id)s

-- name: members_of_match
select e.entry, r.side, r.account, r.currency, r.minor, r.booked_on, r.value_on, r.memo, r.counterparty, r.reference
from recon_member e join recon_entry r on r.id = e.entry
where e.match = %(match)s order by r.side desc, r.booked_on, e.entry

-- name: news
-- What a round rests on, in one text: it is the same while no statement and no word of a person has changed. Sums of the
-- digests of all rows, since a newest time would not show what is stamped by a clock that is behind.
select concat_ws(' ',
  (select count(*) || '/' || coalesce(sum(hashtextextended(concat_ws(' ', id, state, extract(epoch from changed_at)), 0)), 0)
   from recon_statement where reconciliation = %(reconciliation)s),
  (select count(*) || '/' || coalesce(sum(hashtextextended(
     concat_ws(' ', id, word, state = 'refused', word = 'yes' and state in ('asked', 'booked')), 0)), 0)
   from recon_match where reconciliation = %(reconciliation)s and (word <> '' or state = 'refused')))

-- name: moves
-- Whether cases have moved on since their rows were brought up to them: 'free' where entries may be free by that, so that
-- there is work for a round; 'states' where only the rows are behind; else nothing.
select case
  when exists (
    select from recon_match m join cases c on c.id = m.case_id
    where m.reconciliation = %(reconciliation)s and m.alive
      and (c.state = 'cancelled' or (c.cancel_at is not null and m.state <> 'withdrawing')
        or (m.state = 'asked' and c.state = 'done' and c.conclusion = 'rejected')))
    or exists (
    select from recon_break b join cases c on c.id = b.case_id
    where b.reconciliation = %(reconciliation)s and b.alive and c.state = 'cancelled') then 'free'
  when exists (
    select from recon_match m join cases c on c.id = m.case_id
    where m.reconciliation = %(reconciliation)s and m.state = 'asked' and c.state = 'done')
    or exists (
    select from recon_break b join cases c on c.id = b.case_id
    where b.reconciliation = %(reconciliation)s and b.state = 'open' and c.state = 'done') then 'states'
  else '' end

-- name: rest_on_statement
-- What is alive and rests on entries that count by this statement alone, or counted so before it was recalled: matches, and
-- breaks. Where each stands is read from its case, which a row may be behind. What it corrects would count again.
with falls as materialized (
  select distinct l.entry from recon_line l
  where l.statement = %(statement)s and not exists (
    select from recon_line o join recon_statement s on s.id = o.statement
    where o.entry = l.entry and o.statement <> l.statement and (s.state = 'in_force' or s.corrected_by = l.statement))),
resting as (
  select 'match' as kind, m.id, m.case_id, m.currency, greatest(abs(m.expected_minor), abs(m.actual_minor)) as minor,
    'booked' as settled
  from recon_match m
  where m.alive and m.id in (select e.match from recon_member e join falls f on f.entry = e.entry where e.alive)
  union all
  select 'break', b.id, b.case_id, e.currency, abs(e.minor), 'accepted'
  from falls f join recon_break b on b.entry = f.entry and b.state <> 'withdrawn' join recon_entry e on e.id = b.entry)
select r.kind, r.id, r.case_id, r.currency, r.minor,
  case when c.state = 'cancelled' then 'withdrawn' when c.cancel_at is not null then 'withdrawing'
    when c.state = 'done' and c.conclusion = 'written_off' then 'written_off'
    when c.state = 'done' and c.conclusion = 'rejected' then 'refused'
    when c.state = 'done' then r.settled else 'pending' end as state
from resting r join cases c on c.id = r.case_id
order by r.kind desc, r.minor desc, r.id

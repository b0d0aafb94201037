-- name: add_recalls
insert into recall (id, tenant, selector, who, why, state, stop, restore, anew, names, strand, after, beyond, gathered, decisions,
  held_until, created_at, changed_at)
select id, tenant, decode(selector, 'base64'), who, why, state, stop, restore, anew, decode(names, 'base64'), 0, first, null, false, 0,
       created_at, created_at, created_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, selector text, who text, why text, state recall_state, stop boolean,
  restore boolean, anew boolean, names text, first uuid, created_at timestamptz)

-- name: start_recalls
-- What was planned is looked for again from the beginning: there may be more of it by now.
update recall c
set state = 'running', who = r.who, why = r.why, stop = r.stop, restore = r.restore, anew = r.anew, strand = 0, after = r.first,
    beyond = null, gathered = false, decisions = 0, changed_at = r.at
from json_to_recordset(%(rows)s::json) as r (id uuid, who text, why text, stop boolean, restore boolean, anew boolean, first uuid,
  at timestamptz)
where c.id = r.id and c.state = 'planned'

-- name: end_recalls
update recall c set state = r.state, changed_at = r.at, ended_at = r.at
from json_to_recordset(%(rows)s::json) as r (id uuid, state recall_state, at timestamptz)
where c.id = r.id

-- name: set_stopped
update recall c set stopped = r.stop
from json_to_recordset(%(rows)s::json) as r (id uuid, stop uuid)
where c.id = r.id

-- name: find_recall
select id, selector, who, why, state::text as state, stop, restore, anew, stopped, wrong, target, restored, names, strand,
       after, beyond, gathered, decisions, decided, combed, created_at, changed_at, ended_at
from recall where id = %(id)s

-- name: list_recalls
select id, selector, who, why, state::text as state, stop, restore, anew, stopped, wrong, target, restored, names, strand,
       after, beyond, gathered, decisions, decided, combed, created_at, changed_at, ended_at
from recall where %(before)s::uuid is null or id < %(before)s order by id desc limit %(most)s

-- name: recalls_under_way
select tenant, id, state::text as state from recalls_under_way()

-- name: hold_recall
-- One process at a time; another that comes in between does nothing twice, but all of it for nothing.
update recall set held_until = clock_timestamp() + interval '10 seconds'
where id = %(id)s and held_until < clock_timestamp() returning held_until

-- name: hold_recall_on
update recall set held_until = clock_timestamp() + interval '10 seconds'
where id = %(id)s and held_until = %(mine)s returning held_until

-- name: let_go_recall
update recall set held_until = clock_timestamp() where id = %(id)s and held_until = %(mine)s

-- name: look_again
-- Once, when no transaction is open any more that was when everything was gathered and taken back: what it decided before the
-- recall is gathered by a second look.
update recall r set within = s.within, combed = s.is_over, gathered = not s.is_over, strand = case when s.is_over then 0 else r.strand end,
  after = case when s.is_over then %(first)s else r.after end
from (select coalesce(c.within, pg_snapshot_xmax(pg_current_snapshot())) as within,
             pg_snapshot_xmin(pg_current_snapshot()) >= coalesce(c.within, pg_snapshot_xmax(pg_current_snapshot())) as is_over
      from recall c where c.id = %(id)s) s
where r.id = %(id)s and not r.combed returning r.combed

-- name: move_deciding
update recall set decided = %(decided)s where id = %(id)s

-- name: set_restored
update recall set restored = %(restored)s where id = %(id)s

-- name: set_restoring
update recall set wrong = %(wrong)s, target = %(target)s where id = %(id)s and target is null

-- name: other_recalls
select selector, wrong from recall where state <> 'planned' and id <> %(id)s order by id

-- name: set_span
update recall set beyond = %(beyond)s, names = %(names)s
where id = %(id)s and state = %(state)s::recall_state and beyond is null

-- name: move_gathering
-- From where the page began: a page that was under way while the plan was started, or that another process gathered, moves nothing.
update recall set strand = %(strand)s, after = %(after)s, beyond = %(beyond)s, gathered = %(gathered)s,
  decisions = decisions + %(found)s, changed_at = clock_timestamp()
where id = %(id)s and state = %(state)s::recall_state and strand = %(was_strand)s and after = %(was_after)s and not gathered

-- name: page_by_component
-- A page of bounded effort: what is read by the index, and of each whether it meets the other conditions.
select d.id, d.case_id,
       (%(contracts)s::text[] is null or d.input_contract = any(%(contracts)s))
       and (%(digest)s::text = '' or starts_with(encode(d.component_digest, 'hex'), %(digest)s))
       and (%(workflow)s::text = '' or d.workflow = %(workflow)s) and (%(point)s::text = '' or d.point = %(point)s) as meets
from (select * from decision where component = %(name)s and id > %(after)s and id < %(beyond)s order by id limit %(most)s) d
order by d.id

-- name: page_by_contract
select d.id, d.case_id,
       (%(digest)s::text = '' or starts_with(encode(d.component_digest, 'hex'), %(digest)s))
       and (%(workflow)s::text = '' or d.workflow = %(workflow)s) and (%(point)s::text = '' or d.point = %(point)s) as meets
from (select * from decision where input_contract = %(name)s and id > %(after)s and id < %(beyond)s order by id limit %(most)s) d
order by d.id

-- name: page_by_point
select d.id, d.case_id, %(digest)s::text = '' or starts_with(encode(d.component_digest, 'hex'), %(digest)s) as meets
from (select * from decision where workflow = %(workflow)s and point = %(point)s and id > %(after)s and id < %(beyond)s
      order by id limit %(most)s) d
order by d.id

-- name: page_by_time
select d.id, d.case_id,
       (%(digest)s::text = '' or starts_with(encode(d.component_digest, 'hex'), %(digest)s))
       and (%(workflow)s::text = '' or d.workflow = %(workflow)s) as meets
from (select * from decision where id > %(after)s and id < %(beyond)s order by id limit %(most)s) d
order by d.id

-- name: meeting
-- Which of these decisions meet all other conditions.
select d.id, d.case_id, true as meets
from decision d
where d.id = any(%(ids)s) and d.id > %(after)s and d.id < %(beyond)s
  and (%(components)s::text[] is null or d.component = any(%(components)s))
  and (%(contracts)s::text[] is null or d.input_contract = any(%(contracts)s))
  and (%(digest)s::text = '' or starts_with(encode(d.component_digest, 'hex'), %(digest)s))
  and (%(workflow)s::text = '' or d.workflow = %(workflow)s) and (%(point)s::text = '' or d.point = %(point)s)
order by d.id

-- name: cases_meeting
-- The same of cases that a source brought, whether or not anything is decided in them.
select c.id, c.id as case_id, true as meets
from cases c
where c.id = any(%(ids)s) and c.id > %(after)s and c.id < %(beyond)s and (%(workflow)s::text = '' or c.workflow = %(workflow)s)
order by c.id

-- name: add_members
-- Each once, however often it is found. What ended without success before is left as it is.
insert into recall_member (recall, member, tenant, is_case, pending, state, why)
select r.recall, r.member, r.tenant, r.is_case, coalesce(c.state <> 'done', false),
       case when c.cancel_at is null then 'found' else 'left' end::recall_member_state,
       case when c.cancel_at is null then '' else 'it was being cancelled before, by ' || c.cancel_by end
from json_to_recordset(%(rows)s::json) as r (recall uuid, member uuid, tenant uuid, is_case boolean)
left join cases c on r.is_case and c.id = r.member
order by r.member
on conflict do nothing

-- name: members_found
-- By its own index, which holds those of this state alone: a turn reads what it moves, however many members there are.
select member, is_case, state::text as state, anew, why
from recall_member
where recall = %(recall)s and state = 'found' and pending = %(pending)s and member > %(after)s
order by member limit %(most)s

-- name: members_ended
select member, is_case, state::text as state, anew, why
from recall_member
where recall = %(recall)s and state = 'ended' and member > %(after)s
order by member limit %(most)s

-- name: recall_of_decision
-- The one recall that took a decision without a case back; another that came by left it to that one.
select r.id as recall, r.who as by, r.why, m.anew
from recall_member m join recall r on r.id = m.recall
where m.member = %(id)s and not m.is_case and (m.state in ('ended', 'anew') or (m.state = 'left' and m.why <> %(before)s))
limit 1

-- name: list_members
select member, is_case, state::text as state, anew, why
from recall_member where recall = %(recall)s and member > %(after)s order by member limit %(most)s

-- name: move_members
update recall_member m set state = r.state, anew = r.anew, why = r.why
from json_to_recordset(%(rows)s::json) as r (recall uuid, member uuid, state recall_member_state, anew uuid, why text)
where m.recall = r.recall and m.member = r.member and m.state not in ('anew', 'left') and (m.state, m.why) is distinct from (r.state, r.why)

-- name: settle_members
-- Those whose case has come to its end since.
update recall_member m set state = 'ended'
from (
  select w.member from recall_member w join cases c on c.id = w.member
  where w.recall = %(recall)s and w.state = 'wanted' and c.state = 'cancelled'
  limit %(most)s
) ended
where m.recall = %(recall)s and m.member = ended.member

-- name: count_members
select m.state::text as state, count(*) as members,
       count(*) filter (where m.state = 'wanted' and c.state = 'exception') as exceptions
from recall_member m left join cases c on m.state = 'wanted' and c.id = m.member
where m.recall = %(recall)s group by 1

-- name: what_cases_were
-- What is submitted again: the input as the case last had it; and of one that began with a decision, that question.
select c.id, c.workflow, c.key, c.input, c.caller, d.point, d.key as asked, d.input as question, d.exposure_minor, d.currency,
       c.run > 1 and exists (select from ledger_entry e where e.subject = c.id and e.kind = 'case.continued') as continued,
       (select e.body from ledger_entry e where e.subject = coalesce(d.id, c.id) and e.case_id = c.id
        and e.kind = case when d.id is null then 'case.received' else 'decision.taken' end order by e.id limit 1) as body
from cases c
left join lateral (
  select d.id, d.point, d.key, d.input, d.exposure_minor, d.currency from decision d
  where d.case_id = c.id and not starts_with(d.key, c.id || '/') order by d.id limit 1
) d on true
where c.id = any(%(ids)s)

-- name: what_decisions_were
select d.id, d.workflow, '' as key, d.input, coalesce((select s.caller from searchable s where s.id = d.id), '') as caller, d.point,
       d.key as asked, d.input as question, d.exposure_minor, d.currency, false as continued,
       (select e.body from ledger_entry e where e.id = d.id) as body
from decision d where d.id = any(%(ids)s)

-- name: cases_of_page
-- The cases of a page of members by workflow, state and money at stake.
select c.workflow, c.state::text as state, coalesce(c.currency, '') as currency, count(*) as cases,
       coalesce(sum(c.exposure_minor), 0)::numeric as minor
from cases c where c.id = any(%(ids)s) group by 1, 2, 3

-- name: decisions_of_page
select d.workflow, coalesce(d.currency, '') as currency, count(*) as decisions, coalesce(sum(d.exposure_minor), 0)::numeric as minor
from decision d where d.id = any(%(ids)s) group by 1, 2

-- name: standing_of
-- What cases did that stands although they were taken back.
select a.case_id, a.name, coalesce(a.currency, '') as currency, coalesce(sum(a.exposure_minor), 0)::numeric as minor
from action a where a.case_id = any(%(ids)s) and a.undo_of is null and lineage_place(a.state) = 'done'
group by 1, 2, 3 order by 1, 2, 3

-- name: actions_of_page
-- What they did, by how it stands: not ended, done and standing, taken back, ended without an effect.
select a.workflow, a.name, coalesce(a.currency, '') as currency, lineage_place(a.state) as place, count(*) as actions,
       coalesce(sum(a.exposure_minor), 0)::numeric as minor
from action a where a.case_id = any(%(ids)s) and a.undo_of is null group by 1, 2, 3, 4

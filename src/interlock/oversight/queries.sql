-- name: lock_reviews
-- A claim that has run out is no claim; a live one is named, so that the refusal can say whose it is. A verdict that is held
-- can be taken back until it is due; from then on it can only take effect. Of one on which people have spoken it says how many.
select id, case when held_verdict is not null and effective_at > clock_timestamp() then 'held by ' || claimed_by
                when held_verdict is not null then 'due ' || held_verdict
                when state = 'claimed' and claimed_until > clock_timestamp() then 'claimed by ' || claimed_by
                when state = 'claimed' then 'open' else state::text end
           || case when state in ('open', 'claimed') and decided_by <> '{}' then ' after ' || cardinality(decided_by) else '' end as state,
       xmin::text as version
from review where id = any(%(ids)s) order by id for no key update

-- name: find_review
select id, case_id, decision_id, workflow, point, queue, state::text as state, question, proposal, exposure_minor, currency,
       urgency, due_at, claimed_by, claimed_at, claimed_until, resolution::text as resolution, output, reason_code, note, resolved_by, created_at, resolved_at,
       team, assigned_to, snoozed_until, snoozed_by, asked_to, asked_by, asked_at, asked_question, effective_at, held_verdict,
       needed, decided_by, disagreed, xmin::text as row_version
from review where id = %(id)s

-- name: reviews_of_case
select id, case_id, decision_id, workflow, point, queue, state::text as state, question, proposal, exposure_minor, currency,
       urgency, due_at, claimed_by, claimed_at, claimed_until, resolution::text as resolution, output, reason_code, note, resolved_by, created_at, resolved_at,
       team, assigned_to, snoozed_until, snoozed_by, asked_to, asked_by, asked_at, asked_question, effective_at, held_verdict,
       needed, decided_by, disagreed, xmin::text as row_version
from review where case_id = %(case_id)s order by id

-- name: list_queue
-- The most expected loss first, then the oldest.
select id, case_id, decision_id, workflow, point, queue, state::text as state, question, proposal, exposure_minor, currency,
       urgency, due_at, claimed_by, claimed_at, claimed_until, resolution::text as resolution, output, reason_code, note, resolved_by, created_at, resolved_at,
       team, assigned_to, snoozed_until, snoozed_by, asked_to, asked_by, asked_at, asked_question, effective_at, held_verdict,
       needed, decided_by, disagreed, xmin::text as row_version
from review
where state in ('open', 'claimed') and (%(queue)s::text is null or queue = %(queue)s)
order by urgency desc, id
limit %(most)s offset %(skip)s

-- name: count_waiting
select count(*) from review where queue = %(queue)s and state in ('open', 'claimed')

-- name: add_reviews
insert into review (id, tenant, case_id, decision_id, workflow, point, queue, state, question, proposal, exposure_minor,
                    currency, urgency, due_at, created_at, needed, confidence, why, codes, team)
select id, tenant, case_id, decision_id, workflow, point, queue, 'open', decode(question, 'base64'), decode(proposal, 'base64'),
       exposure_minor, currency, urgency, due_at, created_at, needed, confidence, why, codes, team
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, case_id uuid, decision_id uuid, workflow text, point text,
  queue text, question text, proposal text, exposure_minor bigint, currency text, urgency bigint, due_at timestamptz, created_at timestamptz,
  needed smallint, confidence float8, why text, codes text[], team text)

-- name: add_answered_reviews
-- What a person answered unasked, to a question that failed: resolved from the beginning.
insert into review (id, tenant, case_id, decision_id, workflow, point, queue, state, question, exposure_minor, currency, urgency,
                    resolution, output, reason_code, note, resolved_by, created_at, resolved_at)
select id, tenant, case_id, decision_id, workflow, point, queue, 'resolved', decode(question, 'base64'), exposure_minor, currency, 0,
       'change', decode(output, 'base64'), reason_code, note, resolved_by, at, at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, case_id uuid, decision_id uuid, workflow text, point text,
  queue text, question text, exposure_minor bigint, currency text, output text, reason_code text, note text, resolved_by text,
  at timestamptz)

-- name: claim_reviews
-- Who renews a claim that still holds has held it since it was made. What is claimed waits for nobody's morning any more.
update review v set state = 'claimed', claimed_by = r.claimed_by, claimed_until = r.claimed_until,
       claimed_at = case when v.claimed_by = r.claimed_by and v.claimed_until > r.claimed_at
                         then coalesce(v.claimed_at, r.claimed_at) else r.claimed_at end,
       snoozed_until = null, snoozed_by = null
from json_to_recordset(%(rows)s::json) as r (id uuid, claimed_by text, claimed_at timestamptz, claimed_until timestamptz)
where v.id = r.id

-- name: claim_exceptions
update exception v set claimed_by = r.claimed_by, claimed_until = r.claimed_until,
       claimed_at = case when v.claimed_by = r.claimed_by and v.claimed_until > r.claimed_at
                         then coalesce(v.claimed_at, r.claimed_at) else r.claimed_at end,
       snoozed_until = null, snoozed_by = null
from json_to_recordset(%(rows)s::json) as r (id uuid, claimed_by text, claimed_at timestamptz, claimed_until timestamptz)
where v.id = r.id

-- name: hand_reviews_on
-- Who holds it and the rest is as it is given.
update review v set state = case when r.claimed_by is null then 'open' else 'claimed' end::review_state,
       claimed_by = r.claimed_by, claimed_at = r.claimed_at, claimed_until = r.claimed_until,
       team = r.team, assigned_to = r.assigned_to, snoozed_until = r.snoozed_until, snoozed_by = r.snoozed_by,
       assigned_at = case when r.assigned_to is distinct from v.assigned_to then statement_timestamp() else v.assigned_at end,
       asked_to = r.asked_to, asked_by = r.asked_by, asked_at = r.asked_at, asked_question = r.asked_question
from json_to_recordset(%(rows)s::json) as r (id uuid, claimed_by text, claimed_at timestamptz, claimed_until timestamptz,
  team text, assigned_to text, snoozed_until timestamptz, snoozed_by text,
  asked_to text, asked_by text, asked_at timestamptz, asked_question text)
where v.id = r.id

-- name: hand_exceptions_on
update exception v set claimed_by = r.claimed_by, claimed_at = r.claimed_at, claimed_until = r.claimed_until,
       team = r.team, assigned_to = r.assigned_to, snoozed_until = r.snoozed_until, snoozed_by = r.snoozed_by,
       assigned_at = case when r.assigned_to is distinct from v.assigned_to then statement_timestamp() else v.assigned_at end,
       asked_to = r.asked_to, asked_by = r.asked_by, asked_at = r.asked_at, asked_question = r.asked_question
from json_to_recordset(%(rows)s::json) as r (id uuid, claimed_by text, claimed_at timestamptz, claimed_until timestamptz,
  team text, assigned_to text, snoozed_until timestamptz, snoozed_by text, asked_to text, asked_by text, asked_at timestamptz,
  asked_question text)
where v.id = r.id

-- name: add_notes
insert into task_note (id, tenant, task, kind, who, to_whom, text, at)
select id, tenant, task, kind, who, to_whom, text, at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, task uuid, kind text, who text, to_whom text, text text,
  at timestamptz)

-- name: notes_of
-- What people told each other of a task, in order: the newest, where it is more than anybody reads.
select n.* from (
  select id, task, kind, who, to_whom, text, at from task_note where task = %(task)s order by id desc limit 1000) n
order by n.id

-- name: find_colleague
-- Somebody to whom work can be given.
select name, roles, teams from person where name = %(name)s and disabled_at is null

-- name: team_is_known
select exists (select from person where %(team)s = any (teams) and disabled_at is null) as there

-- name: add_verdicts
insert into review_verdict (id, tenant, review, seat, who, kind, act, resolution, output, reason_code, note, shown, nonce, digest,
                            at, effective_at, looked_since, looked_ms, looked_of, because, policies, bulk)
select id, tenant, review, seat, who, kind, act, resolution, decode(output, 'base64'), reason_code, note, shown,
       decode(nonce, 'base64'), decode(digest, 'base64'), at, effective_at, looked_since, looked_ms, looked_of, because, policies, bulk
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, review uuid, seat smallint, who text, kind text, act text,
  resolution resolution, output text, reason_code text, note text, shown text, nonce text, digest text, at timestamptz,
  effective_at timestamptz, looked_since timestamptz, looked_ms bigint, looked_of text, because text[], policies text, bulk uuid)

-- name: verdicts_of
-- Those that stand, in the order in which they were given.
select id, review, seat, who, kind, act, resolution::text as resolution, output, reason_code, note, shown, nonce, digest, at,
       effective_at, looked_since, looked_ms, looked_of, because, policies, bulk
from review_verdict where review = %(review)s and undone_at is null order by at, id

-- name: undo_verdicts
update review_verdict v set undone_at = r.undone_at
from json_to_recordset(%(rows)s::json) as r (id uuid, undone_at timestamptz)
where v.id = r.id

-- name: seat_reviews
-- A first verdict of two is given, or two differ: it goes back to the queue, for somebody else.
update review v set state = 'open', claimed_by = null, claimed_at = null, claimed_until = null, held_verdict = null,
       effective_at = null, assigned_to = null, decided_by = r.decided_by, disagreed = r.disagreed, needed = r.needed,
       snoozed_until = null, snoozed_by = null, asked_to = null, asked_by = null, asked_at = null, asked_question = null
from json_to_recordset(%(rows)s::json) as r (id uuid, decided_by text[], disagreed boolean, needed smallint)
where v.id = r.id

-- name: hold_reviews
-- What somebody said takes effect later, unless they take it back: what was asked of somebody then still is.
update review v set state = 'claimed', claimed_by = r.claimed_by, claimed_at = coalesce(r.claimed_at, r.at), claimed_until = r.claimed_until,
       effective_at = r.effective_at, held_verdict = r.held_verdict, decided_by = r.decided_by, needed = r.needed,
       snoozed_until = null, snoozed_by = null
from json_to_recordset(%(rows)s::json) as r (id uuid, claimed_by text, claimed_at timestamptz, claimed_until timestamptz,
  effective_at timestamptz, held_verdict uuid, decided_by text[], needed smallint, at timestamptz)
where v.id = r.id

-- name: take_reviews_back
-- A verdict that was held is undone: who said it has the review again.
update review v set claimed_until = r.claimed_until, effective_at = null, held_verdict = null, decided_by = r.decided_by
from json_to_recordset(%(rows)s::json) as r (id uuid, claimed_until timestamptz, decided_by text[])
where v.id = r.id

-- name: leave_to_others
-- The first verdict of two is undone: whoever has the review meanwhile keeps it.
update review v set decided_by = r.decided_by
from json_to_recordset(%(rows)s::json) as r (id uuid, decided_by text[])
where v.id = r.id

-- name: shut_out
-- Whose accounts are closed, of these.
select name from person where name = any(%(names)s) and disabled_at is not null

-- name: resolve_reviews
update review v set state = 'resolved', resolution = r.resolution, output = decode(r.output, 'base64'),
       reason_code = r.reason_code, note = r.note, resolved_by = r.resolved_by, resolved_at = r.resolved_at,
       effective_at = r.resolved_at, held_verdict = null, decided_by = r.decided_by,
       snoozed_until = null, snoozed_by = null, asked_to = null, asked_by = null, asked_at = null, asked_question = null
from json_to_recordset(%(rows)s::json) as r (id uuid, resolution resolution, output text, reason_code text, note text,
  resolved_by text, resolved_at timestamptz, decided_by text[])
where v.id = r.id

-- name: due_verdicts
-- One of the finders that look across tenants: what is held and due, the longest first.
select tenant, review from due_verdicts(%(most)s)

-- name: add_bulk_acts
insert into bulk_act (id, tenant, who, workflow, point, resolution, items, exposure_minor, currency, at)
select id, tenant, who, workflow, point, resolution, items, exposure_minor, currency, at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, who text, workflow text, point text, resolution resolution,
  items int, exposure_minor bigint, currency text, at timestamptz)

-- name: bulk_today
-- What somebody has decided in bulk of a workflow since midnight (UTC), and how often.
select count(*) as acts, coalesce(sum(items), 0) as items, coalesce(sum(exposure_minor), 0)::bigint as exposure_minor
from bulk_act where who = %(who)s and workflow = %(workflow)s
  and at >= date_trunc('day', clock_timestamp() at time zone 'UTC') at time zone 'UTC'

-- name: withdraw_reviews
-- What a case that is abandoned no longer asks, each with its entry: only here it is known which they are.
with withdrawn as (
  update review v set state = 'withdrawn', claimed_by = null, claimed_at = null, claimed_until = null,
         held_verdict = null, effective_at = null
  from json_to_recordset(%(rows)s::json) as r (case_id uuid, at timestamptz, body text)
  where v.case_id = r.case_id and v.state in ('open', 'claimed')
  returning v.id, v.tenant, v.case_id, r.at, r.body)
insert into ledger_entry (id, tenant, kind, subject, case_id, at, body)
select entry_id(at), tenant, 'review.withdrawn', id, case_id, at, decode(body, 'base64') from withdrawn

-- name: withdraw_reviews_of
-- Those of one decision, or one question, that a case no longer asks.
with withdrawn as (
  update review v set state = 'withdrawn', claimed_by = null, claimed_at = null, claimed_until = null,
         held_verdict = null, effective_at = null
  from json_to_recordset(%(rows)s::json) as r (ref uuid, at timestamptz, body text)
  where (v.id = r.ref or v.decision_id = r.ref) and v.state in ('open', 'claimed')
  returning v.id, v.tenant, v.case_id, r.at, r.body)
insert into ledger_entry (id, tenant, kind, subject, case_id, at, body)
select entry_id(at), tenant, 'review.withdrawn', id, case_id, at, decode(body, 'base64') from withdrawn

-- name: add_exceptions
insert into exception (id, tenant, case_id, workflow, kind, fingerprint, state, priority, what, detail, owner,
                       exposure_minor, currency, created_at, run, scope, ordinal, action, urgency, due_at, team)
select id, tenant, case_id, workflow, kind, fingerprint, 'open', priority, what, decode(detail, 'base64'), owner,
       exposure_minor, currency, created_at, run, scope, ordinal, action, urgency, due_at, team
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, case_id uuid, workflow text, kind text, fingerprint uuid,
  priority int, what text, detail text, owner text, exposure_minor bigint, currency text, created_at timestamptz,
  run int, scope text, ordinal int, action uuid, urgency bigint, due_at timestamptz, team text)

-- name: lock_exceptions
select id, case when state = 'open' and claimed_until > clock_timestamp() then 'claimed by ' || claimed_by else state::text end as state,
       xmin::text as version
from exception where id = any(%(ids)s) order by id for no key update

-- name: find_exception
select id, case_id, workflow, kind, fingerprint, state::text as state, priority, what, detail, owner, exposure_minor, currency,
       created_at, resolved_at, resolved_by, resolution, run, scope, ordinal, action, answer,
       team, assigned_to, snoozed_until, snoozed_by, asked_to, asked_by, asked_at, asked_question, claimed_by, claimed_at,
       claimed_until, due_at, urgency, xmin::text as row_version
from exception where id = %(id)s

-- name: exceptions_of_case
select id, case_id, workflow, kind, fingerprint, state::text as state, priority, what, detail, owner, exposure_minor, currency,
       created_at, resolved_at, resolved_by, resolution, run, scope, ordinal, action, answer,
       team, assigned_to, snoozed_until, snoozed_by, asked_to, asked_by, asked_at, asked_question, claimed_by, claimed_at,
       claimed_until, due_at, urgency, xmin::text as row_version
from exception where case_id = %(case_id)s order by id

-- name: list_exceptions
select id, case_id, workflow, kind, fingerprint, state::text as state, priority, what, detail, owner, exposure_minor, currency,
       created_at, resolved_at, resolved_by, resolution, run, scope, ordinal, action, answer,
       team, assigned_to, snoozed_until, snoozed_by, asked_to, asked_by, asked_at, asked_question, claimed_by, claimed_at,
       claimed_until, due_at, urgency, xmin::text as row_version
from exception where state = 'open' order by priority, id limit %(most)s

-- name: end_exceptions
update exception e set state = r.state, resolved_at = r.resolved_at, resolved_by = r.resolved_by, resolution = r.resolution,
       answer = decode(r.answer, 'base64')
from json_to_recordset(%(rows)s::json) as r (id uuid, state exception_state, resolved_at timestamptz, resolved_by text,
  resolution text, answer text)
where e.id = r.id

-- name: exceptions_of_group
-- The open ones of one cause, the oldest first.
select id, case_id, workflow, kind, fingerprint, state::text as state, priority, what, detail, owner, exposure_minor, currency,
       created_at, resolved_at, resolved_by, resolution, run, scope, ordinal, action, answer,
       team, assigned_to, snoozed_until, snoozed_by, asked_to, asked_by, asked_at, asked_question, claimed_by, claimed_at,
       claimed_until, due_at, urgency, xmin::text as row_version
from exception where fingerprint = %(fingerprint)s and state = 'open' order by id limit %(most)s

-- name: list_exception_groups
-- One row for each cause and currency: how many, how much is at stake, since when.
select fingerprint, currency, min(workflow) as workflow, min(kind) as kind, min(owner) as owner, min(what) as what,
       min(priority) as priority, count(*) as members, coalesce(sum(exposure_minor), 0)::bigint as exposure_minor,
       min(created_at) as oldest
from exception where state = 'open'
group by fingerprint, currency
order by min(priority), min(created_at), fingerprint, currency
limit %(most)s

-- name: try_to_escalate
-- One process measures at a time; held to the end of its transaction.
select pg_try_advisory_xact_lock(hashtext('interlock.escalate'))

-- name: tenants_of_workflows
select tenants_of_workflows(%(workflows)s)

-- name: measured
select id, value from measured(%(rules)s::json)

-- name: escalated
-- Where rules stand, and whether the stop that they made is in force.
select e.id, e.turn, e.state::text as state, e.value, 
       s.id is not null and s.lifted_at is null and (s.until is null or s.until > clock_timestamp()) as held
from escalation e left join stop s on s.id = e.stop
where e.id = any(%(ids)s)

-- name: turn_escalations
insert into escalation (id, tenant, workflow, rule, turn, state, value, stop, changed_at)
select id, tenant, workflow, rule, turn, state, value, stop, changed_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, workflow text, rule text, turn bigint, state escalation_state,
  value bigint, stop uuid, changed_at timestamptz)
on conflict (id) do update set turn = excluded.turn, state = excluded.state, value = excluded.value,
  rule = excluded.rule, stop = excluded.stop, changed_at = excluded.changed_at

-- name: handed_in_by
-- Who submitted a case; of a decision without one, who asked for it: its entry bears the decision's id; of a second look,
-- who answered first: they may not answer twice.
select coalesce((select first_by from second_look where id = %(review)s),
                (select nullif(caller, '') from cases where id = %(case_id)s),
                (select nullif(convert_from(body, 'UTF8')::json ->> 'caller', '') from ledger_entry
                 where id = %(decision_id)s and kind = 'decision.taken'), '')

-- name: drawn_for
-- The decision, and its case, that a review of the audit sample is about.
select d.case_id, d.id as decision_id from audit_draw a join decision d on d.id = a.decision where a.review = %(review)s

-- name: written_by
-- Who wrote what a case or a decision rests on: who corrected its input, mended it in quarantine, or gave the value of a step.
select distinct w.who from (
  select convert_from(body, 'UTF8')::json ->> 'who' as who from ledger_entry
  where case_id = %(case_id)s and (kind in ('case.corrected', 'case.released')
    or (kind = 'quarantine.released' and convert_from(body, 'UTF8')::json ->> 'decision' is null))
  union all
  select x.resolved_by from exception x
  join journal j on j.case_id = x.case_id and j.run = x.run and j.scope = x.scope and j.ordinal = x.ordinal and j.kind = 'step'
  where x.case_id = %(case_id)s and starts_with(x.resolution, 'answer:')
  union all
  select resolved_by from quarantine where decision_id = %(decision_id)s and state = 'released'
) w where w.who is not null

-- name: work_kinds
-- Every workflow, point and currency of which something waits, by one look into an index for each.
with recursive r as (
  (select v.workflow, v.point, case when v.currency is null then '' else v.currency end as currency from review v where v.state in ('open', 'claimed')
   order by v.workflow, v.point, case when v.currency is null then '' else v.currency end limit 1)
  union all
  select n.* from r cross join lateral (
    select v.workflow, v.point, case when v.currency is null then '' else v.currency end as currency from review v
    where v.state in ('open', 'claimed') and (v.workflow, v.point, case when v.currency is null then '' else v.currency end) > (r.workflow, r.point, r.currency)
    order by v.workflow, v.point, case when v.currency is null then '' else v.currency end limit 1) n
), x as (
  (select e.workflow, e.kind, case when e.currency is null then '' else e.currency end as currency, e.priority from exception e where e.state = 'open'
   order by e.workflow, e.kind, case when e.currency is null then '' else e.currency end, e.priority limit 1)
  union all
  select n.* from x cross join lateral (
    select e.workflow, e.kind, case when e.currency is null then '' else e.currency end as currency, e.priority from exception e
    where e.state = 'open' and (e.workflow, e.kind, case when e.currency is null then '' else e.currency end, e.priority) > (x.workflow, x.kind, x.currency, x.priority)
    order by e.workflow, e.kind, case when e.currency is null then '' else e.currency end, e.priority limit 1) n
)
select false as exceptional, workflow, point, currency, 1 as priority from r
union all
select true, workflow, kind, currency, priority from x

-- name: work_kinds_of_queue
-- The same of one queue. (A range of one queue, so that only its index has the order.)
with recursive r as (
  (select v.workflow, v.point, case when v.currency is null then '' else v.currency end as currency from review v
   where v.state in ('open', 'claimed') and v.queue >= %(queue)s and v.queue <= %(queue)s
   order by v.queue, v.workflow, v.point, case when v.currency is null then '' else v.currency end limit 1)
  union all
  select n.* from r cross join lateral (
    select v.workflow, v.point, case when v.currency is null then '' else v.currency end as currency from review v
    where v.state in ('open', 'claimed') and v.queue <= %(queue)s
      and (v.queue, v.workflow, v.point, case when v.currency is null then '' else v.currency end) > (%(queue)s, r.workflow, r.point, r.currency)
    order by v.queue, v.workflow, v.point, case when v.currency is null then '' else v.currency end limit 1) n
)
select false as exceptional, workflow, point, currency, 1 as priority from r

-- name: work_counts
-- How many wait of each workflow and point: for the mean of their minutes, and the length of the queue.
select false as exceptional, v.workflow, v.point, count(*) as number from review v where v.state in ('open', 'claimed') group by 2, 3
union all
select true, e.workflow, e.kind, count(*) from exception e where e.state = 'open' group by 2, 3

-- name: plan_as_asked
-- A plan for what is asked this time: a filter that asks nothing costs nothing, and one that asks for little finds its index.
select set_config('plan_cache_mode', 'force_custom_plan', true)

-- name: work_ranked
-- What fits a filter, up to a bound, computed and sorted as a whole: the first of the order, and the oldest. oversight/index.py says
-- what is computed; it is computed again there. ``ids``: the only reviews that are asked for, where these are known to be few.
with k as materialized (
  select * from json_to_recordset(%(kinds)s::json) as k (exceptional bool, workflow text, point text, currency text, priority int,
    weight float8, minutes float8)
), m as materialized (
  (select false as exceptional, v.id, v.workflow, v.point, case when v.currency is null then '' else v.currency end as currency, 1 as priority, v.urgency, v.due_at from review v
   where %(reviews)s::bool and v.state in ('open', 'claimed') and (%(ids)s::uuid[] is null or v.id = any(%(ids)s::uuid[]))
     and review_fits(v, %(at)s, %(mine)s, %(teams)s::text[], %(workflow)s, %(point)s, %(queue)s, %(team)s, %(stands)s, %(parked)s,
  %(assigned)s, %(claimed)s, %(words)s, %(code)s, %(currencies)s::text[], %(least_minor)s::bigint[], %(most_minor)s::bigint[],
  %(least_sure)s, %(most_sure)s, %(due_before)s, %(opened_before)s, %(second)s) and review_may_be_taken(v, %(at)s, %(taker)s)
   limit %(bound)s)
  union all
  (select true as exceptional, e.id, e.workflow, e.kind as point, case when e.currency is null then '' else e.currency end as currency, e.priority, e.urgency, e.due_at from exception e
   where %(exceptions)s::bool and e.state = 'open' and exception_fits(e, %(at)s, %(mine)s, %(teams)s::text[], %(workflow)s, %(point)s, %(queue)s, %(team)s, %(stands)s, %(parked)s,
  %(assigned)s, %(claimed)s, %(words)s, %(code)s, %(currencies)s::text[], %(least_minor)s::bigint[], %(most_minor)s::bigint[],
  %(least_sure)s, %(most_sure)s, %(due_before)s, %(opened_before)s, %(second)s) and exception_may_be_taken(e, %(at)s, %(taker)s)
   limit %(bound)s)
), r as (
  select m.*, work_rank(m.urgency, m.due_at, %(at)s, k.weight, k.minutes, %(horizon)s, %(no_deadline)s) as rank
  from m join k using (exceptional, workflow, point, currency, priority)
)
(select false as aged, exceptional, id, workflow, point, currency, priority, urgency, due_at, (select count(*) from m) as total
 from r order by exceptional and priority <= 0 desc, rank desc, id limit %(most)s)
union all
(select true, exceptional, id, workflow, point, currency, priority, urgency, due_at, 0 from r order by id limit %(oldest)s)

-- name: work_worded
-- The reviews that wait and have these words in their reason, up to a bound.
select reviews_worded(%(words)s, %(bound)s) as id

-- name: work_at_stake
-- The reviews that wait and have so much at stake, up to a bound: of each currency what is as far above zero, or below it. (Bounds are
-- made beforehand: to look into an array is not leakproof, so that under row security it would be in no index condition.)
with k as materialized (
  select c.currency, greatest(0, coalesce((%(least_minor)s::bigint[])[c.place], 0)) as least,
         coalesce((%(most_minor)s::bigint[])[c.place], 9223372036854775807) as most
  from unnest(%(currencies)s::text[]) with ordinality c (currency, place))
select f.id from k cross join lateral (
  (select v.id from review v
   where v.state in ('open', 'claimed') and v.currency = k.currency and v.exposure_minor >= k.least and v.exposure_minor <= k.most
   limit %(bound)s)
  union all
  (select v.id from review v
   where v.state in ('open', 'claimed') and v.currency = k.currency and v.exposure_minor >= -k.most and v.exposure_minor <= -k.least
     and v.exposure_minor < 0
   limit %(bound)s)) f
limit %(bound)s

-- name: work_total
-- How many fit a filter, up to a bound: exceptions are counted only as far as reviews leave room.
select count(*) from (
  (select from review v
   where %(reviews)s::bool and v.state in ('open', 'claimed') and (%(ids)s::uuid[] is null or v.id = any(%(ids)s::uuid[]))
     and review_fits(v, %(at)s, %(mine)s, %(teams)s::text[], %(workflow)s, %(point)s, %(queue)s, %(team)s, %(stands)s, %(parked)s,
  %(assigned)s, %(claimed)s, %(words)s, %(code)s, %(currencies)s::text[], %(least_minor)s::bigint[], %(most_minor)s::bigint[],
  %(least_sure)s, %(most_sure)s, %(due_before)s, %(opened_before)s, %(second)s) and review_may_be_taken(v, %(at)s, %(taker)s)
   limit %(bound)s)
  union all
  (select from exception e
   where %(exceptions)s::bool and e.state = 'open' and exception_fits(e, %(at)s, %(mine)s, %(teams)s::text[], %(workflow)s, %(point)s, %(queue)s, %(team)s, %(stands)s, %(parked)s,
  %(assigned)s, %(claimed)s, %(words)s, %(code)s, %(currencies)s::text[], %(least_minor)s::bigint[], %(most_minor)s::bigint[],
  %(least_sure)s, %(most_sure)s, %(due_before)s, %(opened_before)s, %(second)s) and exception_may_be_taken(e, %(at)s, %(taker)s)
   limit %(bound)s)
  limit %(bound)s) w

-- name: work_ahead
-- The first of the order, without reading all that waits. Of each kind those with the greatest expected loss, and some with the nearest
-- deadline, are ranked: the last of as many as are wanted has the least rank that is needed. No deadline makes more of a loss than it
-- is, so whatever has that rank has a loss from which it could be had; these few are ranked, too. (Those that stand before all others are
-- read as deep as is wanted: the last of as many is one of them, or they are all found.) Where fewer are found than are wanted, ``depth``
-- was too little.
with k as materialized (
  select k.*, exceptional and priority <= 0 as leads from json_to_recordset(%(kinds)s::json) as k (at int, exceptional bool, workflow text,
    point text, currency text, priority int, weight float8, minutes float8, depth int)
), first as materialized (
  select k.leads, k.at, c.* from k cross join lateral (
    (select v.id, v.urgency, v.due_at, work_rank(v.urgency, v.due_at, %(at)s, k.weight, k.minutes, %(horizon)s, %(no_deadline)s) as rank from review v
     where v.workflow = k.workflow and v.point = k.point and case when v.currency is null then '' else v.currency end = k.currency and v.state in ('open', 'claimed') and review_fits(v, %(at)s, %(mine)s, %(teams)s::text[], %(workflow)s, %(point)s, %(queue)s, %(team)s, %(stands)s, %(parked)s,
  %(assigned)s, %(claimed)s, %(words)s, %(code)s, %(currencies)s::text[], %(least_minor)s::bigint[], %(most_minor)s::bigint[],
  %(least_sure)s, %(most_sure)s, %(due_before)s, %(opened_before)s, %(second)s) and review_may_be_taken(v, %(at)s, %(taker)s)
     order by v.urgency desc, v.id limit k.depth)
    union
    (select v.id, v.urgency, v.due_at, work_rank(v.urgency, v.due_at, %(at)s, k.weight, k.minutes, %(horizon)s, %(no_deadline)s) as rank from review v
     where v.workflow = k.workflow and v.point = k.point and case when v.currency is null then '' else v.currency end = k.currency and v.state in ('open', 'claimed') and review_fits(v, %(at)s, %(mine)s, %(teams)s::text[], %(workflow)s, %(point)s, %(queue)s, %(team)s, %(stands)s, %(parked)s,
  %(assigned)s, %(claimed)s, %(words)s, %(code)s, %(currencies)s::text[], %(least_minor)s::bigint[], %(most_minor)s::bigint[],
  %(least_sure)s, %(most_sure)s, %(due_before)s, %(opened_before)s, %(second)s) and review_may_be_taken(v, %(at)s, %(taker)s)
     order by v.due_at, v.id limit %(near)s)) c where not k.exceptional
  union all
  select k.leads, k.at, c.* from k cross join lateral (
    (select e.id, e.urgency, e.due_at, work_rank(e.urgency, e.due_at, %(at)s, k.weight, k.minutes, %(horizon)s, %(no_deadline)s) as rank from exception e
     where e.workflow = k.workflow and e.kind = k.point and case when e.currency is null then '' else e.currency end = k.currency and e.priority = k.priority and e.state = 'open' and exception_fits(e, %(at)s, %(mine)s, %(teams)s::text[], %(workflow)s, %(point)s, %(queue)s, %(team)s, %(stands)s, %(parked)s,
  %(assigned)s, %(claimed)s, %(words)s, %(code)s, %(currencies)s::text[], %(least_minor)s::bigint[], %(most_minor)s::bigint[],
  %(least_sure)s, %(most_sure)s, %(due_before)s, %(opened_before)s, %(second)s) and exception_may_be_taken(e, %(at)s, %(taker)s)
     order by e.urgency desc, e.id limit k.depth)
    union
    (select e.id, e.urgency, e.due_at, work_rank(e.urgency, e.due_at, %(at)s, k.weight, k.minutes, %(horizon)s, %(no_deadline)s) as rank from exception e
     where e.workflow = k.workflow and e.kind = k.point and case when e.currency is null then '' else e.currency end = k.currency and e.priority = k.priority and e.state = 'open' and exception_fits(e, %(at)s, %(mine)s, %(teams)s::text[], %(workflow)s, %(point)s, %(queue)s, %(team)s, %(stands)s, %(parked)s,
  %(assigned)s, %(claimed)s, %(words)s, %(code)s, %(currencies)s::text[], %(least_minor)s::bigint[], %(most_minor)s::bigint[],
  %(least_sure)s, %(most_sure)s, %(due_before)s, %(opened_before)s, %(second)s) and exception_may_be_taken(e, %(at)s, %(taker)s)
     order by e.due_at, e.id limit %(near)s)) c where k.exceptional
), lowest as materialized (
  select leads, rank from (
    select leads, rank, row_number() over (order by leads desc, rank desc) as place from first) f
  where place = %(most)s and rank > '-infinity'
)
select at, id, urgency, due_at from (
  select * from first
  union
  select k.leads, k.at, c.* from k join lowest l on l.leads = k.leads cross join lateral (
    select v.id, v.urgency, v.due_at, work_rank(v.urgency, v.due_at, %(at)s, k.weight, k.minutes, %(horizon)s, %(no_deadline)s) as rank from review v
    where v.workflow = k.workflow and v.point = k.point and case when v.currency is null then '' else v.currency end = k.currency and v.state in ('open', 'claimed') and review_fits(v, %(at)s, %(mine)s, %(teams)s::text[], %(workflow)s, %(point)s, %(queue)s, %(team)s, %(stands)s, %(parked)s,
  %(assigned)s, %(claimed)s, %(words)s, %(code)s, %(currencies)s::text[], %(least_minor)s::bigint[], %(most_minor)s::bigint[],
  %(least_sure)s, %(most_sure)s, %(due_before)s, %(opened_before)s, %(second)s) and review_may_be_taken(v, %(at)s, %(taker)s)
      and v.urgency >= least_urgency(l.rank, k.weight)
    order by v.urgency desc, v.id offset 0) c where not k.exceptional and c.rank >= l.rank
  union
  select k.leads, k.at, c.* from k join lowest l on l.leads = k.leads cross join lateral (
    select e.id, e.urgency, e.due_at, work_rank(e.urgency, e.due_at, %(at)s, k.weight, k.minutes, %(horizon)s, %(no_deadline)s) as rank from exception e
    where e.workflow = k.workflow and e.kind = k.point and case when e.currency is null then '' else e.currency end = k.currency and e.priority = k.priority and e.state = 'open' and exception_fits(e, %(at)s, %(mine)s, %(teams)s::text[], %(workflow)s, %(point)s, %(queue)s, %(team)s, %(stands)s, %(parked)s,
  %(assigned)s, %(claimed)s, %(words)s, %(code)s, %(currencies)s::text[], %(least_minor)s::bigint[], %(most_minor)s::bigint[],
  %(least_sure)s, %(most_sure)s, %(due_before)s, %(opened_before)s, %(second)s) and exception_may_be_taken(e, %(at)s, %(taker)s)
      and e.urgency >= least_urgency(l.rank, k.weight)
    order by e.urgency desc, e.id offset 0) c where k.exceptional and c.rank >= l.rank
) f order by leads desc, rank desc, id limit %(most)s

-- name: work_oldest
-- The oldest that fit a filter.
select true as aged, o.*, 0 as total from (
  (select false as exceptional, v.id, v.workflow, v.point, case when v.currency is null then '' else v.currency end as currency, 1 as priority, v.urgency, v.due_at from review v
   where %(reviews)s::bool and v.state in ('open', 'claimed') and review_fits(v, %(at)s, %(mine)s, %(teams)s::text[], %(workflow)s, %(point)s, %(queue)s, %(team)s, %(stands)s, %(parked)s,
  %(assigned)s, %(claimed)s, %(words)s, %(code)s, %(currencies)s::text[], %(least_minor)s::bigint[], %(most_minor)s::bigint[],
  %(least_sure)s, %(most_sure)s, %(due_before)s, %(opened_before)s, %(second)s) and review_may_be_taken(v, %(at)s, %(taker)s)
   order by v.id limit %(oldest)s)
  union all
  (select true as exceptional, e.id, e.workflow, e.kind as point, case when e.currency is null then '' else e.currency end as currency, e.priority, e.urgency, e.due_at from exception e
   where %(exceptions)s::bool and e.state = 'open' and exception_fits(e, %(at)s, %(mine)s, %(teams)s::text[], %(workflow)s, %(point)s, %(queue)s, %(team)s, %(stands)s, %(parked)s,
  %(assigned)s, %(claimed)s, %(words)s, %(code)s, %(currencies)s::text[], %(least_minor)s::bigint[], %(most_minor)s::bigint[],
  %(least_sure)s, %(most_sure)s, %(due_before)s, %(opened_before)s, %(second)s) and exception_may_be_taken(e, %(at)s, %(taker)s)
   order by e.id limit %(oldest)s)) o
order by o.id limit %(oldest)s

-- name: work_items
-- What a list shows of each. Of a question that is longer than so many bytes it tells nothing: a page of them must stay quick.
select false as exceptional, v.id, v.case_id, v.decision_id, v.workflow, v.point, v.queue, v.team, v.why, v.codes, v.exposure_minor, v.currency,
       v.confidence, v.urgency, 1 as priority, v.due_at, v.created_at, review_stands(v, %(at)s) as stands, v.claimed_by, v.claimed_until,
       v.assigned_to, v.snoozed_until, v.asked_to, v.needed::int as needed, cardinality(v.decided_by) as given,
       %(actor)s::text = any(v.decided_by)
         or exists (select from second_look s where s.id = v.id and lower(s.first_by) = lower(%(actor)s)) as given_by_me,
       (select c.key from cases c where c.id = v.case_id) as key,
       case when octet_length(v.question) <= 16384 then v.question end as question
from review v where v.id = any(%(ids)s::uuid[])
union all
select true, e.id, e.case_id, null, e.workflow, e.kind, '', coalesce(e.team, e.owner), left(e.what, 300), array[e.kind], e.exposure_minor, e.currency,
       null, e.urgency, e.priority, e.due_at, e.created_at, exception_stands(e, %(at)s), e.claimed_by, e.claimed_until,
       e.assigned_to, e.snoozed_until, e.asked_to, 1, 0, false, (select c.key from cases c where c.id = e.case_id), null
from exception e where e.id = any(%(ids)s::uuid[])

-- name: work_dwells
-- How many minutes the last ones of each kind took, from their claim to the last verdict: that it could then be taken back for a
-- while was nobody's work. What nobody claimed before answering it says nothing.
with k as materialized (select * from json_to_recordset(%(kinds)s::json) as k (exceptional bool, workflow text, point text))
select false as exceptional, k.workflow, k.point, c.minutes from k cross join lateral (
  select (extract(epoch from a.at - v.claimed_at) / 60)::float8 as minutes from review v
  cross join lateral (select coalesce(max(said.at), v.resolved_at) as at from review_verdict said
                      where said.tenant = v.tenant and said.review = v.id and said.undone_at is null) a
  where v.workflow = k.workflow and v.point = k.point and v.state = 'resolved' and v.claimed_at is not null and a.at > v.claimed_at
  order by v.resolved_at desc limit %(most)s) c
where not k.exceptional

-- name: people_at_work
-- Who has a claim, or was seen in a session a short while ago.
select count(*) from (
  select v.claimed_by from review v where v.state = 'claimed' and v.claimed_by > '' and v.claimed_until > %(at)s
  union
  select e.claimed_by from exception e where e.state = 'open' and e.claimed_by is not null and e.claimed_until > %(at)s
  union
  select p.name from person_session s join person p on p.id = s.person
  where s.closed_at is null and s.seen_at > %(since)s and p.disabled_at is null) w

-- name: saved_views
-- One's own, and those of everybody.
select id, name, owner, query, created_by, created_at from saved_view where owner is null or owner = %(who)s order by owner nulls first, name, id

-- name: save_view
insert into saved_view (id, tenant, name, owner, query, created_by, created_at)
values (%(id)s, current_tenant(), %(name)s, %(owner)s, %(query)s, %(who)s, %(at)s)
on conflict (tenant, coalesce(owner, ''), name) do update set query = excluded.query

-- name: forget_view
delete from saved_view where id = %(id)s and (owner = %(who)s or (owner is null and %(shared)s))

-- name: evidence_of
-- What has come in since each review was opened, and how its case stands; of notes, those of others. The writers of all of
-- it lock the case or the review, so that whoever holds both locks sees what stays.
select a.id, a.who,
       coalesce((select concat_ws(' ', count(*), max(n.id::text)) from case_event n where n.case_id = a.case_id having count(*) > 0), '') as event,
       coalesce((select concat_ws(' ', count(*), max(n.id::text)) from task_note n where n.task = a.id and n.who <> a.who having count(*) > 0), '') as note,
       coalesce((select concat_ws(' ', c.run, c.rewinds, extract(epoch from c.cancel_at)) from cases c where c.id = a.case_id), '') as course
from json_to_recordset(%(asked)s::json) as a (id uuid, who text, case_id uuid)

-- name: find_drawing
-- How far a point is drawn, its key, and from which decision on there is a sample at all.
select id, key, begun, drawn_to, drawn_to::text || '/' || looked_at::text || '/' || drawn::text as mark, looked_at, drawn from audit_drawing where id = %(id)s

-- name: begin_drawings
insert into audit_drawing (id, tenant, workflow, point, key, begun, drawn_to)
select id, tenant, workflow, point, decode(key, 'base64'), begun, begun
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, workflow text, point text, key text, begun uuid)
on conflict (id) do nothing

-- name: lock_drawings
select id, drawn_to::text || '/' || looked_at::text || '/' || drawn::text as state from audit_drawing where id = any(%(ids)s) order by id for no key update

-- name: went_by_itself
-- A page of the decisions of a point that no person took, in their order, with whether each is drawn already. What a recall or a
-- correction put in its place later was drawn from all the same: it had been done.
select d.id, d.exposure_minor, d.currency, d.evidence, exists (select from audit_draw a where a.decision = d.id) as drawn
from decision d
where d.workflow = %(workflow)s and d.point = %(point)s and d.id > %(after)s and d.id <= %(until)s
  and d.route in ('automatic', 'reject') and d.component <> 'person'
order by d.id limit %(most)s

-- name: add_draws
insert into audit_draw (decision, tenant, workflow, point, propensity, drawn_at)
select decision, tenant, workflow, point, propensity::numeric, drawn_at
from json_to_recordset(%(rows)s::json) as r (decision uuid, tenant uuid, workflow text, point text, propensity text, drawn_at timestamptz)
on conflict (decision) do nothing

-- name: advance_drawings
-- Only from where it stood: of two that looked at the same decisions one counts them.
update audit_drawing a set drawn_to = r.drawn_to, looked_at = a.looked_at + r.looked_at, drawn = a.drawn + r.drawn
from json_to_recordset(%(rows)s::json) as r (id uuid, was uuid, drawn_to uuid, looked_at bigint, drawn bigint)
where a.id = r.id and a.drawn_to = r.was

-- name: to_be_asked
-- What was drawn at a point and nobody is asked about yet, the oldest first, while its outcome is not overdue.
select a.decision, d.input, d.exposure_minor, d.currency
from audit_draw a join decision d on d.id = a.decision
where a.workflow = %(workflow)s and a.point = %(point)s and a.review is null and a.answered_at is null and a.decision >= %(since)s
order by a.decision limit %(most)s

-- name: ask_draws
update audit_draw a set review = r.review from json_to_recordset(%(rows)s::json) as r (decision uuid, review uuid)
where a.decision = r.decision and a.review is null

-- name: audited_by
-- The decision that a review is blind to, if it is of the audit sample.
select a.decision, a.workflow, a.point, a.propensity::text as propensity, d.route::text as route, d.output, d.component, d.decided_at
from audit_draw a join decision d on d.id = a.decision
where a.review = %(review)s and a.answered_at is null

-- name: answer_draws
update audit_draw a set answered_by = r.answered_by, answered_at = r.answered_at, was_right = r.was_right
from json_to_recordset(%(rows)s::json) as r (decision uuid, answered_by text, answered_at timestamptz, was_right bool)
where a.decision = r.decision and a.answered_at is null

-- name: looked_at
-- How many decisions of a point no person took in a time.
select count(*) from decision d
where d.workflow = %(workflow)s and d.point = %(point)s and d.id > %(since)s and d.id <= %(until)s
  and d.route in ('automatic', 'reject') and d.component <> 'person'

-- name: sampled
-- What was drawn of a point's decisions in a time, in their order.
select a.decision, a.propensity::text as propensity, a.review, a.drawn_at, a.answered_at, a.was_right, d.exposure_minor, d.currency, d.decided_at
from audit_draw a join decision d on d.id = a.decision
where a.workflow = %(workflow)s and a.point = %(point)s and a.decision > %(since)s and a.decision <= %(until)s
order by a.decision

-- name: found_wrong
-- Automatic decisions that a person, blind to them, answered otherwise: the newest first, with what has been done since.
select a.decision, a.workflow, a.point, a.review, a.answered_at, d.case_id, d.exposure_minor, d.currency,
       (select count(*) from action x where x.case_id = d.case_id and x.state in ('dispatching', 'in_doubt', 'done'))::int as done
from audit_draw a join decision d on d.id = a.decision
where not a.was_right and a.answered_at >= %(since)s order by a.answered_at desc, a.decision limit %(most)s

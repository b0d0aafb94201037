-- name: like_reviewed
-- What people decided at the same point: of the newest that went to a person, those with the nearest amounts. A resolution
-- that can still be undone is none yet.
with newest as materialized (
  select d.id, d.review, d.exposure_minor, d.currency, d.confidence, d.decided_at, d.case_id from decision d
  where d.route = 'review' and d.workflow = %(workflow)s and d.point = %(point)s and d.id < %(before)s
  order by d.id desc limit %(among)s
)
select n.id, n.case_id, n.review, n.exposure_minor, n.currency, n.confidence, n.decided_at, r.workflow, r.point,
       'review' as route, r.resolution::text as resolution, r.resolved_by, r.reason_code, r.resolved_at
from newest n join review r on r.id = n.review
where r.state = 'resolved' and n.review <> %(review)s
order by case when n.currency = %(currency)s then abs(n.exposure_minor - %(exposure)s::bigint) end nulls last, n.id desc
limit %(most)s

-- name: terms_of_decision
-- By what a decision is found.
select s1, s2, s3, s4, s5, s6, s7, s8 from searchable where id = %(id)s

-- name: told_decisions
-- Decisions with what people said of them.
select d.id, d.case_id, d.review, d.exposure_minor, d.currency, d.confidence, d.decided_at, d.workflow, d.point,
       d.route::text as route, r.resolution::text as resolution, r.resolved_by, r.reason_code, r.resolved_at
from decision d left join review r on r.id = d.review and r.state = 'resolved'
where d.id = any(%(ids)s::uuid[]) and d.id >= %(least)s and d.id <= %(greatest)s
order by d.id desc

-- name: standing_of_review
-- Who has a review and what keeps it from being decided; whether the case that it belongs to is to end.
select r.team, r.assigned_to, r.snoozed_until, r.snoozed_by, r.asked_to, r.asked_by, r.asked_at, r.asked_question,
       r.effective_at, r.held_verdict, r.needed, r.decided_by, r.disagreed, c.key as case_key, c.caller as handed_in_by
from review r left join cases c on c.id = r.case_id
where r.id = %(id)s

-- name: notes_of_task
select id, kind, who, to_whom, text, at from task_note where task = %(task)s order by id limit 200

-- name: verdicts_to_settle
-- Both verdicts, for whoever settles a disagreement; of a review on which nobody disagrees there are none here.
select v.seat, v.who, v.resolution::text as resolution, v.output, v.reason_code, v.note, v.at
from review_verdict v join review r on r.id = v.review
where v.review = %(review)s and v.undone_at is null and r.disagreed and r.state in ('open', 'claimed')
order by v.seat

-- name: verdict_of_mine
-- The newest verdict of somebody's own on a review, and until when it can be taken back.
select v.id, v.seat, v.resolution::text as resolution, v.reason_code, v.at, v.effective_at, v.undone_at,
       r.held_verdict = v.id as held, r.workflow, r.point
from review_verdict v join review r on r.id = v.review
where v.review = %(review)s and v.who = %(who)s
order by v.id desc limit 1

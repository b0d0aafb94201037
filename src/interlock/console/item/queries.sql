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

-- name: origin_of_case
select key, caller from cases where id = %(id)s

-- name: asked_of
-- What waits for somebody's answer, the oldest question first.
select id, 'review' as kind, workflow, point as about, asked_by, asked_to, asked_at, asked_question, exposure_minor, currency
from review where asked_to = any(%(names)s::text[]) and state in ('open', 'claimed')
union all
select id, 'exception' as kind, workflow, kind as about, asked_by, asked_to, asked_at, asked_question, exposure_minor, currency
from exception where asked_to = any(%(names)s::text[]) and state = 'open'
order by asked_at limit 200

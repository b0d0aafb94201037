-- name: add_known_cases
insert into known_case (id, tenant, workflow, point, resolution, output, explanation, added_by, added_at)
select id, tenant, workflow, point, resolution, decode(output, 'base64'), explanation, added_by, added_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, workflow text, point text, resolution resolution, output text,
  explanation text, added_by text, added_at timestamptz)

-- name: has_cases
-- Whether the reviews of a point belong to cases: the last twenty are asked.
select coalesce(bool_or(case_id is not null), false) from (
  select v.case_id from review v where v.workflow = %(workflow)s and v.point = %(point)s order by v.id desc limit 20) last

-- name: answered_known_cases
-- Those that were answered, and of which that is not on record yet.
select k.id, k.resolution::text as resolution, k.output, v.resolution::text as answered, v.output as answered_output,
       v.resolved_by as answered_by, v.resolved_at as answered_at
from known_case k join review v on v.id = k.id
where k.answered_at is null and v.state = 'resolved' order by k.id limit 500

-- name: reveal_known_cases
update known_case k set answered_by = r.answered_by, answered_at = r.answered_at, was_right = r.was_right
from json_to_recordset(%(rows)s::json) as r (id uuid, answered_by text, answered_at timestamptz, was_right bool)
where k.id = r.id and k.answered_at is null

-- name: revealed_to
-- What somebody answered that was a known case, alone or with others, the newest first; by their own verdict. What all said
-- was compared as values; somebody who said something else is compared by the canonical bytes.
select k.id, k.workflow, k.point, k.resolution::text as resolution, k.output, k.explanation, k.answered_at,
       case when said.resolution = v.resolution and said.output is not distinct from v.output then k.was_right
            else said.resolution = k.resolution and said.output is not distinct from k.output end as was_right,
       said.resolution::text as answered
from known_case k join review v on v.id = k.id
join review_verdict said on said.tenant = k.tenant and said.review = k.id and said.undone_at is null
where said.who = %(who)s and k.answered_at >= %(since)s order by k.answered_at desc limit %(most)s

-- name: try_to_draw
-- One process draws for a tenant at a time; held to the end of its transaction.
select pg_try_advisory_xact_lock(hashtext('interlock.second_looks'), hashtext(%(tenant)s::text))

-- name: begun_draw
-- From when on is to be drawn, asked for under that lock.
select drawn_to, extract(epoch from drawn_to)::text as mark from oversight_counted where tenant = %(tenant)s

-- name: lock_draws
select tenant as id, extract(epoch from drawn_to)::text as state from oversight_counted
where tenant = any(%(ids)s) order by tenant for no key update

-- name: draw_from
-- What was answered by one person alone since the last draw, and is neither a known case nor a second look itself.
select v.id, v.workflow, v.point, v.queue, v.question, v.proposal, v.exposure_minor, v.currency, v.urgency, v.resolved_by,
       v.resolved_at
from review v
where v.state = 'resolved' and v.resolved_at > %(since)s and v.resolved_at <= %(until)s and v.queue = any(%(queues)s)
  and v.resolved_by is not null and cardinality(v.decided_by) <= 1
  and not exists (select from known_case k where k.id = v.id) and not exists (select from second_look s where s.id = v.id)
  and not exists (select from second_look s where s.tenant = v.tenant and s.first = v.id)
order by v.resolved_at fetch first %(most)s rows with ties

-- name: add_second_looks
insert into second_look (id, tenant, first, propensity, drawn_at, first_by)
select id, tenant, first, propensity::numeric, drawn_at, first_by
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, first uuid, propensity text, drawn_at timestamptz, first_by text)

-- name: advance_draw
update oversight_counted c set drawn_to = r.drawn_to
from json_to_recordset(%(rows)s::json) as r (tenant uuid, drawn_to timestamptz)
where c.tenant = r.tenant and c.drawn_to < r.drawn_to

-- name: answered_second_looks
select s.id, s.first, s.first_by, s.propensity::text as propensity, one.resolution::text as first_resolution,
       one.output as first_output, two.resolution::text as second_resolution, two.output as second_output,
       two.resolved_by as second_by
from second_look s join review one on one.id = s.first join review two on two.id = s.id
where s.compared_at is null and two.state = 'resolved' order by s.id limit 500

-- name: compare_second_looks
update second_look s set second_by = r.second_by, compared_at = r.compared_at, agreed = r.agreed
from json_to_recordset(%(rows)s::json) as r (id uuid, second_by text, compared_at timestamptz, agreed bool)
where s.id = r.id and s.compared_at is null

-- name: disagreements
-- Second looks at which the second person said something else, the newest first; who said what stands in the reviews.
select s.id, s.first, s.compared_at, one.workflow, one.point, one.exposure_minor, one.currency,
       one.resolution::text as first_resolution, one.reason_code as first_reason, two.resolution::text as second_resolution,
       two.reason_code as second_reason
from second_look s join review one on one.id = s.first join review two on two.id = s.id
where not s.agreed and s.compared_at >= %(since)s order by s.compared_at desc, s.id limit %(most)s

-- name: answers_since
-- The newest that people answered, with how long they looked, in order of time; four eyes are two answers, of which neither counts
-- before it is decided: the figures would tell the second what the first said.
select review, who, at, resolution, length, looked_ms, looked_of from (
  select said.id, said.review, said.who, said.at, said.resolution::text as resolution, octet_length(v.question) as length,
         said.looked_ms, said.looked_of
  from review_verdict said join review v on v.id = said.review
  where said.at >= %(since)s and said.undone_at is null and v.state = 'resolved'
    and (%(who)s::text is null or said.who = %(who)s)
  order by said.at desc, said.id desc limit %(most)s) newest
order by at, id

-- name: checked_known
-- As in revealed_to: everybody's own verdict.
select said.who, case when said.resolution = v.resolution and said.output is not distinct from v.output then k.was_right
                      else said.resolution = k.resolution and said.output is not distinct from k.output end as "right"
from known_case k join review v on v.id = k.id
join review_verdict said on said.tenant = k.tenant and said.review = k.id and said.undone_at is null
where k.answered_at >= %(since)s and (%(who)s::text is null or said.who = %(who)s)

-- name: checked_second
select first_by as who, agreed as "right" from second_look
where compared_at >= %(since)s and (%(who)s::text is null or first_by = %(who)s)

-- name: checked_outcomes
-- What became of the newest so many answers. Where an outcome of the proposal is recorded it tells: an approval was right where the
-- proposal was, a rejection where it was not, a change where it is the recorded truth itself; what else a change was worth, and a
-- rejection of what may itself have said no, nobody knows. Where none is recorded: an approved answer whose action was undone, or
-- whose decision was recalled, was not borne out. Apart (offset 0): both are looked up for these answers alone.
select v.who, v."right" from (
  select r.resolved_by as who, case
      when o.decision is null then case when r.resolution <> 'reject' and r.case_id is not null and exists (
          select from action a where a.case_id = r.case_id and a.tenant = r.tenant and a.state in ('done', 'undoing', 'undone'))
        then not exists (
          select from action a where a.case_id = r.case_id and a.tenant = r.tenant and a.state in ('undoing', 'undone')) end
      when r.resolution = 'approve' then o.is_right
      when r.resolution = 'reject' and not o.is_right then true
      when r.resolution = 'reject' and position(':false'::bytea in r.proposal) = 0 then false
      when r.resolution = 'change' and not o.is_right
        then (select true from outcome w where w.id = o.outcome and w.truth = r.output) end as "right"
  from (
    select r.id, r.tenant, r.case_id, r.decision_id, r.resolved_by, r.resolution, r.proposal, r.output from review r
    where r.state = 'resolved' and r.resolved_at >= %(since)s and r.resolved_by is not null
      and (%(who)s::text is null or r.resolved_by = %(who)s)
    order by r.resolved_at desc limit %(most)s) r
  left join decision_outcome o on o.decision = r.decision_id
  where not exists (select from known_case k where k.id = r.id)
  offset 0) v
where v."right" is not null

-- name: first_answers
-- When each of these first answered something.
select w.who, f.first_at from unnest(%(people)s::text[]) as w (who)
cross join lateral (
  select said.at as first_at from review_verdict said where said.who = w.who and said.at >= %(since)s order by said.at limit 1) f

-- name: seen_by
select person, max(seen_at) as seen_at from quality_seen where seen_at >= %(since)s group by person

-- name: remarks_of
select person, seen_at, remark from quality_seen
where remark <> '' and seen_at >= %(since)s and (%(who)s::text is null or person = %(who)s) order by seen_at desc limit 200

-- name: add_seen
insert into quality_seen (id, tenant, person, seen_at, remark)
select id, tenant, person, seen_at, remark
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, person text, seen_at timestamptz, remark text)

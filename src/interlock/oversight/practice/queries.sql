-- name: add_lessons
-- What was withdrawn may be declared again.
insert into lesson (id, tenant, workflow, point, taught_by, explanation, declared_by, declared_at)
select id, tenant, workflow, point, taught_by, explanation, declared_by, declared_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, workflow text, point text, taught_by text, explanation text,
  declared_by text, declared_at timestamptz)
on conflict (id) do update set explanation = excluded.explanation, declared_by = excluded.declared_by,
  declared_at = excluded.declared_at, withdrawn_by = null, withdrawn_at = null

-- name: withdraw_lessons
update lesson l set withdrawn_by = r.withdrawn_by, withdrawn_at = r.withdrawn_at
from json_to_recordset(%(rows)s::json) as r (id uuid, withdrawn_by text, withdrawn_at timestamptz)
where l.id = r.id and l.withdrawn_at is null

-- name: lessons
select id, workflow, point, taught_by, explanation, declared_by, declared_at from lesson
where withdrawn_at is null order by declared_at desc, id limit 500

-- name: admission
-- What speaks against a review as a lesson, and how many rest on the word of the same person.
select exists (select from known_case k where k.id = v.id) as seeded,
       exists (select from second_look s where (s.id = v.id or (s.tenant = v.tenant and s.first = v.id)) and not s.agreed) as differed,
       v.case_id is not null and exists (
         select from action a where a.tenant = v.tenant and a.case_id = v.case_id and a.state in ('undoing', 'undone')) as undone,
       (select count(*) from lesson l where l.workflow = v.workflow and l.point = v.point and l.withdrawn_at is null) as lessons,
       (select count(*) from lesson l where l.workflow = v.workflow and l.point = v.point and l.withdrawn_at is null
          and l.taught_by = %(taught_by)s) as of_one
from review v where v.id = %(review)s

-- name: next_material
-- One item, by lot, that somebody neither decided, declared nor seeded; what they have not seen first.
with material as (
  select k.id, k.added_by as by from known_case k
  where k.workflow = %(workflow)s and k.point = %(point)s and k.answered_at is not null
  union all
  select l.id, l.declared_by from lesson l
  where l.workflow = %(workflow)s and l.point = %(point)s and l.withdrawn_at is null
)
select m.id, v.workflow, v.point,
       not exists (select from practice_attempt a where a.person = %(person)s and a.review = m.id) as counts
from material m join review v on v.id = m.id
where regexp_replace(lower(btrim(m.by)), '^cli:', '') <> %(person)s
  and not exists (select from review_verdict said where said.tenant = v.tenant and said.review = v.id
                    and regexp_replace(lower(btrim(said.who)), '^cli:', '') = %(person)s)
order by counts desc, random() limit 1

-- name: has_material
-- At which points there is something to practise on for somebody, and how much of it counts.
with material as (
  select k.id, k.workflow, k.point, k.added_by as by from known_case k where k.answered_at is not null
  union all
  select l.id, l.workflow, l.point, l.declared_by from lesson l where l.withdrawn_at is null
)
select m.workflow, m.point, count(*) as items,
       count(*) filter (where not exists (
         select from practice_attempt a where a.person = %(person)s and a.review = m.id)) as "left"
from material m join review v on v.id = m.id
where regexp_replace(lower(btrim(m.by)), '^cli:', '') <> %(person)s
  and not exists (select from review_verdict said where said.tenant = v.tenant and said.review = v.id
                    and regexp_replace(lower(btrim(said.who)), '^cli:', '') = %(person)s)
group by m.workflow, m.point order by m.workflow, m.point

-- name: truth_of
-- What is right of something that is practised on; also of a lesson that was withdrawn since it was begun.
select k.resolution::text as resolution, k.output, null::text as reason_code, k.explanation from known_case k
where k.id = %(review)s and k.answered_at is not null
union all
select v.resolution::text, case when v.resolution = 'change' then v.output end, v.reason_code, l.explanation
from lesson l join review v on v.id = l.id where l.id = %(review)s and v.resolution is not null

-- name: add_attempts
insert into practice_attempt (id, tenant, person, review, workflow, point, counts, begun_at)
select id, tenant, person, review, workflow, point, counts, begun_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, person text, review uuid, workflow text, point text, counts bool,
  begun_at timestamptz)
on conflict do nothing

-- name: open_attempt
select id, person, review, workflow, point, counts, begun_at, answered_at, resolution::text as resolution, output, reason_code, was_right
from practice_attempt where person = %(person)s and workflow = %(workflow)s and point = %(point)s and answered_at is null

-- name: find_attempt
select id, person, review, workflow, point, counts, begun_at, answered_at, resolution::text as resolution, output, reason_code, was_right
from practice_attempt where id = %(id)s

-- name: answer_attempts
update practice_attempt a set answered_at = r.answered_at, resolution = r.resolution, output = decode(r.output, 'base64'),
  reason_code = r.reason_code, was_right = r.was_right
from json_to_recordset(%(rows)s::json) as r (id uuid, answered_at timestamptz, resolution resolution, output text, reason_code text,
  was_right bool)
where a.id = r.id and a.answered_at is null

-- name: practised
-- What somebody answered that counts, the newest first; what was withdrawn since counts no more.
select a.workflow, a.point, a.was_right from practice_attempt a
where a.person = %(person)s and a.answered_at >= %(since)s and a.counts
  and (%(workflow)s::text is null or (a.workflow = %(workflow)s and a.point = %(point)s))
  and not exists (select from lesson l where l.id = a.review and l.withdrawn_at is not null)
order by a.answered_at desc, a.id desc limit 5000

-- name: add_qualifications
insert into qualification (id, tenant, person, workflow, point, given_at, until, given_by, why)
select id, tenant, person, workflow, point, given_at, until, given_by, why
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, person text, workflow text, point text, given_at timestamptz,
  until timestamptz, given_by text, why text)

-- name: take_qualifications
update qualification q set taken_at = r.taken_at, taken_by = r.taken_by
from json_to_recordset(%(rows)s::json) as r (id uuid, taken_at timestamptz, taken_by text)
where q.id = r.id and q.taken_at is null

-- name: qualified_at
select id, person, workflow, point, given_at, until, given_by, why, taken_at from qualification
where workflow = %(workflow)s and point = any(%(points)s) order by until desc, id limit 5000

-- name: qualified
-- Who is qualified now, everywhere: everybody, or one person.
select id, person, workflow, point, given_at, until, given_by, why, taken_at from qualification
where taken_at is null and until > %(now)s and (%(person)s::text is null or person = %(person)s)
order by workflow, point, person, until desc limit 5000

-- name: recorded_decisions
-- Every decision that came to a point and that one of these components answered (which: see the view), with what is known of
-- its proposal.
select d.id, d.component_digest, d.confidence, d.exposure_minor, d.currency, d.route::text as route, d.verdicts,
       case when %(attempts)s then d.attempts end as attempts,
       case when %(input)s then d.input end as input,
       case when %(output)s or %(attempts)s or r.resolution <> 'approve' or d.route = 'reject' or d.verdicts <> '[]'::bytea
            then d.output end as output,
       d.outcome, d.is_right, d.loss_minor, d.loss_currency, d.standing::text as standing,
       r.id as review, r.resolution::text as resolution, r.output as resolved,
       d.propensity, d.was_right,
       case when %(attempts)s then (select w.truth from outcome w where w.id = d.outcome) end as truth
from answered_decision d
left join review r on r.id = d.review and r.state = 'resolved'
  and not exists (select from decision n where n.supersedes = d.id)
  and not exists (select from recall_member m where m.member in (d.id, d.case_id) and m.state in ('ended', 'anew'))
where d.workflow = %(workflow)s and d.point = %(point)s and d.id >= %(since)s and d.id < %(until)s
  and (%(attempts)s or d.component_digest = any(%(digests)s::bytea[]))
  and (%(files)s::bytea[] is null or d.declaration = any(%(files)s::bytea[]))
order by d.id

-- name: decided_under
-- The files that a point's decisions were taken under, each with a build that holds it, and how many they are.
select d.declaration, (array_agg(d.build) filter (where d.build is not null))[1] as build, count(*) as decisions
from decision d
where d.workflow = %(workflow)s and d.point = %(point)s and d.id >= %(since)s and d.id < %(until)s
  and d.component_digest = any(%(digests)s::bytea[]) and d.confidence is not null
group by d.declaration

-- name: sample_begun
-- After which decision the audit sample of a point begins, and up to which it was drawn.
select begun, drawn_to from audit_drawing where workflow = %(workflow)s and point = %(point)s

-- name: changed_since
-- Decisions of which something came to be known after a moment, of those that a certificate rests on.
select d.id, greatest(o.changed_at, r.resolved_at) as at
from decision d
left join decision_outcome o on o.decision = d.id
left join review r on r.id = d.review and r.state = 'resolved'
where d.workflow = %(workflow)s and d.point = %(point)s and d.id >= %(since)s and d.id < %(until)s
  and d.component_digest = any(%(digests)s::bytea[])
  and (o.changed_at > %(after)s or r.resolved_at > %(after)s)
order by d.id limit %(most)s

-- name: stands
-- What counts at the points of a tenant; with its certificate, and how its monitor stands.
select a.id, a.workflow, a.point, a.turn, a.state, a.certificate, a.threshold, a.valid_until, a.why, a.who, a.changed_at, a.tried_at,
       a.refused, c.content, m.counted, m.lost_minor, m.evidence, m.crossed_at, m.ended_at
from autonomy a
left join certificate c on c.id = a.certificate
left join certificate_monitor m on m.certificate = a.certificate
where %(id)s::uuid is null or a.id = %(id)s::uuid
order by a.workflow, a.point

-- name: note_tried
-- That a certificate was derived, and why there was none.
update autonomy a set tried_at = r.tried_at, refused = r.refused
from json_to_recordset(%(rows)s::json) as r (id uuid, tried_at timestamptz, refused text)
where a.id = r.id

-- name: count_tries
-- From how many other data it was derived at a point under these terms after the last one was issued, whatever came out: from the
-- same data the same comes out.
select count(distinct convert_from(e.body, 'UTF8')::jsonb ->> 'data') from ledger_entry e
where e.subject = %(subject)s and e.id > %(after)s and e.kind in ('certificate.tried', 'certificate.refused')
  and convert_from(e.body, 'UTF8')::jsonb ->> 'terms' = %(terms)s and convert_from(e.body, 'UTF8')::jsonb ->> 'data' <> %(data)s

-- name: certificates_of
select c.id, c.digest, c.content, m.counted, m.lost_minor, m.evidence, m.crossed_at, m.ended_at
from certificate c left join certificate_monitor m on m.certificate = c.id
where c.workflow = %(workflow)s and c.point = %(point)s
order by c.id desc limit %(most)s

-- name: add_monitors
-- One that goes on for another begins with what that one has, and from where it stands; if all of that one's is counted, from now.
insert into certificate_monitor (certificate, tenant, wealth, counted, lost_minor, evidence, counted_to, counted_id, looked_at)
select r.certificate, r.tenant, coalesce(o.wealth, decode(r.wealth, 'base64')), coalesce(o.counted, r.counted),
       coalesce(o.lost_minor, r.lost_minor), coalesce(o.evidence, r.evidence),
       case when o.closed_at < r.looked_at then r.counted_to else coalesce(o.counted_to, r.counted_to) end,
       case when o.closed_at < r.looked_at then r.counted_id else coalesce(o.counted_id, r.counted_id) end, r.looked_at
from json_to_recordset(%(rows)s::json) as r (certificate uuid, tenant uuid, wealth text, counted bigint, lost_minor bigint,
  evidence double precision, counted_to timestamptz, counted_id uuid, looked_at timestamptz, goes_on uuid)
left join certificate_monitor o on o.certificate = r.goes_on

-- name: lock_monitors
-- Whoever counts, counts under this lock, from where the last one stopped.
select certificate as id, counted::text || ' ' || extract(epoch from looked_at)::text as state
from certificate_monitor where certificate = any(%(ids)s::uuid[]) order by certificate for no key update

-- name: open_monitors
-- The monitors of a tenant that have decisions yet to count.
select m.certificate, c.workflow, c.point, c.content, m.wealth, m.counted, m.lost_minor, m.evidence, m.counted_to, m.counted_id, m.looked_at,
       m.crossed_at, m.ended_at, m.counted::text || ' ' || extract(epoch from m.looked_at)::text as mark
from certificate_monitor m join certificate c on c.id = m.certificate
where m.closed_at is null order by m.certificate

-- name: matured_decisions
-- Those whose outcome is due, in the order in which it was: of the same decisions as the evidence (the view), and
-- whatever else went by itself, as by a version that a certificate before this one counted for.
select d.id, d.decided_at, d.exposure_minor, d.currency, d.route::text as route, d.is_right, d.loss_minor, d.loss_currency,
       d.propensity, d.standing::text as standing, case when d.route = 'reject' then d.output end as output, d.was_right
from answered_decision d
where d.workflow = %(workflow)s and d.point = %(point)s and d.id >= %(from_id)s and d.id < %(to_id)s
  and (d.decided_at, d.id) > (%(counted_to)s, %(counted_id)s) and d.decided_at < %(before)s
  and (d.route <> 'review' or d.component_digest = any(%(digests)s::bytea[]))
order by d.decided_at, d.id limit %(most)s

-- name: worse_words
-- When it was last said of decisions that they were wrong, after that was due: the newest first. Of what a condition turned into a no
-- the bad news is that the proposal was right, unless that said no itself.
select x.changed_at
from (
  (select o.changed_at from decision_outcome o
   where o.workflow = %(workflow)s and o.point = %(point)s and not o.is_right and o.changed_at > %(changed)s
     and o.decision >= %(since)s and o.decision < %(until)s and o.changed_at > o.decided_at + %(due)s::interval
   order by o.changed_at desc limit %(most)s)
  union all
  (select o.changed_at from decision d join decision_outcome o on o.decision = d.id
   where d.workflow = %(workflow)s and d.point = %(point)s and d.id >= %(since)s and d.id < %(until)s
     and (d.route = 'reject' or position('"route":"reject"'::bytea in d.verdicts) > 0)
     and o.is_right and o.changed_at > %(changed)s and o.changed_at > o.decided_at + %(due)s::interval
     and not no_is_right(o.is_right, o.standing, null, d.output, %(compared)s::json)
   order by o.changed_at desc limit %(most)s)) x
order by x.changed_at desc limit %(most)s

-- name: came_since
select count(*) from decision where workflow = %(workflow)s and point = %(point)s and id >= %(since)s and id < %(until)s

-- name: advance_monitors
update certificate_monitor m
set wealth = decode(r.wealth, 'base64'), counted = r.counted, lost_minor = r.lost_minor, evidence = r.evidence, counted_to = r.counted_to,
    counted_id = r.counted_id, looked_at = r.looked_at, crossed_at = coalesce(r.crossed_at, m.crossed_at),
    closed_at = coalesce(m.closed_at, r.closed_at)
from json_to_recordset(%(rows)s::json) as r (certificate uuid, wealth text, counted bigint, lost_minor bigint, evidence double precision,
  counted_to timestamptz, counted_id uuid, looked_at timestamptz, crossed_at timestamptz, closed_at timestamptz)
where m.certificate = r.certificate

-- name: end_monitors
-- From now on the certificate lets nothing go any more; what it let go is still counted when its outcome is due, by its own
-- monitor or by the one that goes on for it: then its own counts no more (whoever has just read it finds it moved).
update certificate_monitor m
set ended_at = coalesce(m.ended_at, r.ended_at), closed_at = case when r.handed_on then r.ended_at end,
    looked_at = case when r.handed_on then r.ended_at else m.looked_at end
from json_to_recordset(%(rows)s::json) as r (certificate uuid, ended_at timestamptz, handed_on boolean)
where m.certificate = r.certificate and m.closed_at is null and (m.ended_at is null or r.handed_on)

-- name: add_course
insert into certificate_course (certificate, tenant, counted, at, evidence, lost_minor)
select certificate, tenant, counted, at, evidence, lost_minor
from json_to_recordset(%(rows)s::json) as r (certificate uuid, tenant uuid, counted bigint, at timestamptz, evidence double precision,
  lost_minor bigint)
on conflict (certificate, counted) do nothing

-- name: thin_course
-- Only every so manieth point stays.
delete from certificate_course c using json_to_recordset(%(rows)s::json) as r (certificate uuid, stride bigint)
where c.certificate = r.certificate and c.counted %% r.stride <> 0

-- name: course_of
select counted, at, evidence, lost_minor from certificate_course where certificate = %(certificate)s order by counted

-- name: try_to_keep
-- One process counts and ends, and one derives, for a tenant at a time: held by the session, so that no transaction is, and ended
-- with the process.
select pg_try_advisory_lock(hashtext('interlock.certificates.' || %(part)s::text), hashtext(%(tenant)s::text))

-- name: end_keeping
select pg_advisory_unlock(hashtext('interlock.certificates.' || %(part)s::text), hashtext(%(tenant)s::text))

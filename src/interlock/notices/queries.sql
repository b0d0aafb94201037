-- name: notice_facts
-- What somebody may be told of now, of the last day: what is older is no news. What was told before is known by its id, so that it may
-- be found again; of what may be more than one look takes, the newest comes first, and what these channels told takes no place. What
-- has no team is its queue's or its owner's.
with item as not materialized (
  select id, 'review' as item, state = 'open' as free, 1 as priority, workflow, point as what, queue,
         case when team is null then queue else team end as team, assigned_to, assigned_at, claimed_by, asked_to, asked_at, exposure_minor,
         currency, urgency, created_at, due_at
  from review where state in ('open', 'claimed')
  union all
  select id, 'exception', true, priority, workflow, kind, owner,
         case when team is null then owner else team end, assigned_to, assigned_at, claimed_by, asked_to, asked_at, exposure_minor,
         currency, urgency, created_at, due_at
  from exception where state = 'open'
)
select 'assigned' as kind, t.id as subject, 'to ' || t.assigned_to || ' ' || extract(epoch from coalesce(t.assigned_at, t.created_at)) as stage,
       t.item, t.assigned_to as person, t.team, t.queue, t.workflow, t.what, t.exposure_minor, t.currency, t.urgency
from item t where t.assigned_to is not null and coalesce(t.assigned_at, t.created_at) > %(since)s
union all
select 'asked', t.id, extract(epoch from t.asked_at)::text, t.item, t.asked_to, t.team, t.queue, t.workflow, t.what,
       t.exposure_minor, t.currency, t.urgency
from item t where t.asked_to is not null and t.asked_at > %(since)s
union all
(select 'urgent', t.id, '', t.item, null, t.team, t.queue, t.workflow, t.what, t.exposure_minor, t.currency, t.urgency
 from item t where t.free and t.created_at > %(since)s and t.urgency >= %(urgent)s
   and not exists (select from notice n where n.subject = t.id and n.kind = 'urgent' and n.channel = any(%(channels)s))
 order by t.created_at desc limit %(most)s)
union all
(select 'deadline', t.id, s.stage, t.item, coalesce(t.assigned_to, t.claimed_by), t.team, t.queue, t.workflow, t.what, t.exposure_minor,
        t.currency, t.urgency
 from item t
 cross join lateral (
   select case when t.due_at <= %(now)s then 'past' when t.created_at + (t.due_at - t.created_at) * 0.8 <= %(now)s then 'near' else 'half' end,
          greatest(t.created_at, case when t.due_at <= %(now)s then t.due_at
            when t.created_at + (t.due_at - t.created_at) * 0.8 <= %(now)s then t.created_at + (t.due_at - t.created_at) * 0.8
            else t.created_at + (t.due_at - t.created_at) * 0.5 end)) s (stage, crossed_at)
 where t.due_at > %(since)s and s.crossed_at between %(since)s and %(now)s
   and not exists (select from notice n where n.subject = t.id and n.kind = 'deadline' and n.stage = s.stage and n.channel = any(%(channels)s))
 order by s.crossed_at desc limit %(most)s)
union all
(select 'second', v.id, cardinality(v.decided_by)::text, 'review', null, case when v.team is null then v.queue else v.team end, v.queue,
        v.workflow, v.point, v.exposure_minor, v.currency, v.urgency
 from review v
 where v.state = 'open' and v.decided_by <> '{}'
   and %(since)s < (select max(d.effective_at) from review_verdict d where d.review = v.id and d.undone_at is null)
   and not exists (select from notice n where n.subject = v.id and n.kind = 'second' and n.stage = cardinality(v.decided_by)::text
                     and n.channel = any(%(channels)s))
 order by v.id desc limit %(most)s)
union all
select 'stop', id, '', 'stop', null, null, null, null, scope, null, null, 0
from stop where created_at > %(since)s and lifted_at is null
union all
(select 'exception', t.id, '', t.item, null, t.team, t.queue, t.workflow, t.what, t.exposure_minor, t.currency, t.urgency
 from item t where t.item = 'exception' and t.priority = 0 and t.created_at > %(since)s
   and not exists (select from notice n where n.subject = t.id and n.kind = 'exception' and n.channel = any(%(channels)s))
 order by t.created_at desc limit %(most)s)
union all
select 'capacity', id, turn::text, 'queue', null, null, queue, null, queue, null, null, 0
from queue_response where state = 'saturated' and changed_at > %(since)s
union all
select 'autonomy', m.certificate, 'crossed ' || extract(epoch from m.crossed_at), 'certificate', null, null, null, c.workflow,
       c.point || ' lost more than it allows', null, null, 0
from certificate_monitor m join certificate c on c.id = m.certificate where m.crossed_at > %(since)s
union all
select 'autonomy', a.id, 'refused ' || extract(epoch from a.tried_at), 'certificate', null, null, null, a.workflow,
       a.point || ' could not be derived anew', null, null, 0
from autonomy a where a.refused is not null and a.tried_at > %(since)s
union all
select 'autonomy', a.certificate, 'over', 'certificate', null, null, null, a.workflow, a.point || ' counts no more', null, null, 0
from autonomy a where a.state in ('certified', 'narrowed') and a.valid_until > %(since)s and a.valid_until <= %(now)s
union all
select 'autonomy', a.id, 'contradicted ' || to_char(o.changed_at at time zone 'UTC', 'YYYY-MM-DD'), 'certificate', null, null, null, a.workflow,
       a.point || ' rests on outcomes that contradict one another', null, null, 0
from autonomy a
cross join lateral (
  select c.changed_at from decision_outcome c
  where c.standing = 'contradictory' and c.workflow = a.workflow and c.point = a.point and c.changed_at > %(since)s
  order by c.changed_at desc limit 1) o

-- name: notice_digest
-- How each queue stands, for a digest.
select queue, count(*)::int as waiting, min(created_at) as oldest, sum(exposure_minor)::bigint as exposure_minor, currency
from review where state in ('open', 'claimed') group by queue, currency order by queue, currency

-- name: notice_readers
select name, email, teams from person where disabled_at is null and email is not null

-- name: add_notices
insert into notice (id, tenant, channel, recipient, kind, subject, stage, line, path, created_at, due_at)
select id, tenant, channel, recipient, kind, subject, stage, line, path, created_at, due_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, channel text, recipient text, kind text, subject uuid, stage text,
  line text, path text, created_at timestamptz, due_at timestamptz)
on conflict (id) do nothing

-- name: claim_notices
-- What was to go in one letter goes in the same one again. A recipient who had as many letters as an hour allows waits, and
-- all that came meanwhile goes into the next.
with ready as (
  select n.id, n.recipient, n.letter from notice n
  where n.channel = %(channel)s and n.sent_at is null and n.failed_at is null and n.due_at <= %(now)s
    and (n.claimed_until is null or n.claimed_until <= %(now)s)
    and (n.letter is not null
         or (select count(distinct s.letter) from notice s
             where s.channel = n.channel and s.recipient = n.recipient
               and s.sent_at > %(now)s - interval '1 hour') < %(most_per_hour)s)
  order by n.letter nulls last, n.created_at, n.id limit %(most)s for update of n skip locked
), letters as (
  select recipient, letter as was, coalesce(letter, gen_random_uuid()) as letter from ready group by recipient, letter
)
update notice n set letter = l.letter, claimed_until = %(until)s, attempts = n.attempts + 1
from ready r join letters l on l.recipient = r.recipient and l.was is not distinct from r.letter
where n.id = r.id
returning n.id, n.channel, n.recipient, n.kind, n.subject, n.line, n.path, n.letter, n.attempts

-- name: end_notices
-- A letter is sent; or it is not, and goes again at another time, or never.
update notice n set sent_at = r.sent_at, failed_at = r.failed_at, due_at = coalesce(r.due_at, n.due_at), error = r.error,
       claimed_until = null
from json_to_recordset(%(rows)s::json) as r (letter uuid, sent_at timestamptz, failed_at timestamptz, due_at timestamptz, error text)
where n.letter = r.letter and n.sent_at is null and n.failed_at is null

-- name: list_notices
select id, channel, recipient, kind, line, path, created_at, due_at, attempts, sent_at, failed_at, error
from notice where not %(open)s or sent_at is null order by created_at desc, id desc limit %(most)s

-- name: retry_notices
-- What was given up goes again.
update notice set failed_at = null, attempts = 0, due_at = %(now)s, claimed_until = null where failed_at is not null returning id

-- name: forget_notices
-- What nobody is told any more: nothing that is told is as old, so that it would be told again.
with old as materialized (
  select id from notice where created_at < %(before)s and (claimed_until is null or claimed_until <= %(now)s) limit %(most)s
  for update skip locked)
delete from notice where id in (select id from old) returning id

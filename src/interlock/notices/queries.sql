-- name: notice_facts
-- What somebody may be told of now. What was told before is known by its id, so that it may be found again.
select 'assigned' as kind, t.id as subject, 'to ' || t.assigned_to as stage, t.item, t.assigned_to as person, t.team, t.queue,
       t.workflow, t.what, t.exposure_minor, t.currency, t.urgency
from (select id, 'review' as item, assigned_to, team, queue, workflow, point as what, exposure_minor, currency, urgency
      from review where state in ('open', 'claimed') and assigned_to is not null
      union all
      select id, 'exception', assigned_to, team, owner, workflow, kind, exposure_minor, currency, urgency
      from exception where state = 'open' and assigned_to is not null) t
union all
select 'asked', t.id, extract(epoch from t.asked_at)::text, t.item, t.asked_to, t.team, t.queue, t.workflow, t.what,
       t.exposure_minor, t.currency, t.urgency
from (select id, 'review' as item, asked_to, asked_at, team, queue, workflow, point as what, exposure_minor, currency, urgency
      from review where state in ('open', 'claimed') and asked_to is not null
      union all
      select id, 'exception', asked_to, asked_at, team, owner, workflow, kind, exposure_minor, currency, urgency
      from exception where state = 'open' and asked_to is not null) t
union all
(select 'urgent', id, '', 'review', null, team, queue, workflow, point, exposure_minor, currency, urgency
 from review where state = 'open' and created_at > %(since)s and urgency >= %(urgent)s order by urgency desc limit %(most)s)
union all
(select 'deadline', id,
        case when due_at <= %(now)s then 'past'
             when %(now)s >= created_at + (due_at - created_at) * 0.8 then 'near' else 'half' end,
        'review', coalesce(assigned_to, claimed_by), team, queue, workflow, point, exposure_minor, currency, urgency
 from review
 where state in ('open', 'claimed') and due_at > %(since)s and %(now)s >= created_at + (due_at - created_at) * 0.5
 order by due_at limit %(most)s)
union all
(select 'second', id, cardinality(decided_by)::text, 'review', null, team, queue, workflow, point, exposure_minor, currency, urgency
 from review where state = 'open' and cardinality(decided_by) > 0 order by id desc limit %(most)s)
union all
select 'stop', id, '', 'stop', null, null, null, null, scope, null, null, 0
from stop where created_at > %(since)s and lifted_at is null
union all
(select 'exception', id, '', 'exception', null, team, owner, workflow, kind, exposure_minor, currency, urgency
 from exception where state = 'open' and priority = 0 and created_at > %(since)s order by id desc limit %(most)s)
union all
select 'capacity', id, turn::text, 'queue', null, null, queue, null, queue, null, null, 0
from queue_response where state = 'saturated' and changed_at > %(since)s

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

-- name: find_secret
select tenant, wrapped, master from personal_secret

-- name: add_secret
-- Of two processes that make one at once, one wins; both then read it.
insert into personal_secret (tenant, wrapped, master) values (%(tenant)s, %(wrapped)s, %(master)s) on conflict do nothing

-- name: find_keys
select id, tenant, subject, alone, wrapped, master, created_at, held_until, erased_at, erased_by, erased_why
from subject_key where id = any(%(ids)s)

-- name: find_live_key
select id, tenant, subject, alone, wrapped, master, created_at, held_until, erased_at, erased_by, erased_why
from subject_key where subject = %(subject)s and wrapped is not null

-- name: add_key
-- Of two processes that meet a person at once, one wins; both then read its key. Nothing is added under a master key that
-- is replaced: whoever replaces it waits for what is being added.
insert into subject_key (id, tenant, subject, alone, wrapped, master)
select %(id)s, %(tenant)s, %(subject)s, %(alone)s, %(wrapped)s, %(master)s
from personal_secret where master = %(master)s for share
on conflict (tenant, subject) where wrapped is not null do nothing

-- name: keys_of_subject
select id, tenant, subject, alone, wrapped, master, created_at, held_until, erased_at, erased_by, erased_why
from subject_key where subject = %(subject)s order by id

-- name: add_records
insert into subject_record (tenant, key, kind, record)
select tenant, key, kind::subject_record_kind, record
from json_to_recordset(%(rows)s::json) as r (tenant uuid, key uuid, kind text, record uuid)
on conflict do nothing

-- name: lock_subjects
select id, case when wrapped is null then 'erased' when held_until > clock_timestamp() then 'held' else 'live' end as state
from subject_key where id = any(%(ids)s) order by id for no key update

-- name: erase_keys
update subject_key k set wrapped = null, erased_at = r.at, erased_by = r.who, erased_why = r.why
from json_to_recordset(%(rows)s::json) as r (id uuid, at timestamptz, who text, why text)
where k.id = r.id and k.wrapped is not null

-- name: forget_terms
-- Nobody finds decisions by an erased person any more: personal terms begin with the byte 254, see search/term.py.
update searchable t set
    s1 = case when get_byte(t.s1, 0) = 254 then null else t.s1 end,
    s2 = case when get_byte(t.s2, 0) = 254 then null else t.s2 end,
    s3 = case when get_byte(t.s3, 0) = 254 then null else t.s3 end,
    s4 = case when get_byte(t.s4, 0) = 254 then null else t.s4 end,
    s5 = case when get_byte(t.s5, 0) = 254 then null else t.s5 end,
    s6 = case when get_byte(t.s6, 0) = 254 then null else t.s6 end,
    s7 = case when get_byte(t.s7, 0) = 254 then null else t.s7 end,
    s8 = case when get_byte(t.s8, 0) = 254 then null else t.s8 end
from json_to_recordset(%(rows)s::json) as r (key uuid), subject_record s
where s.key = r.key and s.kind = 'decision' and t.id = s.record

-- name: holds_of_subject
select id, who, why, until, created_at, lifted_at, lifted_by, lifted_why
from legal_hold where subject = any(%(subjects)s) order by id

-- name: add_holds
insert into legal_hold (id, tenant, subject, who, why, until, created_at)
select id, tenant, decode(subject, 'base64'), who, why, until, created_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, subject text, who text, why text, until timestamptz,
                                             created_at timestamptz)

-- name: held_subjects
select distinct subject from legal_hold where lifted_at is null and (until is null or until > clock_timestamp())

-- name: lift_holds
update legal_hold h set lifted_at = r.at, lifted_by = r.who, lifted_why = r.why
from json_to_recordset(%(rows)s::json) as r (id uuid, at timestamptz, who text, why text)
where h.id = r.id and h.lifted_at is null

-- name: renew_holds
-- What a key's holds say together. In a statement of its own, after the key was locked and the holds were changed.
update subject_key k set held_until = (
  select max(coalesce(h.until, timestamptz '9999-12-31 00:00+00')) from legal_hold h
  where h.tenant = k.tenant and h.subject = k.subject and h.lifted_at is null)
from json_to_recordset(%(rows)s::json) as r (id uuid)
where k.id = r.id

-- name: sealed_alone
-- What is sealed and names nobody in the field that would say whose it is: it may hold anybody's data.
select s.key as key, q.data from subject_key k
join subject_record s on s.tenant = k.tenant and s.key = k.id and s.kind = 'quarantine'
join quarantine q on q.id = s.record
where k.alone and k.wrapped is not null and k.id > %(after)s order by k.id limit 500

-- name: count_records
select kind::text as kind, count(*) as records from subject_record where key = any(%(keys)s) group by 1 order by 1

-- name: running_cases
-- The cases of these keys that have not ended.
select c.id from subject_record s join cases c on c.id = s.record
where s.key = any(%(keys)s) and s.kind = 'case' and c.state not in ('done', 'cancelled') group by c.id order by c.id limit 100

-- name: kept_of_subject
-- Everything that is kept under some keys, as JSON texts with their tokens.
with mine as (
  select distinct kind, record from subject_record where key = any(%(keys)s)
), of_case as (
  select record as id from mine where kind = 'case'
  union select d.case_id from decision d join mine m on m.kind = 'decision' and m.record = d.id where d.case_id is not null
), of_decision as (
  select record as id from mine where kind = 'decision'
), kept as (
  select 'case' as kind, c.id, c.created_at as at, json_build_object(
    'workflow', c.workflow, 'key', c.key, 'state', c.state, 'conclusion', c.conclusion,
    'input', convert_from(c.input, 'UTF8')) as body
  from cases c join of_case o on o.id = c.id
  union all
  select 'step', j.case_id, j.started_at, json_build_object(
    'name', j.name, 'kind', j.kind, 'run', j.run, 'scope', j.scope, 'ordinal', j.ordinal,
    'result', convert_from(j.result, 'UTF8'))
  from journal j join of_case o on o.id = j.case_id where j.result is not null
  union all
  select 'decision', d.id, d.decided_at, json_build_object(
    'point', d.workflow || '.' || d.point, 'key', d.key, 'route', d.route, 'component', d.component,
    'input', convert_from(d.input, 'UTF8'), 'output', convert_from(d.output, 'UTF8'),
    'reasons', convert_from(d.reasons, 'UTF8'), 'findings', convert_from(d.findings, 'UTF8'),
    'evidence', convert_from(d.evidence, 'UTF8'))
  from decision d join of_decision o on o.id = d.id
  union all
  select 'review', v.id, v.created_at, json_build_object(
    'point', v.workflow || '.' || v.point, 'state', v.state, 'resolution', v.resolution, 'resolved_by', v.resolved_by,
    'note', v.note, 'question', convert_from(v.question, 'UTF8'), 'output', convert_from(v.output, 'UTF8'))
  from review v where v.decision_id in (select id from of_decision) or v.case_id in (select id from of_case)
  union all
  select 'action', a.id, a.created_at, json_build_object(
    'name', a.workflow || '.' || a.name, 'connector', a.connector, 'state', a.state, 'error', a.error,
    'payload', convert_from(a.payload, 'UTF8'), 'response', convert_from(a.response, 'UTF8'))
  from action a join of_case o on o.id = a.case_id
  union all
  select 'event', e.id, e.received_at, json_build_object(
    'name', e.name, 'sender', e.sender, 'payload', convert_from(e.payload, 'UTF8'))
  from case_event e where e.case_id in (select id from of_case)
  union all
  select 'exception', x.id, x.created_at, json_build_object(
    'kind', x.kind, 'what', x.what, 'state', x.state, 'answer', convert_from(x.answer, 'UTF8'))
  from exception x where x.case_id in (select id from of_case)
  union all
  select 'quarantine', q.id, q.created_at, json_build_object(
    'of', q.workflow || '.' || q.point, 'state', q.state, 'data', convert_from(q.data, 'UTF8'),
    'violations', convert_from(q.violations, 'UTF8'))
  from quarantine q join mine m on m.kind = 'quarantine' and m.record = q.id
)
select kind, id, at, body::text as body from kept order by at, id, kind

-- name: stale_keys
-- What is wrapped under another master key than this one, a page at a time.
select id, tenant, subject, alone, wrapped, master, created_at, held_until, erased_at, erased_by, erased_why
from subject_key where wrapped is not null and master <> %(master)s order by id limit %(most)s

-- name: rewrap_key
-- Only what is still wrapped as it was read: an erasure that came meanwhile stays one.
update subject_key set wrapped = %(wrapped)s, master = %(master)s where id = %(id)s and wrapped = %(before)s

-- name: rewrap_secret
update personal_secret set wrapped = %(wrapped)s, master = %(master)s where wrapped = %(before)s

-- name: add_cases
insert into cases (id, tenant, workflow, version, code, key, input, state, wake_at, created_at, changed_at, caller,
  exposure_minor, currency)
select id, tenant, workflow, version, code, key, decode(input, 'base64'), state,
       case when state = 'ready' then created_at end, created_at, created_at, caller, exposure_minor, currency
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, workflow text, version text, code uuid, key text,
  input text, state case_state, created_at timestamptz, caller text, exposure_minor bigint, currency text)

-- name: add_quarantines
insert into quarantine (id, tenant, case_id, workflow, point, contract, data, violations, state, created_at, key, exposure, caller,
  rules)
select id, tenant, case_id, workflow, point, contract, decode(data, 'base64'), decode(violations, 'base64'), 'held', created_at,
       key, exposure, caller, rules
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, case_id uuid, workflow text, point text, contract text,
  data text, violations text, created_at timestamptz, key text, exposure text, caller text, rules text[])

-- name: end_quarantines
update quarantine q set state = r.state, resolved_at = r.resolved_at, resolved_by = r.resolved_by,
  decision_id = r.decision_id, why = r.why
from json_to_recordset(%(rows)s::json) as r (id uuid, state quarantine_state, resolved_at timestamptz, resolved_by text,
  decision_id uuid, why text)
where q.id = r.id

-- name: release_cases
update cases c set state = 'ready', input = decode(r.input, 'base64'), wake_at = r.at, changed_at = r.at
from json_to_recordset(%(rows)s::json) as r (case_id uuid, input text, at timestamptz)
where c.id = r.case_id

-- name: lock_quarantines
select id, state::text as state from quarantine where id = any(%(ids)s) order by id for no key update

-- name: find_quarantine
select id, case_id, workflow, point, contract, data, violations, state::text as state, created_at, resolved_at, resolved_by,
       key, exposure, caller, decision_id, why
from quarantine where id = %(id)s

-- name: quarantines_of_case
select id, case_id, workflow, point, contract, data, violations, state::text as state, created_at, resolved_at, resolved_by,
       key, exposure, caller, decision_id, why
from quarantine where case_id = %(case_id)s order by id

-- name: list_quarantined
select id, case_id, workflow, point, contract, data, violations, state::text as state, created_at, resolved_at, resolved_by,
       key, exposure, caller, decision_id, why
from quarantine
where state = 'held' and (%(after)s::uuid is null or id > %(after)s)
  and (%(workflow)s::text is null or workflow = %(workflow)s) and (%(point)s::text is null or point = %(point)s)
  and (%(rule)s::text is null or rules @> array[%(rule)s::text])
  and (%(since)s::timestamptz is null or created_at >= %(since)s)
order by id limit %(most)s

-- name: find_case
select id, workflow, version, code, key, input, run, state::text as state, conclusion, waiting_for, wake_at, worker, fence,
       exposure_minor, currency, created_at, changed_at, caller,
       cancel_at, cancel_by, cancel_why
from cases where id = %(id)s

-- name: list_cases
-- The newest of each workflow, found by one look into an index each, and of them the newest. A state is written out, since its
-- index is one of a predicate: see 0024.
with recursive w as (
  (select c.workflow from cases c where c.workflow >= coalesce(%(workflow)s::text, '') order by c.workflow limit 1)
  union all
  select n.workflow from w cross join lateral (
    select c.workflow from cases c where %(workflow)s::text is null and c.workflow > w.workflow order by c.workflow limit 1) n
), f as materialized (
  select n.id from w cross join lateral (
    (select c.id from cases c where %(state)s::text is null and c.workflow = w.workflow and c.id < coalesce(%(before)s, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
     order by c.id desc limit %(most)s)
    union all
    (select c.id from cases c where %(state)s::text = 'ready' and c.state = 'ready' and c.workflow = w.workflow
     and c.id < coalesce(%(before)s, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) order by c.id desc limit %(most)s)
    union all
    (select c.id from cases c where %(state)s::text = 'running' and c.state = 'running' and c.workflow = w.workflow
     and c.id < coalesce(%(before)s, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) order by c.id desc limit %(most)s)
    union all
    (select c.id from cases c where %(state)s::text = 'waiting' and c.state = 'waiting' and c.workflow = w.workflow
     and c.id < coalesce(%(before)s, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) order by c.id desc limit %(most)s)
    union all
    (select c.id from cases c where %(state)s::text = 'exception' and c.state = 'exception' and c.workflow = w.workflow
     and c.id < coalesce(%(before)s, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) order by c.id desc limit %(most)s)
    union all
    (select c.id from cases c where %(state)s::text = 'quarantined' and c.state = 'quarantined' and c.workflow = w.workflow
     and c.id < coalesce(%(before)s, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) order by c.id desc limit %(most)s)
    union all
    (select c.id from cases c where %(state)s::text = 'done' and c.state = 'done' and c.workflow = w.workflow
     and c.id < coalesce(%(before)s, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) order by c.id desc limit %(most)s)
    union all
    (select c.id from cases c where %(state)s::text = 'cancelled' and c.state = 'cancelled' and c.workflow = w.workflow
     and c.id < coalesce(%(before)s, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) order by c.id desc limit %(most)s)
  ) n where %(workflow)s::text is null or w.workflow = %(workflow)s
  order by n.id desc limit %(most)s
)
select c.id, c.workflow, c.version, c.code, c.key, c.input, c.run, c.state::text as state, c.conclusion, c.waiting_for, c.wake_at,
       c.worker, c.fence, c.exposure_minor, c.currency, c.created_at, c.changed_at, c.caller, c.cancel_at, c.cancel_by, c.cancel_why
from f join cases c on c.id = f.id
order by c.id desc

-- name: count_cases
select workflow, state::text as state, conclusion, currency, count(*) as cases, coalesce(sum(exposure_minor), 0)::bigint as exposure_minor
from cases where (%(workflow)s::text is null or workflow = %(workflow)s)
group by 1, 2, 3, 4 order by 1, 2, 3

-- name: journal_of_case
select case_id, scope, ordinal, kind::text as kind, name, args_hash, state::text as state, ref, result, due, started_at, finished_at
from journal where case_id = %(case_id)s and run = %(run)s

-- name: record_steps
-- A step is recorded once; only a pending one may still change.
insert into journal (case_id, tenant, run, scope, ordinal, kind, name, args_hash, state, ref, result, due, fence, started_at, finished_at)
select case_id, tenant, run, scope, ordinal, kind, name, args_hash, state, ref, decode(result, 'base64'), due, fence, at,
       case when state <> 'pending' then at end
from json_to_recordset(%(rows)s::json) as r (case_id uuid, tenant uuid, run int, scope text, ordinal int, kind step_kind,
  name text, args_hash uuid, state step_state, ref uuid, result text, due timestamptz, fence bigint, at timestamptz)
on conflict (case_id, run, scope, ordinal) do update
  set state = excluded.state, ref = coalesce(excluded.ref, journal.ref), result = excluded.result, due = excluded.due,
      fence = excluded.fence, finished_at = excluded.finished_at
  where journal.state = 'pending'

-- name: park_cases
-- Waiting only if nobody woke the case since it was claimed; else it is ready again at once.
update cases c
set state = case when c.signals = r.signals then 'waiting' else 'ready' end::case_state,
    wake_at = case when c.signals = r.signals then r.wake_at else r.at end,
    waiting_for = r.waiting_for, held_by = r.held_by, worker = null, changed_at = r.at,
    exposure_minor = coalesce(r.exposure_minor, c.exposure_minor), currency = coalesce(r.currency, c.currency)
from json_to_recordset(%(rows)s::json) as r (case_id uuid, signals bigint, wake_at timestamptz, waiting_for text, at timestamptz,
  exposure_minor bigint, currency text, held_by uuid)
where c.id = r.case_id

-- name: wake_freed_cases
select wake_freed_cases()

-- name: finish_cases
update cases c
set state = r.state, conclusion = r.conclusion, waiting_for = r.waiting_for, wake_at = null, worker = null, changed_at = r.at,
    exposure_minor = coalesce(r.exposure_minor, c.exposure_minor), currency = coalesce(r.currency, c.currency)
from json_to_recordset(%(rows)s::json) as r (case_id uuid, state case_state, conclusion text, waiting_for text, at timestamptz,
  exposure_minor bigint, currency text)
where c.id = r.case_id

-- name: begin_next_runs
update cases c set run = c.run + 1, input = decode(r.input, 'base64'), state = 'ready', wake_at = r.at, worker = null, changed_at = r.at
from json_to_recordset(%(rows)s::json) as r (case_id uuid, input text, at timestamptz)
where c.id = r.case_id

-- name: add_events
insert into case_event (id, tenant, case_id, name, payload, sender, received_at)
select id, tenant, case_id, name, decode(payload, 'base64'), sender, received_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, case_id uuid, name text, payload text, sender text,
  received_at timestamptz)

-- name: next_event
-- The oldest one that waits to be taken; with a moment, only if it came until then.
select id, name, payload, sender, received_at, taken_at
from case_event
where case_id = %(case_id)s and name = %(name)s and taken_at is null
  and (%(before)s::timestamptz is null or received_at <= %(before)s)
order by id limit 1

-- name: take_events
update case_event e set taken_at = r.at
from json_to_recordset(%(rows)s::json) as r (id uuid, at timestamptz)
where e.id = r.id

-- name: lock_events
select id, case when taken_at is null then 'kept' else 'taken' end as state
from case_event where id = any(%(ids)s) order by id for no key update

-- name: events_of_case
select id, name, payload, sender, received_at, taken_at from case_event where case_id = %(case_id)s order by id

-- name: decision_ages
-- From the decision, or a person's word on it, to the sending that took effect; what waited is its amount times its days.
select workflow, name as action, point, currency,
  count(*) filter (where took_effect) as actions,
  coalesce(percentile_cont(0.5) within group (order by age) filter (where took_effect) * 1000, 0)::bigint as p50_ms,
  coalesce(percentile_cont(0.95) within group (order by age) filter (where took_effect) * 1000, 0)::bigint as p95_ms,
  coalesce(max(age) filter (where took_effect) * 1000, 0)::bigint as max_ms,
  count(*) filter (where state = 'failed' and error like 'stale:%%') as stale,
  coalesce(sum(exposure_minor * age::numeric) filter (where took_effect) / 86400, 0)::numeric as held_minor_days
from (
  select workflow, name, point, currency, exposure_minor, state, error, state in ('done', 'undoing', 'undone') as took_effect,
         extract(epoch from sent_at - decided_at)::double precision as age
  from action
  where decided_at is not null and point is not null and (%(workflow)s::text is null or workflow = %(workflow)s)
) a
group by 1, 2, 3, 4 order by 1, 2, 3, 4

-- name: copy_steps
-- What a rewound run begins with: the steps of the run before it that its stale decision did not touch.
insert into journal (case_id, tenant, run, scope, ordinal, kind, name, args_hash, state, ref, result, due, fence, started_at, finished_at)
select j.case_id, j.tenant, j.run + 1, j.scope, j.ordinal, j.kind, j.name, j.args_hash, j.state, j.ref, j.result, j.due, j.fence,
       j.started_at, j.finished_at
from json_to_recordset(%(rows)s::json) as r (case_id uuid, run int, scope text, ordinal int)
join journal j using (case_id, run, scope, ordinal)

-- name: rewind_cases
update cases c set run = c.run + 1, rewinds = c.rewinds + 1, state = 'ready', wake_at = r.at, worker = null, changed_at = r.at
from json_to_recordset(%(rows)s::json) as r (case_id uuid, at timestamptz)
where c.id = r.case_id

-- name: return_events
update case_event e set taken_at = null
from json_to_recordset(%(rows)s::json) as r (id uuid)
where e.id = r.id

-- name: superseded_decisions
-- Those of a case that were stale and that no other decision has taken the place of yet, the latest first.
select d.id, d.point, d.key,
  not starts_with(d.key, d.case_id || '/') as begun
from decision d
where d.case_id = %(case_id)s and d.id >= %(case_id)s
  and exists (select from ledger_entry e where e.subject = d.id and e.id >= %(case_id)s and e.kind = 'decision.superseded')
  and not exists (select from decision n where n.case_id = d.case_id and n.id > d.id and n.supersedes = d.id)
order by d.id desc

-- name: retry_cases
update cases c set state = 'ready', wake_at = r.at, waiting_for = null, changed_at = r.at, rewinds = 0
from json_to_recordset(%(rows)s::json) as r (case_id uuid, at timestamptz)
where c.id = r.case_id

-- name: reopen_steps
-- What failed and stopped the case is tried again; what failed and was handled by the workflow stays as it is.
update journal j set state = 'pending', result = null, finished_at = null
from json_to_recordset(%(rows)s::json) as r (case_id uuid, run int, at timestamptz, scope text, ordinal int, body text)
where j.case_id = r.case_id and j.run = r.run and (j.scope, j.ordinal) = (r.scope, r.ordinal) and j.state = 'failed'

-- name: reopen_actions
-- Those that this run of the case waits for. What failed surely had no effect: no lost answer puts it in doubt again.
with reopened as (
  update action a set state = 'ready', ended_at = null, not_before = null, deadline = greatest(a.deadline, r.at + interval '24 hours')
  from json_to_recordset(%(rows)s::json) as r (case_id uuid, run int, at timestamptz, scope text, ordinal int, body text)
  where a.case_id = r.case_id and a.state = 'failed'
    and exists (select from journal j where j.case_id = a.case_id and j.run = r.run and j.ref = a.id and j.state = 'pending')
  returning a.id, a.tenant, a.case_id, r.at, r.body),
told as (
  insert into ledger_entry (id, tenant, kind, subject, case_id, at, body)
  select entry_id(at), tenant, 'action.reopened', id, case_id, at, decode(body, 'base64') from reopened)
update attempt t set outcome = 'absent', ended_at = coalesce(t.ended_at, reopened.at)
from reopened where t.action_id = reopened.id and (t.outcome is null or t.outcome = 'in_doubt')

-- name: decide_actions
-- A person's word on an action in doubt.
update action a set state = r.state, error = r.error, ended_at = r.at
from json_to_recordset(%(rows)s::json) as r (id uuid, state action_state, error text, at timestamptz)
where a.id = r.id

-- name: open_actions
-- Those that have not ended or wait for a person's word; whether a request of theirs may have had an effect, or may yet.
select a.id, a.name, a.state::text as state,
       a.state not in ('intended', 'awaiting_approval', 'ready') or exists (
         select from attempt t where t.action_id = a.id and (t.outcome is null or t.outcome = 'in_doubt')) as doubtful
from action a
where a.case_id = %(case_id)s and a.state not in ('done', 'failed', 'undone') order by a.id

-- name: cancel_cases
-- A running one learns it at its next write. One whose action waits for a person's word stays until that is given. One that is
-- done is ready again, to end; its conclusion stands on the ledger.
update cases c
set cancel_at = r.at, cancel_by = r.who, cancel_why = r.why, signals = c.signals + 1, changed_at = r.at, conclusion = null,
    state = case when r.stays then c.state else 'ready' end, wake_at = case when r.stays then c.wake_at else r.at end,
    waiting_for = case when r.stays then c.waiting_for end, held_by = null
from (
  select w.*, d.state = 'running' or (d.state = 'exception' and exists (
           select from action a where a.case_id = d.id and a.state = 'exception')) as stays
  from json_to_recordset(%(rows)s::json) as w (case_id uuid, at timestamptz, who text, why text, body text)
  join cases d on d.id = w.case_id
) r
where c.id = r.case_id and c.cancel_at is null

-- name: abandon_exceptions
-- Those of a case that shall end, but for the question what became of an action: somebody still has to answer it.
with abandoned as (
  update exception e set state = 'abandoned', resolved_at = r.at, resolved_by = r.who, resolution = 'cancelled: ' || r.why
  from json_to_recordset(%(rows)s::json) as r (case_id uuid, at timestamptz, who text, why text, body text)
  where e.case_id = r.case_id and e.state = 'open'
    and not exists (select from action a where a.case_id = r.case_id and a.state = 'exception')
  returning e.id, e.tenant, e.case_id, r.at, r.body)
insert into ledger_entry (id, tenant, kind, subject, case_id, at, body)
select entry_id(at), tenant, 'exception.abandoned', id, case_id, at, decode(body, 'base64') from abandoned

-- name: discard_quarantines
with discarded as (
  update quarantine q set state = 'discarded', resolved_at = r.at, resolved_by = r.who
  from json_to_recordset(%(rows)s::json) as r (case_id uuid, at timestamptz, who text, why text, body text)
  where q.case_id = r.case_id and q.state = 'held'
  returning q.id, q.tenant, q.case_id, r.at, r.body)
insert into ledger_entry (id, tenant, kind, subject, case_id, at, body)
select entry_id(at), tenant, 'quarantine.discarded', id, case_id, at, decode(body, 'base64') from discarded

-- name: find_cancellation
select signals, cancel_at, cancel_by, cancel_why from cases where id = %(id)s

-- name: change_originals
-- When it had its effect stays on record: by that the order of taking back is found again after a crash.
update action a set state = r.state, error = coalesce(r.error, a.error)
from json_to_recordset(%(rows)s::json) as r (id uuid, state action_state, error text)
where a.id = r.id

-- name: reopen_undos
-- Of what failed, or of which a person said so, nothing had an effect: no lost answer puts it in doubt again.
with reopened as (
  update action a set state = 'ready', ended_at = null, not_before = null, deadline = greatest(a.deadline, r.at + interval '24 hours')
  from json_to_recordset(%(rows)s::json) as r (id uuid, at timestamptz, body text)
  where a.id = r.id and a.undo_of is not null and a.state in ('failed', 'exception')
  returning a.id, a.tenant, a.case_id, r.at, r.body),
told as (
  insert into ledger_entry (id, tenant, kind, subject, case_id, at, body)
  select entry_id(at), tenant, 'action.reopened', id, case_id, at, decode(body, 'base64') from reopened)
update attempt t set outcome = 'absent', ended_at = coalesce(t.ended_at, reopened.at)
from reopened where t.action_id = reopened.id and (t.outcome is null or t.outcome = 'in_doubt')

-- name: mark_corrected
-- What was sent without effect before the correction: its key is not used again, the other side may remember it.
update action a set error = 'the input was corrected; ' || coalesce(a.error, '')
from json_to_recordset(%(rows)s::json) as r (case_id uuid)
where a.case_id = r.case_id and a.state = 'failed'

-- name: answer_steps
update journal j set state = 'done', result = decode(r.result, 'base64'), ref = coalesce(r.ref, j.ref), finished_at = r.at
from json_to_recordset(%(rows)s::json) as r (case_id uuid, run int, scope text, ordinal int, result text, ref uuid, at timestamptz)
where j.case_id = r.case_id and j.run = r.run and j.scope = r.scope and j.ordinal = r.ordinal
  and (j.state = 'failed' or (j.kind = 'ask' and j.state = 'pending'))

-- name: movable_cases
-- Those of a workflow that have not ended, by the version or the code that they began on.
select id, tenant, workflow, version, code, key, input, run, state::text as state, fence, created_at, caller,
       cancel_at is not null as cancelled
from cases
where workflow = %(workflow)s and state not in ('done', 'cancelled') and code <> %(code)s
  and (version = %(origin)s or code::text = %(origin)s or replace(code::text, '-', '') = %(origin)s)
  and (%(only)s::uuid is null or id = %(only)s) and (%(after)s::uuid is null or id > %(after)s)
order by id limit %(most)s

-- name: migrate_cases
-- A waiting one goes on waiting for what it waited for.
update cases c set version = r.version, code = r.code, changed_at = r.at
from json_to_recordset(%(rows)s::json) as r (case_id uuid, version text, code uuid, at timestamptz)
where c.id = r.case_id

-- name: code_is_carried
-- One that is to be cancelled needs a worker that carries its workflow, of whatever version.
select exists (
  select from worker w
  where w.ended_at is null and w.lease_until > clock_timestamp() and (%(code)s = any (w.code) or %(ends)s::text = any (w.workflows)))

-- name: case_of_unit
select case_id from ledger_entry where id = %(id)s

-- name: claim_cases
select id, tenant, workflow, version, code, key, input, run, signals, fence, exposure_minor, currency, created_at, caller,
       cancel_at, cancel_by, cancel_why, rewinds
from claim_cases(%(worker)s, %(carried)s, %(most)s, %(serves)s, %(ends)s)

-- name: take_over_cases
select worker, cases, suspects from take_over_cases()

-- name: stranded_cases
select tenant, workflow, version, code, cases from stranded_cases()

-- name: begin_worker
insert into worker (name, code, workflows, lease_until)
values (%(name)s, %(code)s, %(workflows)s, clock_timestamp() + make_interval(secs => %(lease)s)) returning number

-- name: hold_worker_lock
-- Session-level: free within milliseconds of the death of its process. Taken before the worker's row is committed.
select pg_advisory_lock(1229999948, %(number)s::int)::text

-- name: renew_lease
update worker set lease_until = clock_timestamp() + make_interval(secs => %(lease)s), suspect_at = null
where number = %(number)s and ended_at is null returning number

-- name: end_lease
update worker set lease_until = clock_timestamp() where number = %(number)s and ended_at is null

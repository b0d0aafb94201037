-- name: lock_actions
select id, state::text as state from action where id = any(%(ids)s) order by id for no key update

-- name: find_action
select id, case_id, decision_id, workflow, name, connector, domain, key, payload, exposure_minor, currency, state::text as state,
       fence, attempt, not_before, valid_until, deadline, first_sent_at, sent_at, send_deadline, response, error,
       created_at, ended_at, undo_of, generation, sender_ends_at, caller, point, component, decided_at, facts, granted
from action where id = %(id)s

-- name: actions_of_case
select id, case_id, decision_id, workflow, name, connector, domain, key, payload, exposure_minor, currency, state::text as state,
       fence, attempt, not_before, valid_until, deadline, first_sent_at, sent_at, send_deadline, response, error,
       created_at, ended_at, undo_of, generation, sender_ends_at, caller, point, component, decided_at, facts, granted
from action where case_id = %(case_id)s order by id

-- name: attempts_of_action
select number, worker, sent_at, ended_at, outcome, detail from attempt where action_id = %(action_id)s order by number

-- name: add_actions
insert into action (id, tenant, case_id, decision_id, workflow, name, connector, domain, key, payload, exposure_minor,
                    currency, state, fence, valid_until, deadline, created_at, undo_of, caller, point, component, decided_at, facts, granted,
                    attempt, first_sent_at, sent_at, send_deadline, sender_ends_at)
select id, tenant, case_id, decision_id, workflow, name, connector, domain, key, decode(payload, 'base64'), exposure_minor,
       currency, state, fence, valid_until, deadline, created_at, undo_of, caller, point, component, decided_at,
       decode(facts, 'base64'), decode(granted, 'base64'), attempt, sent_at, sent_at, send_deadline, sender_ends_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, case_id uuid, decision_id uuid, workflow text, name text,
  connector text, domain text, key text, payload text, exposure_minor bigint, currency text, fence bigint,
  valid_until timestamptz, deadline timestamptz, created_at timestamptz, undo_of uuid, caller text, point text,
  component text, decided_at timestamptz, facts text, granted text, state action_state, attempt int, sent_at timestamptz,
  send_deadline timestamptz, sender_ends_at timestamptz)

-- name: dispatch_actions
-- Committed before the outside call is made: whatever happens next, the attempt is on record.
update action a
set state = 'dispatching', fence = r.fence, attempt = r.attempt, sent_at = r.sent_at, send_deadline = r.send_deadline,
    first_sent_at = coalesce(a.first_sent_at, r.sent_at), not_before = null, error = null,
    -- an earlier sender may outlive this one; without a timer nobody knows how long a sender lives
    sender_ends_at = case when a.attempt = 0 then r.sender_ends_at
                          when a.sender_ends_at is not null and r.sender_ends_at is not null
                          then greatest(a.sender_ends_at, r.sender_ends_at) end
from json_to_recordset(%(rows)s::json) as r (id uuid, fence bigint, attempt int, sent_at timestamptz, send_deadline timestamptz,
  sender_ends_at timestamptz)
where a.id = r.id

-- name: end_actions
update action a
set state = r.state, fence = r.fence, not_before = r.not_before, response = coalesce(decode(r.response, 'base64'), a.response),
    error = r.error, ended_at = r.ended_at, sender_ends_at = coalesce(r.sender_ends_at, a.sender_ends_at),
    generation = a.generation + r.voided::int, first_sent_at = case when r.voided then null else a.first_sent_at end
from json_to_recordset(%(rows)s::json) as r (id uuid, state action_state, fence bigint, not_before timestamptz, response text,
  error text, ended_at timestamptz, sender_ends_at timestamptz, voided boolean)
where a.id = r.id

-- name: add_attempts
insert into attempt (action_id, tenant, number, worker, sent_at)
select action_id, tenant, number, worker, sent_at
from json_to_recordset(%(rows)s::json) as r (action_id uuid, tenant uuid, number int, worker bigint, sent_at timestamptz)

-- name: end_attempts
-- What was answered to an attempt stays; only a lost answer may still become known.
update attempt a set ended_at = r.ended_at, outcome = r.outcome, detail = r.detail
from json_to_recordset(%(rows)s::json) as r (action_id uuid, number int, ended_at timestamptz, outcome text, detail text)
where a.action_id = r.action_id and a.number = r.number and (a.outcome is null or a.outcome = 'in_doubt')

-- name: count_doubtful
-- Attempts up to a number whose request may have taken effect, as far as is known.
select count(*) from attempt
where action_id = %(action_id)s and number <= %(most)s and (outcome is null or outcome = 'in_doubt')

-- name: clear_attempts
-- It is known now that none of them took effect, and that none can any more.
update attempt a set outcome = 'absent', ended_at = coalesce(a.ended_at, r.at)
from json_to_recordset(%(rows)s::json) as r (action_id uuid, at timestamptz)
where a.action_id = r.action_id and (a.outcome is null or a.outcome = 'in_doubt')

-- name: list_circuits
select connector, state::text as state, failures, openings, since, retry_at, pace, admitted, promised, what from circuit order by connector

-- name: find_circuits
-- Without a lock: a closed circuit is read by every dispatch and holds nobody up.
select connector, state::text as state, failures, openings, since, retry_at, pace, admitted, promised, what from circuit
where connector = any(%(connectors)s)

-- name: lock_circuits
select connector, state::text as state, failures, openings, since, retry_at, pace, admitted, promised, what from circuit
where connector = any(%(connectors)s) order by connector for no key update

-- name: add_circuits
insert into circuit (connector, state, failures, openings, since, retry_at, pace, admitted, promised, what)
select connector, state, failures, openings, since, retry_at, pace, admitted, promised, what
from json_to_recordset(%(rows)s::json) as r (connector text, state circuit_state, failures int, openings int,
  since timestamptz, retry_at timestamptz, pace bigint, admitted int, promised int, what text)
order by connector
on conflict (connector) do nothing

-- name: put_circuits
insert into circuit (connector, state, failures, openings, since, retry_at, pace, admitted, promised, what)
select connector, state, failures, openings, since, retry_at, pace, admitted, promised, what
from json_to_recordset(%(rows)s::json) as r (connector text, state circuit_state, failures int, openings int,
  since timestamptz, retry_at timestamptz, pace bigint, admitted int, promised int, what text)
order by connector
on conflict (connector) do update
set state = excluded.state, failures = excluded.failures, openings = excluded.openings, since = excluded.since,
    retry_at = excluded.retry_at, pace = excluded.pace, admitted = excluded.admitted,
    promised = excluded.promised, what = excluded.what

-- name: connector_loads
-- What is under way by the index of the unfinished; what waits by that of those that are ready, as far as a bound for each.
with recursive k as (
  (select a.connector from action a where a.state = 'ready' order by a.connector limit 1)
  union all
  select n.connector from k cross join lateral (
    select a.connector from action a where a.state = 'ready' and a.connector > k.connector order by a.connector limit 1) n
)
select connector, sum(in_flight)::int as in_flight, sum(in_doubt)::int as in_doubt, sum(waiting)::int as waiting
from (
  select connector, (state = 'dispatching')::int as in_flight, (state = 'in_doubt')::int as in_doubt, 0 as waiting
  from action where state in ('dispatching', 'in_doubt', 'exception', 'undoing') and state in ('dispatching', 'in_doubt')
  union all
  select k.connector, 0, 0, (select count(*) from (
    select from action a join cases c on c.tenant = a.tenant and c.id = a.case_id
    where a.state = 'ready' and a.connector = k.connector and c.state = 'waiting' limit %(most)s::bigint) x)
  from k
) loads
where in_flight + in_doubt + waiting > 0
group by connector order by connector

-- name: calls_under_way
select tenant, id, case_id, workflow, name, connector, state, attempt, key, exposure_minor, currency, since, deadline
from calls_under_way(%(scope)s, %(tenant)s, %(most)s)

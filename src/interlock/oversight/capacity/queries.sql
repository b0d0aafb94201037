-- name: try_to_count
-- One process counts at a time; held to the end of its transaction.
select pg_try_advisory_xact_lock(hashtext('interlock.oversight_hours'))

-- name: counted_tenants
select tenant, counted_to, drawn_to from oversight_counted_tenants()

-- name: counts_since
select tenant, queue, workflow, point, hour, arrived, resolved, timed, worked_ms, worked_ms2
from oversight_counts(%(since)s, %(least_id)s)

-- name: people_since
select tenant, queue, person, hour, resolved, slots from oversight_people(%(since)s)

-- name: standing_now
select tenant, queue, waiting, oldest_at, overdue, people from oversight_standing()

-- name: forget_hours
-- What is counted anew, and what no forecast reaches any more.
delete from oversight_hour where hour >= %(since)s or hour < %(before)s

-- name: forget_person_hours
delete from oversight_person_hour where hour >= %(since)s or hour < %(before)s

-- name: add_hours
insert into oversight_hour (tenant, queue, workflow, point, hour, arrived, resolved, timed, worked_ms, worked_ms2)
select tenant, queue, workflow, point, hour, arrived, resolved, timed, worked_ms, worked_ms2
from json_to_recordset(%(rows)s::json) as r (tenant uuid, queue text, workflow text, point text, hour timestamptz, arrived int,
  resolved int, timed int, worked_ms bigint, worked_ms2 bigint)

-- name: add_person_hours
insert into oversight_person_hour (tenant, queue, person, hour, resolved, slots)
select tenant, queue, person, hour, resolved, slots
from json_to_recordset(%(rows)s::json) as r (tenant uuid, queue text, person text, hour timestamptz, resolved int, slots smallint)

-- name: empty_queues
-- Where nothing waits now, unless the next statement says otherwise.
update oversight_queue set waiting = 0, oldest_at = null, overdue = 0, people = 0, measured_at = statement_timestamp()

-- name: put_standing
insert into oversight_queue as q (tenant, queue, waiting, oldest_at, overdue, people, measured_at)
select tenant, queue, waiting, oldest_at, overdue, people, statement_timestamp()
from json_to_recordset(%(rows)s::json) as r (tenant uuid, queue text, waiting int, oldest_at timestamptz, overdue int, people int)
on conflict (tenant, queue) do update
set waiting = excluded.waiting, oldest_at = excluded.oldest_at, overdue = excluded.overdue, people = excluded.people,
    measured_at = excluded.measured_at

-- name: put_counted
insert into oversight_counted as c (tenant, counted_to, drawn_to)
select tenant, counted_to, counted_to from json_to_recordset(%(rows)s::json) as r (tenant uuid, counted_to timestamptz)
on conflict (tenant) do update set counted_to = excluded.counted_to

-- name: hours_of_queues
-- By queue and hour alone: what workflows and points share is added up.
select queue, '' as workflow, '' as point, hour, sum(arrived)::int as arrived, sum(resolved)::int as resolved,
       sum(timed)::int as timed, sum(worked_ms)::bigint as worked_ms, sum(worked_ms2)::bigint as worked_ms2
from oversight_hour where hour >= %(since)s and (%(queue)s::text is null or queue = %(queue)s)
group by queue, hour order by queue, hour

-- name: person_hours_of_queues
select queue, person, hour, resolved, slots from oversight_person_hour
where hour >= %(since)s and (%(queue)s::text is null or queue = %(queue)s) order by queue, hour

-- name: standing_of_queues
select queue, waiting, oldest_at, overdue, people, measured_at from oversight_queue
where %(queue)s::text is null or queue = %(queue)s order by queue

-- name: responses
select id, queue, turn, state::text as state, by_hand, why, who, changed_at from queue_response order by queue

-- name: saturated_queues
select queue from queue_response where state = 'saturated'

-- name: turn_responses
insert into queue_response (id, tenant, queue, turn, state, by_hand, why, who, changed_at)
select id, tenant, queue, turn, state, by_hand, why, who, changed_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, queue text, turn bigint, state queue_state, by_hand bool,
  why text, who text, changed_at timestamptz)
on conflict (id) do update set turn = excluded.turn, state = excluded.state, by_hand = excluded.by_hand, why = excluded.why,
  who = excluded.who, changed_at = excluded.changed_at

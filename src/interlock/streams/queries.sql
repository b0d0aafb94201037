-- name: note_standing
-- One row for each process of a stream; time is the database's.
insert into stream_standing (tenant, stream, process, target, broker, state, why, concurrency, under_way, waiting,
  decided, submitted, quarantined, again, per_second, pending, unacknowledged, began_at, seen_at)
select tenant, stream, process, target, broker, state, why, concurrency, under_way, waiting,
  decided, submitted, quarantined, again, per_second, pending, unacknowledged, clock_timestamp(), clock_timestamp()
from json_to_recordset(%(rows)s::json) as r (tenant uuid, stream text, process uuid, target text, broker text,
  state stream_state, why text, concurrency int, under_way int, waiting int, decided bigint, submitted bigint,
  quarantined bigint, again bigint, per_second double precision, pending bigint, unacknowledged bigint)
on conflict (tenant, stream, process) do update set
  state = excluded.state, why = excluded.why, under_way = excluded.under_way, waiting = excluded.waiting,
  decided = excluded.decided, submitted = excluded.submitted, quarantined = excluded.quarantined,
  again = excluded.again, per_second = excluded.per_second, pending = excluded.pending,
  unacknowledged = excluded.unacknowledged, seen_at = excluded.seen_at

-- name: forget_standings
-- Of processes that have not been heard of for an hour.
delete from stream_standing where seen_at < clock_timestamp() - interval '1 hour'

-- name: list_standings
-- The newest of each process, by stream; age in seconds, by the database's clock.
select stream, process, target, broker, state::text as state, why, concurrency, under_way, waiting, decided, submitted, quarantined,
  again, per_second, pending, unacknowledged, began_at, seen_at,
  extract(epoch from clock_timestamp() - seen_at)::double precision as age
from stream_standing
order by stream, began_at

-- name: note_trial
-- How often a message was tried, as who has it now knows; time is the database's.
insert into stream_trial (tenant, stream, message, tried, tried_at)
select tenant, stream, message, tried, clock_timestamp()
from json_to_recordset(%(rows)s::json) as r (tenant uuid, stream text, message uuid, tried int)
on conflict (tenant, stream, message) do update set tried = excluded.tried, tried_at = excluded.tried_at

-- name: count_trials
select tried from stream_trial where stream = %(stream)s and message = %(message)s

-- name: end_trial
-- Something became of the message.
delete from stream_trial where stream = %(stream)s and message = %(message)s

-- name: forget_trials
-- Of messages that their broker has dropped since.
delete from stream_trial where tried_at < clock_timestamp() - interval '30 days'

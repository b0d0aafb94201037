-- name: add_arrivals
insert into data_arrival as a (tenant, line, element, first_at, last_at, newest)
select tenant, line, element, statement_timestamp(), case when passed then statement_timestamp() end, newest
from json_to_recordset(%(rows)s::json) as r (tenant uuid, line text, element text, passed bool, newest timestamptz)
order by line, element
on conflict (tenant, line, element) do update
set last_at = greatest(a.last_at, excluded.last_at), newest = greatest(a.newest, excluded.newest)

-- name: add_tallies
insert into data_tally as t (tenant, line, element, slot, records, refused, filled)
select tenant, line, element, date_trunc('minute', statement_timestamp()), records, refused, filled
from json_to_recordset(%(rows)s::json) as r (tenant uuid, line text, element text, records bigint, refused bigint, filled bigint)
order by line, element
on conflict (tenant, line, element, slot) do update
set records = t.records + excluded.records, refused = t.refused + excluded.refused, filled = t.filled + excluded.filled

-- name: drop_old_tallies
-- What no window reaches any more.
delete from data_tally where slot < statement_timestamp() - interval '32 days'

-- name: try_to_judge_levels
-- One process judges at a time; held to the end of its transaction.
select pg_try_advisory_xact_lock(hashtext('interlock.data_levels'))

-- name: data_lines
select tenant, line from data_lines(%(lines)s)

-- name: seen_of_levels
-- What was seen of each level's element within its window; seconds is 0 where a level has none.
select r.line, r.level, coalesce(sum(t.records), 0)::bigint as records, coalesce(sum(t.refused), 0)::bigint as refused,
       coalesce(sum(t.filled), 0)::bigint as filled,
       extract(epoch from statement_timestamp() - a.newest)::float8 as moment_age_s,
       extract(epoch from statement_timestamp() - a.last_at)::float8 as arrival_age_s,
       coalesce(extract(epoch from statement_timestamp() - a.first_at) >= r.seconds, false) as whole_window
from json_to_recordset(%(levels)s::json) as r (line text, level text, element text, seconds float8)
left join data_arrival a on a.line = r.line and a.element = r.element
left join data_tally t on t.line = r.line and t.element = r.element and r.seconds > 0
  and t.slot > statement_timestamp() - make_interval(secs => r.seconds)
group by r.line, r.level, r.seconds, a.newest, a.last_at, a.first_at
order by r.line, r.level

-- name: standing_levels
select line, level, state::text as state, turn, what, owner, changed_at from data_level
where line = any(%(lines)s) order by line, level

-- name: broken_levels
select tenant, line, level, what, changed_at from data_levels_broken()

-- name: turn_levels
insert into data_level as l (tenant, line, level, state, turn, what, owner, changed_at)
select tenant, line, level, state::data_level_state, turn, what, owner, changed_at
from json_to_recordset(%(rows)s::json) as r (tenant uuid, line text, level text, state text, turn bigint, what text, owner text,
  changed_at timestamptz)
on conflict (tenant, line, level) do update
set state = excluded.state, turn = excluded.turn, what = excluded.what, owner = excluded.owner, changed_at = excluded.changed_at

-- name: read_values
-- One index look-up for each pair: the newest value that held, and was on record, at that moment.
select w.place, v.value, v.event_at, v.recorded_at, v.source
from json_to_recordset(%(wanted)s::json) as w (place int, feature text, version int, entity text, as_of timestamptz)
cross join lateral (
  select v.value, v.event_at, v.recorded_at, v.source
  from feature_value v
  where v.feature = w.feature collate "C" and v.version = w.version and v.entity = w.entity collate "C"
    and v.event_at <= w.as_of and v.recorded_at <= w.as_of
  order by v.event_at desc, v.recorded_at desc, v.id desc
  limit 1
) v

-- name: add_values
-- What is on record already is not recorded again, so that a load which was cut is simply run once more. A value may be
-- seen from a moment after this statement on, when its commit is over: until then no reader, at any time, sees it.
insert into feature_value (id, tenant, feature, version, entity, value, event_at, recorded_at, source)
select r.id, r.tenant, r.feature, r.version, r.entity, decode(r.value, 'base64'), r.event_at,
  seen.at + interval '250 milliseconds', r.source
from (select clock_timestamp() as at) seen
cross join json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, feature text, version int, entity text, value text,
  event_at timestamptz, source text)
left join lateral (
  select v.value
  from feature_value v
  where v.tenant = r.tenant and v.feature = r.feature collate "C" and v.version = r.version
    and v.entity = r.entity collate "C" and v.event_at = r.event_at
  order by v.recorded_at desc, v.id desc
  limit 1
) held on true
where held.value is distinct from decode(r.value, 'base64')

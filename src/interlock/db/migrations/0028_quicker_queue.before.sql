-- The list of work found in fewer steps; see oversight/listing.py.
set local search_path = interlock, pg_catalog;

-- Where an item stands in the order of its kind: the logarithm of the index of oversight/index.py, computed again there. `weight` is
-- what one unit of urgency is worth, over the minutes of one of its kind; `no_deadline` and `horizon` are in minutes.
create function work_rank(urgency bigint, due_at timestamptz, at timestamptz, weight double precision, minutes double precision,
  horizon double precision, no_deadline double precision) returns double precision language sql immutable parallel safe
  return case when urgency * weight > 0 then ln(urgency * weight) - greatest(0,
           coalesce(date_part('epoch', due_at - at) / 60, no_deadline) - minutes) / horizon else '-infinity' end;

-- From which urgency on a rank can be had at all, as if all were overdue. A little less, since the two are rounded.
create function least_urgency(rank double precision, weight double precision) returns bigint language sql immutable parallel safe
  return case when weight > 0 then least(9e18, greatest(1, floor(exp(greatest(-600, least(600, rank))) / weight * (1 - 1e-9))))::bigint
              else 9223372036854775807 end;

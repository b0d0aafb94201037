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

-- What waits by what stands in its reason: every three letters of it, so that any part of it is found without reading all reasons.
-- Without a list of what is still to be entered (fastupdate): whoever adds a review never pays for those of others.
create function trigrams(words text) returns text[] language sql immutable strict parallel safe
  return array(select substr(w.small, at, 3)
               from (select lower(words)) w (small) cross join generate_series(1, char_length(w.small) - 2) at);
create index review_words on review using gin (trigrams(why)) with (fastupdate = off) where state in ('open', 'claimed');

-- Reviews of the tenant that wait and have these words, at least three letters, in their reason, up to a bound. A comparison of
-- arrays is not leakproof, so that under row security it would be in no index condition: the tenant is asked here.
create function reviews_worded(words text, most bigint) returns setof uuid
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select id from review
  where tenant = current_tenant() and state in ('open', 'claimed') and trigrams(why) @> trigrams(words)
    and strpos(lower(why), lower(words)) > 0
  limit most
$$;
grant select on review to interlock_finder;
alter function reviews_worded(text, bigint) owner to interlock_finder;
revoke all on function reviews_worded(text, bigint) from public;
grant execute on function reviews_worded(text, bigint) to interlock_service;

-- What waits by the amount at stake. Two ranges of it, above and below zero, and not its absolute value: that function is not
-- leakproof, so that under row security no index would have it.
create index review_at_stake on review (tenant, currency, exposure_minor) include (id)
  where exposure_minor is not null and state in ('open', 'claimed');

-- What waits by its deadline, of whatever kind: how much is overdue, however much is not.
create index review_due on review (tenant, due_at) where due_at is not null and state in ('open', 'claimed');

-- name: add_searchable
-- In the commit of the decision itself.
insert into searchable (tenant, id, caller, s1, s2, s3, s4, s5, s6, s7, s8)
select tenant, id, caller, decode(s1, 'base64'), decode(s2, 'base64'), decode(s3, 'base64'), decode(s4, 'base64'),
  decode(s5, 'base64'), decode(s6, 'base64'), decode(s7, 'base64'), decode(s8, 'base64')
from json_to_recordset(%(rows)s::json) as r (tenant uuid, id uuid, caller text, s1 text, s2 text, s3 text, s4 text,
  s5 text, s6 text, s7 text, s8 text)

-- name: set_searchable
-- The same for decisions that were made before; who asked is not known of them any more, unless it is there already. A
-- personal term (see search/term.py) that an erasure took away since the row was read does not come back.
insert into searchable as t (tenant, id, caller, s1, s2, s3, s4, s5, s6, s7, s8)
select tenant, id, caller, decode(s1, 'base64'), decode(s2, 'base64'), decode(s3, 'base64'), decode(s4, 'base64'),
  decode(s5, 'base64'), decode(s6, 'base64'), decode(s7, 'base64'), decode(s8, 'base64')
from json_to_recordset(%(rows)s::json) as r (tenant uuid, id uuid, caller text, s1 text, s2 text, s3 text, s4 text,
  s5 text, s6 text, s7 text, s8 text)
on conflict (tenant, id) do update set
  s1 = case when get_byte(excluded.s1, 0) <> 254 or excluded.s1 in (t.s1, t.s2, t.s3, t.s4, t.s5, t.s6, t.s7, t.s8) then excluded.s1 end,
  s2 = case when get_byte(excluded.s2, 0) <> 254 or excluded.s2 in (t.s1, t.s2, t.s3, t.s4, t.s5, t.s6, t.s7, t.s8) then excluded.s2 end,
  s3 = case when get_byte(excluded.s3, 0) <> 254 or excluded.s3 in (t.s1, t.s2, t.s3, t.s4, t.s5, t.s6, t.s7, t.s8) then excluded.s3 end,
  s4 = case when get_byte(excluded.s4, 0) <> 254 or excluded.s4 in (t.s1, t.s2, t.s3, t.s4, t.s5, t.s6, t.s7, t.s8) then excluded.s4 end,
  s5 = case when get_byte(excluded.s5, 0) <> 254 or excluded.s5 in (t.s1, t.s2, t.s3, t.s4, t.s5, t.s6, t.s7, t.s8) then excluded.s5 end,
  s6 = case when get_byte(excluded.s6, 0) <> 254 or excluded.s6 in (t.s1, t.s2, t.s3, t.s4, t.s5, t.s6, t.s7, t.s8) then excluded.s6 end,
  s7 = case when get_byte(excluded.s7, 0) <> 254 or excluded.s7 in (t.s1, t.s2, t.s3, t.s4, t.s5, t.s6, t.s7, t.s8) then excluded.s7 end,
  s8 = case when get_byte(excluded.s8, 0) <> 254 or excluded.s8 in (t.s1, t.s2, t.s3, t.s4, t.s5, t.s6, t.s7, t.s8) then excluded.s8 end

-- name: by_order_of_indexes
-- Of a common value the planner expects as many as of any other, and so few would be sorted: it would read all of them. And
-- compiling a plan would take longer than running it.
select set_config('enable_sort', 'off', true) || set_config('jit', 'off', true)

-- name: by_index_alone
-- For looking whether there is anything at all: where there is nothing, whoever reads a table reads all of it.
select set_config('enable_seqscan', 'off', true) || set_config('enable_bitmapscan', 'off', true) || set_config('jit', 'off', true)

-- name: keys_in_use
-- Which of these spans, counted from one, hold any term.
select k.n from unnest(%(lows)s::bytea[], %(highs)s::bytea[]) with ordinality as k (low, high, n)
where exists (select from searchable where s1 >= k.low and s1 < k.high) or
  exists (select from searchable where s2 >= k.low and s2 < k.high) or
  exists (select from searchable where s3 >= k.low and s3 < k.high) or
  exists (select from searchable where s4 >= k.low and s4 < k.high) or
  exists (select from searchable where s5 >= k.low and s5 < k.high) or
  exists (select from searchable where s6 >= k.low and s6 < k.high) or
  exists (select from searchable where s7 >= k.low and s7 < k.high) or
  exists (select from searchable where s8 >= k.low and s8 < k.high)
order by k.n

-- name: ids_of_terms
-- The newest decisions with one of these terms. Which slot a field has may differ between versions of a contract, so
-- each is looked into; the term says which field it is of.
select distinct f.id from unnest(%(terms)s::bytea[]) as t (term)
cross join lateral (
  (select id from searchable where s1 = t.term and id >= %(since)s and id < %(before)s order by id desc limit %(most)s)
  union all
  (select id from searchable where s2 = t.term and id >= %(since)s and id < %(before)s order by id desc limit %(most)s)
  union all
  (select id from searchable where s3 = t.term and id >= %(since)s and id < %(before)s order by id desc limit %(most)s)
  union all
  (select id from searchable where s4 = t.term and id >= %(since)s and id < %(before)s order by id desc limit %(most)s)
  union all
  (select id from searchable where s5 = t.term and id >= %(since)s and id < %(before)s order by id desc limit %(most)s)
  union all
  (select id from searchable where s6 = t.term and id >= %(since)s and id < %(before)s order by id desc limit %(most)s)
  union all
  (select id from searchable where s7 = t.term and id >= %(since)s and id < %(before)s order by id desc limit %(most)s)
  union all
  (select id from searchable where s8 = t.term and id >= %(since)s and id < %(before)s order by id desc limit %(most)s)
) f
order by f.id desc limit %(most)s

-- name: ids_of_spans
-- Decisions with a term within one of these spans, in no order, of any time: all of them, or, where there are more than
-- asked for, a null. The bounds of the id would be compared one by one along the span, which may be long.
with f as materialized (
  select f.id from unnest(%(lows)s::bytea[], %(highs)s::bytea[]) as t (low, high)
  cross join lateral (
    (select id from searchable where s1 >= t.low and s1 < t.high limit %(most)s + 1) union all
    (select id from searchable where s2 >= t.low and s2 < t.high limit %(most)s + 1) union all
    (select id from searchable where s3 >= t.low and s3 < t.high limit %(most)s + 1) union all
    (select id from searchable where s4 >= t.low and s4 < t.high limit %(most)s + 1) union all
    (select id from searchable where s5 >= t.low and s5 < t.high limit %(most)s + 1) union all
    (select id from searchable where s6 >= t.low and s6 < t.high limit %(most)s + 1) union all
    (select id from searchable where s7 >= t.low and s7 < t.high limit %(most)s + 1) union all
    (select id from searchable where s8 >= t.low and s8 < t.high limit %(most)s + 1)
  ) f
  limit %(most)s + 1
)
select id from f where (select count(*) from f) <= %(most)s and id >= %(since)s and id < %(before)s
union all
select null where (select count(*) from f) > %(most)s

-- name: ids_of_caller
select id from searchable where caller = %(caller)s and id >= %(since)s and id < %(before)s order by id desc limit %(most)s

-- name: ids_of_component
select id from decision where component = %(component)s and id >= %(since)s and id < %(before)s order by id desc limit %(most)s

-- name: ids_of_contract
select id from decision
where input_contract = %(contract)s and id >= %(since)s and id < %(before)s order by id desc limit %(most)s

-- name: ids_of_exposures
-- As for spans.
with f as materialized (
  select id from decision
  where currency = %(currency)s and exposure_minor >= %(low)s and exposure_minor <= %(high)s limit %(most)s + 1
)
select id from f where (select count(*) from f) <= %(most)s and id >= %(since)s and id < %(before)s
union all
select null where (select count(*) from f) > %(most)s

-- name: ids_of_reviewed
select f.id from unnest(%(workflows)s::text[], %(points)s::text[]) as t (workflow, point)
cross join lateral (
  select id from decision d
  where d.route = 'review' and d.workflow = t.workflow and d.point = t.point and id >= %(since)s and id < %(before)s
  order by id desc limit %(most)s
) f
order by f.id desc limit %(most)s

-- name: ids_of_rejected
select f.id from unnest(%(workflows)s::text[], %(points)s::text[]) as t (workflow, point)
cross join lateral (
  select id from decision d
  where d.route = 'reject' and d.workflow = t.workflow and d.point = t.point and id >= %(since)s and id < %(before)s
  order by id desc limit %(most)s
) f
order by f.id desc limit %(most)s

-- name: ids_of_person
select distinct decision_id as id from (
  (select decision_id from review
   where resolved_by = %(by)s and decision_id >= %(since)s and decision_id < %(before)s
   order by decision_id desc limit %(most)s)
  union all
  (select decision_id from review
   where claimed_by = %(by)s and decision_id >= %(since)s and decision_id < %(before)s
   order by decision_id desc limit %(most)s)
) r
order by 1 desc limit %(most)s

-- name: ids_of_cases
-- Of these cases, and these decisions themselves.
select distinct f.id from (
  select id from decision where case_id = any(%(cases)s::uuid[]) and id >= %(since)s and id < %(before)s
  union all
  select id from decision where id = any(%(cases)s::uuid[]) and id >= %(since)s and id < %(before)s
) f
order by f.id desc limit %(most)s

-- name: points_of_tenant
-- Each point that has decisions, found by stepping over an index from one to the next.
with recursive p as (
  (select workflow, point from decision order by workflow, point limit 1)
  union all
  select n.workflow, n.point from p cross join lateral (
    select d.workflow, d.point from decision d where (d.workflow, d.point) > (p.workflow, p.point)
    order by d.workflow, d.point limit 1
  ) n
)
select workflow, point from p

-- name: ids_of_points
select f.id from unnest(%(workflows)s::text[], %(points)s::text[]) as t (workflow, point)
cross join lateral (
  select id from decision d
  where d.workflow = t.workflow and d.point = t.point and id >= %(since)s and id < %(before)s
  order by id desc limit %(most)s
) f
order by f.id desc limit %(most)s

-- name: found_decisions
-- Those of these decisions for which all else holds, the newest first. A span belongs to a field by its number; of each
-- field, one span must hold one of the decision's terms.
select d.id, d.case_id, d.workflow, d.point, d.key, d.route::text as route, d.component, d.input_contract as contract,
  d.confidence, d.exposure_minor, d.currency, d.review, d.decided_at
from decision d
where d.id = any(%(ids)s) and d.id >= %(least)s and d.id <= %(greatest)s
  and (%(workflow)s::text is null or d.workflow = %(workflow)s)
  and (%(point)s::text is null or d.point = %(point)s)
  and (%(component)s::text is null or d.component = %(component)s)
  and (%(contract)s::text is null or d.input_contract = %(contract)s)
  and (%(case_id)s::uuid is null or d.case_id = %(case_id)s)
  and (%(holders)s::uuid[] is null or d.id = any(%(holders)s::uuid[]) or d.case_id = any(%(holders)s::uuid[]))
  and (%(route)s::text is null or d.route::text = %(route)s)
  and (%(surest)s::float8 is null or (d.confidence >= %(sure)s::float8 and d.confidence <= %(surest)s::float8))
  and (%(currency)s::text is null
       or (d.currency = %(currency)s and d.exposure_minor >= %(low)s::bigint and d.exposure_minor <= %(high)s::bigint))
  and (%(by)s::text is null
       or exists (select from review r where r.id = d.review and (r.resolved_by = %(by)s or r.claimed_by = %(by)s)))
  and (%(caller)s::text is null
       or exists (select from searchable s where s.id = d.id and s.caller = %(caller)s))
  and (%(fields)s::bigint = 0 or %(fields)s::bigint = (
    select count(distinct t.field)
    from searchable s
    join unnest(%(numbers)s::int[], %(lows)s::bytea[], %(highs)s::bytea[]) as t (field, low, high)
      on (s.s1 >= t.low and s.s1 < t.high) or (s.s2 >= t.low and s.s2 < t.high) or (s.s3 >= t.low and s.s3 < t.high)
      or (s.s4 >= t.low and s.s4 < t.high) or (s.s5 >= t.low and s.s5 < t.high) or (s.s6 >= t.low and s.s6 < t.high)
      or (s.s7 >= t.low and s.s7 < t.high) or (s.s8 >= t.low and s.s8 < t.high)
    where s.id = d.id
  ))
order by d.id desc

-- name: decisions_to_index
-- A page of one point's decisions with what they are found by so far, the newest first.
select d.id, d.input, d.output, s.s1, s.s2, s.s3, s.s4, s.s5, s.s6, s.s7, s.s8
from decision d left join searchable s on s.id = d.id and s.id >= %(since)s and s.id < %(before)s
where d.workflow = %(workflow)s and d.point = %(point)s and d.id >= %(since)s and d.id < %(before)s
order by d.id desc limit %(most)s

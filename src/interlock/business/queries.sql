-- name: business_tenants
select tenant from tenants_known()

-- name: first_entry_at
-- When the tenant's first entry was written: before that there is nothing to count.
select at from ledger_entry order by id limit 1

-- name: begin_counting
-- Whoever counts holds the row; who comes meanwhile has nothing to do.
insert into business_counted (tenant, began_at, counted_to) values (%(tenant)s, %(begin)s, %(begin)s) on conflict do nothing

-- name: take_counting
select began_at, counted_to from business_counted for update skip locked

-- name: counting_stands
select began_at, counted_to from business_counted

-- name: move_counting
update business_counted set counted_to = %(until)s

-- name: decided_between
-- Of the decisions of that time, without known cases, whose proposals are made up. A component's own words may hold an escaped
-- NUL, which json cannot turn into text: a blank is put in its place.
with d as (
  select workflow, point, route, cost, (
    select sum(r.cpu_us) from json_to_recordset(replace(convert_from(attempts, 'UTF8'), '\u0000', '\u0020')::json) as r (cpu_us bigint)
  ) as cpu_us
  from decision
  where id >= %(since)s and id < %(until)s and (review is null or review not in (select id from known_case))
)
select workflow, 'decided' as sort, point as part, '' as currency, count(*) as number, sum(cost) as amount from d group by 1, 3
union all
select workflow, 'alone', point, '', count(*), 0 from d where route <> 'review' group by 1, 3
union all
select workflow, 'processor', point, '', count(cpu_us), coalesce(sum(cpu_us), 0) from d where cpu_us is not null group by 1, 3
union all
select workflow, 'undecided', point, '', count(*), sum(cost) from undecided_cost
where id >= %(since)s and id < %(until)s group by 1, 3

-- name: ended_between
-- Cases that ended in that time, by the ledger; steps of a geometric scale for how long they took.
with e as (
  select c.id, c.workflow, l.kind, coalesce(c.conclusion, '') as conclusion, coalesce(c.currency, '') as currency, c.exposure_minor,
    case when l.at - c.created_at <= interval '1 millisecond' then 0
      else floor(ln(extract(epoch from l.at - c.created_at) / 0.001) / ln(1.1)) end::int as step,
    exists (select from exception x where x.tenant = c.tenant and x.case_id = c.id) as excepted,
    exists (select from review v where v.tenant = c.tenant and v.case_id = c.id and v.state <> 'withdrawn'
      and not exists (select from audit_draw a where a.review = v.id) and not exists (select from second_look s where s.id = v.id)) as asked
  from ledger_entry l join cases c on c.id = l.subject
  where l.id >= %(since)s and l.id < %(until)s and l.kind in ('case.done', 'case.cancelled')
)
select workflow, 'done' as sort, conclusion as part, currency, count(*) as number, coalesce(sum(exposure_minor), 0) as amount
from e where kind = 'case.done' group by 1, 3, 4
union all
select workflow, 'cancelled', '', '', count(*), 0 from e where kind = 'case.cancelled' group by 1
union all
select workflow, 'straight', '', '', count(*), 0 from e where kind = 'case.done' and not asked and not excepted group by 1
union all
select workflow, 'excepted', '', '', count(*), 0 from e where excepted group by 1
union all
select workflow, 'span', step::text, '', count(*), 0 from e where kind = 'case.done' group by 1, step

-- name: answered_between
-- Reviews that people resolved in that time: known cases, second looks and the audit sample, too: people's time went into them.
with v as (
  select v.workflow, v.point,
    coalesce(
      (select case when bool_and(said.looked_ms is not null) then least(sum(said.looked_ms), 14400000)::bigint end
       from review_verdict said where said.tenant = v.tenant and said.review = v.id and said.undone_at is null),
      case when v.claimed_by = v.resolved_by and v.claimed_at <= v.resolved_at
           then least(1000 * extract(epoch from v.resolved_at - v.claimed_at), 14400000)::bigint end) as ms
  from review v
  where v.state = 'resolved' and v.resolved_at >= %(since_at)s and v.resolved_at < %(until_at)s
)
select workflow, 'answered' as sort, point as part, '' as currency, count(*) as number, 0::numeric as amount from v group by 1, 3
union all
select workflow, 'timed', point, '', count(ms), coalesce(sum(ms), 0) from v where ms is not null group by 1, 3

-- name: add_business_hours
insert into business_hour as b (tenant, workflow, hour, sort, part, currency, number, amount)
select tenant, workflow, hour, sort, part, currency, number, amount
from json_to_recordset(%(rows)s::json) as r (tenant uuid, workflow text, hour timestamptz, sort business_sort, part text, currency text,
  number bigint, amount numeric)
on conflict (tenant, workflow, hour, sort, part, currency) do update
set number = b.number + excluded.number, amount = b.amount + excluded.amount

-- name: tallies_of
select sort::text as sort, part, currency, sum(number)::bigint as number, sum(amount) as amount
from business_hour where workflow = %(workflow)s and hour >= %(since)s and hour < %(until)s
group by 1, 2, 3 order by 1, 2, 3

-- name: losses_of
-- What wrong decisions cost that nobody corrected: those that no person decided, and those that a person approved as they were; what
-- is on record of one that a person corrected was averted. Where none was realised, the exposure says what is lost by what the owner
-- declared; what a proposal lost says nothing of the no that a condition turned it into. Of the newest so many.
select d.point, coalesce(l.currency, d.currency, '') as currency, l.minor is not null as realised, case when l.minor is null then d.exposure_minor end as exposure_minor,
  count(*) as number, coalesce(sum(l.minor), 0)::numeric as lost_minor, d.route <> 'review' as alone
from (
  (select o.decision from decision_outcome o
   where not o.is_right and o.workflow = %(workflow)s and o.decision >= %(since)s and o.decision < %(until)s
   order by o.decision desc limit %(most)s)
  union all
  (select d.id from decision d join decision_outcome o on o.decision = d.id and o.is_right
   where d.route = 'reject' and d.workflow = %(workflow)s and d.id >= %(since)s and d.id < %(until)s
   order by d.id desc limit %(most)s)) w
join decision d on d.id = w.decision join decision_outcome o on o.decision = w.decision
left join review v on v.id = d.review left join audit_draw a on a.decision = d.id
left join lateral (select o.loss_minor as minor, o.currency where d.route <> 'reject') l on true
where case d.route when 'review' then v.resolution = 'approve' when 'automatic' then true
  else not no_is_right(o.is_right, o.standing, a.was_right, d.output, %(compared)s::json -> d.point) end
group by 1, 2, 3, 4, 7 order by 1, 2, 3, 4, 7

-- name: outcomes_known
-- At each point: of how many decisions an outcome is known, of how many it is not though it is due, and how many were decided without
-- a person before the audit sample began or after it was drawn last. Each is counted up to a bound.
select p.point,
  (select count(*)::int from (
    select from decision_outcome o
    where o.workflow = %(workflow)s and o.point = p.point and o.decision >= %(since)s and o.decision < %(until)s limit %(most)s) x) as known,
  case when p.due_at is null then 0 else greatest(0,
    (select coalesce(sum(h.number), 0) from business_hour h where h.workflow = %(workflow)s and h.sort = 'decided' and h.part = p.point
       and h.hour >= %(since_at)s and h.hour < least(p.due_at, %(until_at)s))
    - (select count(*) from (
        select from decision_outcome o
        where o.workflow = %(workflow)s and o.point = p.point and o.decision >= %(since)s and o.decision < least(p.due, %(until)s)
        limit %(most)s) x))::int end as missing,
  case when not p.sampled then 0 else
    (select count(*)::int from (
      select from decision d where d.workflow = %(workflow)s and d.point = p.point and d.route <> 'review'
        and d.id >= %(since)s and d.id < %(until)s and (w.begun is null or d.id <= w.begun) limit %(most)s) x)
    + (select count(*)::int from (
      select from decision d where d.workflow = %(workflow)s and d.point = p.point and d.route <> 'review'
        and d.id >= %(since)s and d.id < %(until)s and d.id > w.drawn_to limit %(most)s) x) end as outside
from unnest(%(points)s::text[], %(due_at)s::timestamptz[], %(due)s::uuid[], %(sampled)s::boolean[]) as p (point, due_at, due, sampled)
left join audit_drawing w on w.workflow = %(workflow)s and w.point = p.point and p.sampled

-- name: drawn_of
-- The audit samples of these points; of those that were right only their number.
select a.point, s.standing, case when s.standing = 'right' then '' else coalesce(l.currency, d.currency, '') end as currency,
  case when s.standing = 'wrong' then l.minor end as loss_minor, case when s.standing <> 'right' then d.exposure_minor end as exposure_minor,
  case when s.standing = 'right' then 1 else a.propensity end::float8 as propensity, count(*)::int as number
from unnest(%(points)s::text[], %(due)s::uuid[]) as p (point, due)
join audit_draw a on a.workflow = %(workflow)s and a.point = p.point and a.decision >= %(since)s and a.decision < %(until)s
join decision d on d.id = a.decision left join decision_outcome o on o.decision = a.decision
left join lateral (select o.loss_minor as minor, o.currency where d.route <> 'reject') l on true
cross join lateral (select case when o.decision is null then case when a.decision < p.due then 'missing' else 'waiting' end
  when case when d.route <> 'reject' then o.is_right
            else no_is_right(o.is_right, o.standing, a.was_right, d.output, %(compared)s::json -> d.point) end then 'right'
  else 'wrong' end as standing) s
group by 1, 2, 3, 4, 5, 6

-- name: stuck_now
-- How many cases an exception stops, up to a bound.
select count(*)::int from (select from cases where workflow = %(workflow)s and state = 'exception' limit %(most)s) x

-- name: behind_losses
-- The greatest losses of each currency by turns: as on record, else as the point declares them.
select decision, case_id, point, loss_minor, currency, exposure_minor, at, what, null::numeric as cost
from (
  select d.id as decision, d.case_id, d.point, l.minor as loss_minor, coalesce(k.currency, d.currency) as currency, d.exposure_minor,
    d.decided_at as at, d.route::text || case when k.minor is null and l.minor is not null then ', the loss as declared' else '' end as what,
    row_number() over (partition by coalesce(k.currency, d.currency) order by l.minor desc nulls last, d.id desc) as turn
  from (
    select o.decision from decision_outcome o
    where not o.is_right and o.workflow = %(workflow)s and o.decision >= %(since)s and o.decision < %(until)s
    union all
    select d.id from decision d join decision_outcome o on o.decision = d.id and o.is_right
    where d.route = 'reject' and d.workflow = %(workflow)s and d.id >= %(since)s and d.id < %(until)s) w
  join decision d on d.id = w.decision join decision_outcome o on o.decision = w.decision
  left join review v on v.id = d.review left join audit_draw a on a.decision = d.id
  left join unnest(%(points)s::text[], %(currencies)s::text[], %(parts)s::numeric[], %(wholes)s::numeric[], %(plus)s::numeric[],
    %(at_most)s::numeric[]) as p (point, currency, part, whole, plus, at_most) on p.point = d.point and p.currency = d.currency
  left join lateral (select o.loss_minor as minor, o.currency where d.route <> 'reject') k on true
  cross join lateral (select coalesce(k.minor, case when d.exposure_minor >= 0
    then least(div(d.exposure_minor * p.part + p.whole - 1, p.whole) + p.plus, p.at_most)::bigint end) as minor) l
  where case d.route when 'review' then v.resolution = 'approve' when 'automatic' then true
    else not no_is_right(o.is_right, o.standing, a.was_right, d.output, %(compared)s::json -> d.point) end) x
order by loss_minor is null, turn, currency limit %(take)s

-- name: behind_costs
-- The dearest of the newest so many.
select decision, case_id, point, null::bigint as loss_minor, currency, exposure_minor, at, what, cost
from unnest(%(points)s::text[]) as p (name) cross join lateral (
  select d.id as decision, d.case_id, d.point, d.currency, d.exposure_minor, d.decided_at as at, d.component as what, d.cost
  from decision d where d.workflow = %(workflow)s and d.point = p.name and d.id >= %(since)s and d.id < %(until)s
    and (d.review is null or d.review not in (select id from known_case))
  order by d.id desc limit %(newest)s) x
order by cost desc, decision desc limit %(take)s

-- name: behind_people
select v.decision_id as decision, v.case_id, v.point, null::bigint as loss_minor, v.currency, v.exposure_minor, v.resolved_at as at,
  v.resolution::text || ' by ' || v.resolved_by as what, null::numeric as cost
from review v
where v.workflow = %(workflow)s and v.state = 'resolved' and v.resolved_at >= %(since_at)s and v.resolved_at < %(until_at)s
  and v.decision_id is not null
order by v.resolved_at desc limit %(take)s

-- name: behind_exceptions
-- The newest exceptions of cases that ended in that time and of those that one stops now, each with the last decision of its case.
select d.id as decision, x.case_id, coalesce(d.point, '') as point, null::bigint as loss_minor, x.currency, x.exposure_minor,
  x.created_at as at, x.kind || ': ' || left(x.what, 200) as what, null::numeric as cost
from exception x join cases c on c.id = x.case_id
left join lateral (select d.id, d.point from decision d where d.case_id = x.case_id order by d.id desc limit 1) d on true
where x.workflow = %(workflow)s and x.id >= %(came)s
  and (c.state = 'exception' or c.state in ('done', 'cancelled') and c.changed_at >= %(since_at)s and c.changed_at < %(until_at)s)
order by x.id desc limit %(take)s

-- name: behind_cases
-- Cases that ended in that time, each with its last decision: those that took longest first, of so many that came last.
select d.id as decision, c.id as case_id, coalesce(d.point, '') as point, null::bigint as loss_minor, c.currency, c.exposure_minor,
  c.changed_at as at, c.conclusion || ' after ' || round(extract(epoch from c.changed_at - c.created_at))::text || ' s' as what,
  null::numeric as cost
from (
  select c.* from cases c
  where c.state = 'done' and c.workflow = %(workflow)s and c.id >= %(came)s and c.changed_at >= %(since_at)s and c.changed_at < %(until_at)s
    and (not %(straight)s or not exists (select from exception x where x.tenant = c.tenant and x.case_id = c.id)
      and not exists (select from review v where v.tenant = c.tenant and v.case_id = c.id and v.state <> 'withdrawn'
        and not exists (select from audit_draw a where a.review = v.id) and not exists (select from second_look s where s.id = v.id)))
  order by c.id desc limit %(newest)s) c
left join lateral (select d.id, d.point from decision d where d.case_id = c.id order by d.id desc limit 1) d on true
order by case when %(slowest)s then c.changed_at - c.created_at end desc nulls last, c.id desc limit %(take)s

-- name: behind_control
-- The newest cases that were drawn for the control group or not, each with its last decision; with questions that have no case.
select coalesce(d.id, q.id) as decision, c.id as case_id, coalesce(d.point, q.point, '') as point, null::bigint as loss_minor,
  coalesce(c.currency, q.currency) as currency, coalesce(c.exposure_minor, q.exposure_minor) as exposure_minor, g.drawn_at as at,
  case when g.is_control then 'control group' else 'not in the control group' end || ' (share ' || g.share || ')' as what, null::numeric as cost
from (
  select id, is_control, share, drawn_at from control_draw where workflow = %(workflow)s and id >= %(since)s and id < %(until)s
  order by id desc limit %(take)s) g
left join cases c on c.id = g.id left join decision q on q.id = g.id and c.id is null
left join lateral (select d.id, d.point from decision d where d.case_id = c.id order by d.id desc limit 1) d on true
order by g.id desc

-- name: drawn_cases
-- The newest cases of a time that were drawn, and questions without one, with what each cost. People's time for the audit sample belongs to the cases that it
-- looks at. At a point where only that sample tells, what was not drawn is known as far as it can be. A question ends when it is answered.
select g.id, g.is_control, g.step, case when c.id is not null then c.state::text when d.open = 0 then 'answered' else 'asked' end as state,
  coalesce(c.conclusion, '') as conclusion, coalesce(c.currency, d.currency) as currency,
  coalesce(c.exposure_minor, d.exposure_minor) as exposure_minor,
  coalesce(extract(epoch from coalesce(c.changed_at - least(c.created_at, g.drawn_at), greatest(d.answered_at - g.drawn_at, '0'))), 0)::float8 as seconds, d.cost, d.cpu_us, d.unknown, coalesce(v.ms, 0)::numeric as people_ms,
  v.untimed
from (
  select id, is_control, step, drawn_at from control_draw where workflow = %(workflow)s and id >= %(since)s and id < %(until)s
  order by id desc limit %(most)s) g
left join cases c on c.id = g.id
cross join lateral (
  select max(d.currency) as currency, max(d.exposure_minor) as exposure_minor, max(v.resolved_at) as answered_at,
    count(*) filter (where v.state not in ('resolved', 'withdrawn')) as open, coalesce(sum(d.cost), 0) as cost, coalesce(sum(p.cpu_us), 0)::numeric as cpu_us,
    (count(*) filter (where d.route <> 'review' and o.decision is null and (d.point <> all(%(sampled)s::text[]) or a.decision is not null)))::int
      as unknown
  from (select * from decision where case_id = g.id union all select * from decision where id = g.id) d
  left join decision_outcome o on o.decision = d.id left join audit_draw a on a.decision = d.id left join review v on v.id = d.review
  cross join lateral (
    select sum(r.cpu_us) as cpu_us
    from json_to_recordset(replace(convert_from(d.attempts, 'UTF8'), '\u0000', '\u0020')::json) as r (cpu_us bigint)) p) d
cross join lateral (
  select sum(t.ms) as ms, (count(*) filter (where t.ms is null))::int as untimed
  from (
    select v.* from review v where v.case_id = g.id and v.state = 'resolved'
    union all
    select v.* from decision d join review v on v.id = d.review where d.id = g.id and v.state = 'resolved'
    union all
    select v.* from (select id from decision where case_id = g.id union all select g.id) d
    join audit_draw a on a.decision = d.id join review v on v.id = a.review where v.state = 'resolved') v
  cross join lateral (select coalesce(
    (select case when bool_and(said.looked_ms is not null) then least(sum(said.looked_ms), 14400000)::bigint end
     from review_verdict said where said.tenant = v.tenant and said.review = v.id and said.undone_at is null),
    case when v.claimed_by = v.resolved_by and v.claimed_at <= v.resolved_at
         then least(1000 * extract(epoch from v.resolved_at - v.claimed_at), 14400000)::bigint end) as ms) t) v

-- name: drawn_losses
-- Wrong decisions of these cases that nobody corrected; where only the audit sample tells, those that it drew.
select g.id as case_id, d.point, coalesce(l.currency, d.currency, '') as currency, l.minor as loss_minor, d.exposure_minor,
  case when d.point = any(%(sampled)s::text[]) and d.route <> 'review' then a.propensity else 1 end::float8 as propensity
from (
  select id from control_draw where workflow = %(workflow)s and id >= %(since)s and id < %(until)s order by id desc limit %(most)s) g
cross join lateral (select * from decision where case_id = g.id union all select * from decision where id = g.id) d
join decision_outcome o on o.decision = d.id
left join review v on v.id = d.review left join audit_draw a on a.decision = d.id
left join lateral (select o.loss_minor as minor, o.currency where d.route <> 'reject') l on true
where case d.route when 'review' then not o.is_right and v.resolution = 'approve' when 'automatic' then not o.is_right
    else not no_is_right(o.is_right, o.standing, a.was_right, d.output, %(compared)s::json -> d.point) end
  and (d.point <> all(%(sampled)s::text[]) or d.route = 'review' or a.decision is not null)

-- name: tenants_measured
select tenant from tenants_known()

-- name: take_figures
-- Whoever gets a row measures; who comes meanwhile has nothing to do, until the one who took it is held for gone.
insert into autonomy_figures as f (tenant, workflow, point, due_at)
values (%(tenant)s, %(workflow)s, %(point)s, %(until)s)
on conflict (tenant, workflow, point) do update set due_at = excluded.due_at where f.due_at <= %(now)s
returning true

-- name: keep_figures
insert into autonomy_figures as f (tenant, workflow, point, due_at, measured_at, content)
values (%(tenant)s, %(workflow)s, %(point)s, %(due_at)s, %(measured_at)s, %(content)s)
on conflict (tenant, workflow, point) do update
set due_at = excluded.due_at, measured_at = excluded.measured_at, content = excluded.content
where f.measured_at is null or f.measured_at < excluded.measured_at

-- name: figures_of
select content from autonomy_figures where workflow = %(workflow)s and point = %(point)s and content is not null

-- name: newest_of_point
-- Up to which decision of a point it is looked back: so many of those before a moment, and no further than a time.
select id from decision
where workflow = %(workflow)s and point = %(point)s and id >= %(since)s and id < %(until)s
order by id desc offset %(most)s limit 1

-- name: versions_seen
-- The component versions that answered at a point: those that answered most first.
select component_digest as digest, min(component) as component from decision
where workflow = %(workflow)s and point = %(point)s and id >= %(since)s and id < %(until)s and confidence is not null
group by component_digest order by count(*) desc, component_digest limit %(most)s

-- name: exposure_bands
-- How many of the newest decisions of a point were in each band of exposure, and how many of them no person decided.
-- Band -1: nobody knows what was at stake, or it was below zero or in another currency. A sum stops at what is held.
select case when x.fits then width_bucket(x.exposure_minor - 1, %(edges)s::bigint[]) else -1 end::int as band,
  count(*)::int as decisions, (count(*) filter (where x.route <> 'review'))::int as alone,
  least(coalesce(sum(x.exposure_minor) filter (where x.fits), 0), 9223372036854775807)::bigint as minor,
  least(coalesce(sum(x.exposure_minor) filter (where x.fits and x.route <> 'review'), 0),
        9223372036854775807)::bigint as minor_alone
from (
  select d.exposure_minor, d.route, coalesce(d.currency = %(currency)s and d.exposure_minor >= 0, false) as fits
  from decision d
  where d.workflow = %(workflow)s and d.point = %(point)s and d.id >= %(since)s
    and (d.review is null or d.review not in (select id from known_case))
  order by d.id desc limit %(most)s) x
group by 1 order by 1

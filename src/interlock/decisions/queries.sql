-- name: add_decisions
insert into decision (id, tenant, case_id, workflow, point, key, input, input_hash, input_contract, output, output_hash,
  output_contract, component, component_digest, propensity, attempts, confidence, confidence_needed, exposure_minor, currency,
  findings, verdicts, reasons, route, review, evidence, cost, declaration, took_us, valid_until, decided_at, supersedes, facts,
  build, asked_at)
select id, tenant, case_id, workflow, point, key, decode(input, 'base64'), decode(input_hash, 'base64'), input_contract,
  decode(output, 'base64'), decode(output_hash, 'base64'), output_contract, component, decode(component_digest, 'base64'),
  propensity, decode(attempts, 'base64'), confidence, confidence_needed, exposure_minor, currency,
  decode(findings, 'base64'), decode(verdicts, 'base64'), decode(reasons, 'base64'), route, review,
  decode(evidence, 'base64'), cost, decode(declaration, 'base64'), decode(took_us, 'base64'), valid_until, decided_at, supersedes,
  decode(facts, 'base64'), decode(build, 'base64'), asked_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, case_id uuid, workflow text, point text, key text,
  input text, input_hash text, input_contract text, output text, output_hash text, output_contract text, component text,
  component_digest text, propensity numeric, attempts text, confidence double precision,
  confidence_needed double precision, exposure_minor bigint, currency text, findings text, verdicts text, reasons text,
  route route, review uuid, evidence text, cost numeric, declaration text, took_us text, valid_until timestamptz,
  decided_at timestamptz, supersedes uuid, facts text, build text, asked_at timestamptz)

-- name: find_decision
select id, case_id, workflow, point, key, input, input_hash, input_contract, output, output_hash, output_contract,
  component, component_digest, propensity, attempts, confidence, confidence_needed, exposure_minor, currency, findings,
  verdicts, reasons, route::text as route, review, evidence, cost, declaration, took_us, valid_until, decided_at, supersedes, facts,
  build, asked_at
from decision where id = %(id)s

-- name: find_decisions
select id, case_id, workflow, point, key, input, input_hash, input_contract, output, output_hash, output_contract,
  component, component_digest, propensity, attempts, confidence, confidence_needed, exposure_minor, currency, findings,
  verdicts, reasons, route::text as route, review, evidence, cost, declaration, took_us, valid_until, decided_at, supersedes, facts,
  build, asked_at
from decision where id = any(%(ids)s) and id >= %(least)s and id <= %(greatest)s

-- name: decisions_of_case
select id, case_id, workflow, point, key, input, input_hash, input_contract, output, output_hash, output_contract,
  component, component_digest, propensity, attempts, confidence, confidence_needed, exposure_minor, currency, findings,
  verdicts, reasons, route::text as route, review, evidence, cost, declaration, took_us, valid_until, decided_at, supersedes, facts,
  build, asked_at
from decision where case_id = %(case_id)s and id >= %(since)s order by id

-- name: leaves_of_decisions
select e.id as entry, e.subject as decision, e.body, l.index
from ledger_entry e left join ledger_leaf l on l.entry = e.id
where e.id > %(after)s and e.kind = 'decision.taken'
order by e.id limit %(most)s

-- name: find_key
select digest, holder, payload from idempotency_key where digest = %(digest)s

-- name: add_undecided_costs
insert into undecided_cost (id, tenant, workflow, point, case_id, attempts, cost, at)
select id, tenant, workflow, point, case_id, decode(attempts, 'base64'), cost, at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, workflow text, point text, case_id uuid, attempts text,
  cost numeric, at timestamptz)

-- name: costs_of_decisions
-- Added up by the server, in memory for one line a group. What was asked stands in `attempts`, as bytes; a component's own
-- words may hold an escaped NUL there, which PostgreSQL's json cannot turn into text: a blank is put in its place, as long.
select case %(by)s::text when 'point' then d.workflow || '.' || d.point when 'workflow' then d.workflow
            else to_char(d.at at time zone 'UTC', 'YYYY-MM-DD') end as name,
  count(*) filter (where d.taken) as decisions, sum(d.cost) as cost, coalesce(sum(a.cpu_us), 0)::bigint as cpu_us,
  coalesce(sum(a.input), 0)::bigint as input, coalesce(sum(a.cached_input), 0)::bigint as cached_input,
  coalesce(sum(a.output), 0)::bigint as output, coalesce(sum(a.reasoning), 0)::bigint as reasoning,
  coalesce(sum(a.requests), 0)::bigint as requests
from (
  select workflow, point, decided_at as at, attempts, cost, true as taken
  from decision where id >= %(since)s and id < %(until)s and (review is null or review not in (select id from known_case))
  union all
  select workflow, point, at, attempts, cost, false
  from undecided_cost where id >= %(since)s and id < %(until)s
) d
cross join lateral (
  select sum(r.cpu_us) as cpu_us, sum((r.usage ->> 'input')::bigint) as input,
    sum((r.usage ->> 'cached_input')::bigint) as cached_input, sum((r.usage ->> 'output')::bigint) as output,
    sum((r.usage ->> 'reasoning')::bigint) as reasoning, sum((r.usage ->> 'requests')::bigint) as requests
  from json_to_recordset(replace(convert_from(d.attempts, 'UTF8'), '\u0000', '\u0020')::json) as r (cpu_us bigint, usage json)
) a
group by 1

-- name: costs_of_components
-- What was asked, by who was asked; what was skipped, or stands there for a person, was not.
select r.component as name, count(*) filter (where d.taken) as decisions, coalesce(sum(r.cost), 0) as cost,
  coalesce(sum(r.cpu_us), 0)::bigint as cpu_us, coalesce(sum((r.usage ->> 'input')::bigint), 0)::bigint as input,
  coalesce(sum((r.usage ->> 'cached_input')::bigint), 0)::bigint as cached_input,
  coalesce(sum((r.usage ->> 'output')::bigint), 0)::bigint as output,
  coalesce(sum((r.usage ->> 'reasoning')::bigint), 0)::bigint as reasoning,
  coalesce(sum((r.usage ->> 'requests')::bigint), 0)::bigint as requests
from (
  select attempts, true as taken from decision
  where id >= %(since)s and id < %(until)s and (review is null or review not in (select id from known_case))
  union all
  select attempts, false from undecided_cost where id >= %(since)s and id < %(until)s
) d
cross join lateral json_to_recordset(replace(convert_from(d.attempts, 'UTF8'), '\u0000', '\u0020')::json)
  as r (component text, became text, cost numeric, cpu_us bigint, usage json)
where r.became <> 'skipped'
group by 1

-- name: time_of_people
-- The reviews of that time that were resolved, known cases and second looks, too: people's time went into them. A claim that ran out before the answer bounds what is counted.
select case %(by)s::text when 'point' then v.workflow || '.' || v.point when 'workflow' then v.workflow
            when 'component' then 'person' else to_char(v.created_at at time zone 'UTC', 'YYYY-MM-DD') end as name,
  count(*) as reviews, count(e.at) as timed,
  coalesce(sum(extract(epoch from least(v.resolved_at, v.claimed_until) - e.at)), 0)::bigint as seconds
from review v
left join lateral (
  select max(l.at) as at from ledger_entry l
  where l.subject = v.id and l.id >= v.id and l.kind = 'review.claimed' and l.at <= v.resolved_at
) e on true
where v.id >= %(since)s and v.id < %(until)s and v.state = 'resolved'
group by 1

-- name: recorded_decisions
-- A page of one point's decisions, the newest first by id, which goes with time; without known cases, whose proposals are made up.
select id, input, output, component, component_digest, confidence, attempts, findings, evidence, exposure_minor, currency,
  route::text as route, decided_at
from decision
where workflow = %(workflow)s and point = %(point)s and id >= %(since)s and id < %(before)s
  and (review is null or review not in (select id from known_case))
order by id desc limit %(most)s

-- name: add_decisions
insert into decision (id, tenant, case_id, workflow, point, key, input, input_hash, input_contract, output, output_hash,
  output_contract, component, component_digest, propensity, attempts, confidence, confidence_needed, exposure_minor, currency,
  findings, verdicts, reasons, route, review, evidence, cost, declaration, took_us, valid_until, decided_at, supersedes, facts)
select id, tenant, case_id, workflow, point, key, decode(input, 'base64'), decode(input_hash, 'base64'), input_contract,
  decode(output, 'base64'), decode(output_hash, 'base64'), output_contract, component, decode(component_digest, 'base64'),
  propensity, decode(attempts, 'base64'), confidence, confidence_needed, exposure_minor, currency,
  decode(findings, 'base64'), decode(verdicts, 'base64'), decode(reasons, 'base64'), route, review,
  decode(evidence, 'base64'), cost, decode(declaration, 'base64'), decode(took_us, 'base64'), valid_until, decided_at, supersedes,
  decode(facts, 'base64')
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, case_id uuid, workflow text, point text, key text,
  input text, input_hash text, input_contract text, output text, output_hash text, output_contract text, component text,
  component_digest text, propensity numeric, attempts text, confidence double precision,
  confidence_needed double precision, exposure_minor bigint, currency text, findings text, verdicts text, reasons text,
  route route, review uuid, evidence text, cost numeric, declaration text, took_us text, valid_until timestamptz,
  decided_at timestamptz, supersedes uuid, facts text)

-- name: find_decision
select id, case_id, workflow, point, key, input, input_hash, input_contract, output, output_hash, output_contract,
  component, component_digest, propensity, attempts, confidence, confidence_needed, exposure_minor, currency, findings,
  verdicts, reasons, route::text as route, review, evidence, cost, declaration, took_us, valid_until, decided_at, supersedes, facts
from decision where id = %(id)s

-- name: decisions_of_case
select id, case_id, workflow, point, key, input, input_hash, input_contract, output, output_hash, output_contract,
  component, component_digest, propensity, attempts, confidence, confidence_needed, exposure_minor, currency, findings,
  verdicts, reasons, route::text as route, review, evidence, cost, declaration, took_us, valid_until, decided_at, supersedes, facts
from decision where case_id = %(case_id)s and id >= %(since)s order by id

-- name: find_key
select digest, holder, payload from idempotency_key where digest = %(digest)s

-- Which decisions certificates and their monitors count is said in one place.
set local search_path = interlock, pg_catalog;

-- What a component answered with a confidence, and what is recorded of it. Not: known cases, which are made up, and questions
-- to a person that were asked again since and of which nothing is recorded (what went by itself and was taken back later stays:
-- it had been done). It is no more than its text in the statement that reads it: whose rows there are, that role's rights say.
create view answered_decision with (security_invoker = true) as
  select d.id, d.tenant, d.workflow, d.point, d.case_id, d.review, d.component_digest, d.confidence, d.exposure_minor, d.currency,
         d.route, d.verdicts, d.attempts, d.input, d.output, d.declaration, d.decided_at,
         o.outcome, o.is_right, o.loss_minor, o.currency as loss_currency, o.standing, a.propensity, a.was_right
  from decision d
  left join decision_outcome o on o.decision = d.id
  left join audit_draw a on a.decision = d.id
  where d.confidence is not null
    and not exists (select from known_case k where k.id = d.review)
    and (d.route <> 'review' or o.decision is not null
         or not exists (select from decision s where s.tenant = d.tenant and s.supersedes = d.id));
alter view answered_decision owner to interlock_owner;
grant select on answered_decision to interlock_service;

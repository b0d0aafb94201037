-- What pages list and count, found without reading all that is stored.
set local search_path = interlock, pg_catalog;

-- The cases of a state. An enumeration's comparison is not leakproof, so under row security no look-up by (tenant, state) could
-- use its index; a predicate is compared while planning. A case is in exactly one of these: a writer has as much to do as before.
drop index case_by_state;
create index case_ready on cases (tenant, workflow, id) where state = 'ready';
create index case_running on cases (tenant, workflow, id) where state = 'running';
create index case_waiting on cases (tenant, workflow, id) where state = 'waiting';
create index case_exception on cases (tenant, workflow, id) where state = 'exception';
create index case_quarantined on cases (tenant, workflow, id) where state = 'quarantined';
create index case_done on cases (tenant, workflow, id) where state = 'done';
create index case_cancelled on cases (tenant, workflow, id) where state = 'cancelled';

-- Unfinished actions, with what pages add up of them: under row security the planner takes a third of all for unfinished, and
-- reads few only where it need not go to the table.
drop index action_unfinished;
create index action_unfinished on action (tenant, id) include (workflow, name, connector, state, currency, exposure_minor)
  where state in ('dispatching', 'in_doubt', 'exception', 'undoing');

-- What came to pass in a span, whenever its case came: an action is in one of the two.
create index action_done on action (tenant, ended_at) where state = 'done';
create index action_failed_lately on action (tenant, ended_at) where state = 'failed';

-- The few that wait but are snoozed, spoken on by one, disagreed on or held. A filter says below, too, what of a row each of its
-- states rests on: what a case expression gives no index could find.
create index review_snoozed on review (tenant, snoozed_until) where snoozed_until is not null and state in ('open', 'claimed');
create index review_spoken_on on review (tenant, id)  -- as wide as review_work: the planner thinks that all are spoken on
  include (workflow, point, queue, team, state, urgency, confidence, exposure_minor, currency, due_at, created_at, claimed_by, claimed_until,
    assigned_to, snoozed_until, asked_to, effective_at, decided_by, disagreed, codes) where decided_by <> '{}' and state in ('open', 'claimed');
create index review_disagreed on review (tenant, id) where disagreed and state in ('open', 'claimed');
create index review_effective on review (tenant, effective_at) where effective_at is not null and state in ('open', 'claimed');
create index exception_snoozed on exception (tenant, snoozed_until) where snoozed_until is not null and state = 'open';

create or replace function review_fits(
  v review, at timestamptz, mine text, teams text[], of_workflow text, of_point text, of_queue text, of_team text, stands text,
  parked boolean, assigned text, claimed text, words text, code text, currencies text[], least_minor bigint[], most_minor bigint[],
  least_sure double precision, most_sure double precision, due_before timestamptz, opened_before timestamptz, second boolean)
  returns boolean language sql stable
  return (mine is null or v.assigned_to = mine or (v.state = 'claimed' and v.claimed_by = mine and v.claimed_until > at))
     and (teams is null or v.team = any(teams) or v.queue = any(teams))
     and (of_workflow is null or v.workflow = of_workflow)
     and (of_point is null or v.point = of_point)
     and (of_queue is null or v.queue = of_queue)
     and (of_team is null or v.team = of_team)
     and (stands is null or review_stands(v, at) = stands)
     and (stands is distinct from 'held' or v.effective_at is not null)
     and (stands is distinct from 'asked_back' or v.asked_to is not null)
     and (stands is distinct from 'snoozed' or v.snoozed_until is not null)
     and (stands is distinct from 'claimed' or v.state = 'claimed')
     and (stands is distinct from 'settle' or v.disagreed)
     and (stands is distinct from 'awaits_second' or v.decided_by <> '{}')
     and (stands is distinct from 'assigned' or v.assigned_to is not null)
     and (parked or (v.effective_at is null and v.asked_to is null and (v.snoozed_until is null or v.snoozed_until <= at)))
     and (assigned is null or v.assigned_to = assigned)
     and (claimed is null or (v.state = 'claimed' and v.claimed_by = claimed and v.claimed_until > at))
     and (code is null or code = any(v.codes))
     and (least_minor is null or abs(v.exposure_minor) >= least_minor[array_position(currencies, v.currency)])
     and (most_minor is null or abs(v.exposure_minor) <= most_minor[array_position(currencies, v.currency)])
     and (least_sure is null or v.confidence >= least_sure)
     and (most_sure is null or v.confidence <= most_sure)
     and (due_before is null or v.due_at < due_before)
     and (opened_before is null or v.created_at < opened_before)
     and (second is not true or (v.decided_by <> '{}' and not v.disagreed))
     and (words is null or strpos(lower(v.why), lower(words)) > 0);

create or replace function exception_fits(
  e exception, at timestamptz, mine text, teams text[], of_workflow text, of_point text, of_queue text, of_team text, stands text,
  parked boolean, assigned text, claimed text, words text, code text, currencies text[], least_minor bigint[], most_minor bigint[],
  least_sure double precision, most_sure double precision, due_before timestamptz, opened_before timestamptz, second boolean)
  returns boolean language sql stable
  return (mine is null or e.assigned_to = mine or (e.claimed_by = mine and e.claimed_until > at))
     and (teams is null or coalesce(e.team, e.owner) = any(teams))
     and (of_workflow is null or e.workflow = of_workflow)
     and (of_point is null or e.kind = of_point)
     and of_queue is null
     and (of_team is null or coalesce(e.team, e.owner) = of_team)
     and (stands is null or exception_stands(e, at) = stands)
     and (stands is distinct from 'asked_back' or e.asked_to is not null)
     and (stands is distinct from 'snoozed' or e.snoozed_until is not null)
     and (stands is distinct from 'claimed' or e.claimed_by is not null)
     and (stands is distinct from 'assigned' or e.assigned_to is not null)
     and (stands is null or stands in ('asked_back', 'snoozed', 'claimed', 'assigned', 'free'))
     and (parked or (e.asked_to is null and (e.snoozed_until is null or e.snoozed_until <= at)))
     and (assigned is null or e.assigned_to = assigned)
     and (claimed is null or (e.claimed_by = claimed and e.claimed_until > at))
     and (code is null or e.kind = code)
     and (least_minor is null or abs(e.exposure_minor) >= least_minor[array_position(currencies, e.currency)])
     and (most_minor is null or abs(e.exposure_minor) <= most_minor[array_position(currencies, e.currency)])
     and least_sure is null and most_sure is null
     and (due_before is null or e.due_at < due_before)
     and (opened_before is null or e.created_at < opened_before)
     and second is not true
     and (words is null or strpos(lower(e.what), lower(words)) > 0);

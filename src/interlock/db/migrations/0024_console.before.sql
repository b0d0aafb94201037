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

-- What is to be sent but waits; most actions are sent in the commit that adds them, and never enter it.
create index action_ready on action (tenant, connector, case_id) where state = 'ready';

-- What came to pass in a span, whenever its case came: an action is in one of the two.
create index action_done on action (tenant, ended_at) where state = 'done';
create index action_failed_lately on action (tenant, ended_at) where state = 'failed';

-- The few that wait but are snoozed, spoken on by one, disagreed on or held.
create index review_snoozed on review (tenant, snoozed_until) where snoozed_until is not null and state in ('open', 'claimed');
create index review_spoken_on on review (tenant, id)  -- as wide as review_work: the planner thinks that all are spoken on
  include (workflow, point, queue, team, state, urgency, confidence, exposure_minor, currency, due_at, created_at, claimed_by, claimed_until,
    assigned_to, snoozed_until, asked_to, effective_at, decided_by, disagreed, codes) where decided_by <> '{}' and state in ('open', 'claimed');
create index review_disagreed on review (tenant, id) where disagreed and state in ('open', 'claimed');
create index review_effective on review (tenant, effective_at) where effective_at is not null and state in ('open', 'claimed');
create index exception_snoozed on exception (tenant, snoozed_until) where snoozed_until is not null and state = 'open';

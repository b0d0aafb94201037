-- The work queue: reviews and exceptions in one order, found without reading all that waits.
set local search_path = interlock, pg_catalog;

alter table review
  add column confidence double precision,             -- of the proposal; null: there is none, or its component says none
  add column why  text not null default '',           -- why a person is asked, in a line
  add column codes text[] not null default '{}';      -- what the checks found

-- What waits already gets what the order rests on. Its urgency was 0 where nothing says what is at stake.
grant usage on schema interlock to interlock_migrator;
grant select, update on review, exception to interlock_migrator;
set local row_security = off;
set local role interlock_migrator;
update review set
  confidence = (convert_from(question, 'UTF8')::json ->> 'confidence')::double precision,
  urgency = case when exposure_minor is null then 1000000 else abs(urgency) end,
  due_at = coalesce(due_at, created_at + interval '24 hours'),
  why = left(coalesce(convert_from(question, 'UTF8')::json -> 'why' ->> 0, ''), 300)
where state in ('open', 'claimed');
update exception set
  urgency = case when exposure_minor is null then 1000000 else abs(exposure_minor) end,
  due_at = created_at + interval '24 hours'
where state = 'open';
do $$ begin
  if exists (select from review where state in ('open', 'claimed') and due_at is null) then
    raise exception 'reviews that wait have no place in the order';
  end if;
end $$;
reset role;
set local row_security = on;

-- What waits, with all that a filter asks of it, so that no question is read (its words only in one): of each kind by its expected loss
-- and by its deadline, which the order is found from, and all by age. (A coalesce would not do: only a case is leakproof, and so an
-- index's under row security.)
create index review_by_loss on review (tenant, workflow, point, (case when currency is null then '' else currency end), urgency desc, id)
  include (queue, team, state, confidence, exposure_minor, currency, due_at, created_at, claimed_by, claimed_until, assigned_to, snoozed_until,
    asked_to, effective_at, decided_by, disagreed, codes) where state in ('open', 'claimed');
create index review_by_due on review (tenant, workflow, point, (case when currency is null then '' else currency end), due_at, id)
  include (queue, team, state, urgency, confidence, exposure_minor, currency, created_at, claimed_by, claimed_until, assigned_to, snoozed_until,
    asked_to, effective_at, decided_by, disagreed, codes) where state in ('open', 'claimed');
create index review_work on review (tenant, id)
  include (workflow, point, queue, team, state, urgency, confidence, exposure_minor, currency, due_at, created_at, claimed_by, claimed_until,
    assigned_to, snoozed_until, asked_to, effective_at, decided_by, disagreed, codes, why) where state in ('open', 'claimed');
-- Of which workflows, points and currencies something waits in a queue, and the first of each there; the same of a team. (Who filters
-- by more than that, walks the wide ones above.)
create index review_kinds on review
  (tenant, queue, workflow, point, (case when currency is null then '' else currency end), urgency desc, id)
  include (due_at, currency, effective_at, asked_to, snoozed_until) where state in ('open', 'claimed');
create index review_kinds_by_due on review
  (tenant, queue, workflow, point, (case when currency is null then '' else currency end), due_at, id)
  include (urgency, currency, effective_at, asked_to, snoozed_until) where state in ('open', 'claimed');
create index review_team on review
  (tenant, team, workflow, point, (case when currency is null then '' else currency end), urgency desc, id)
  include (due_at, currency, effective_at, asked_to, snoozed_until) where team is not null and state in ('open', 'claimed');
create index review_team_by_due on review
  (tenant, team, workflow, point, (case when currency is null then '' else currency end), due_at, id)
  include (urgency, currency, effective_at, asked_to, snoozed_until) where team is not null and state in ('open', 'claimed');
create index review_assigned on review (tenant, assigned_to) where assigned_to is not null and state in ('open', 'claimed');
create index review_claimed on review (tenant, claimed_by) where state = 'claimed';
-- How long the last ones of each kind took.
create index review_dwell on review (tenant, workflow, point, resolved_at desc) where state = 'resolved' and claimed_at is not null;

create index exception_by_loss on exception
  (tenant, workflow, kind, (case when currency is null then '' else currency end), priority, urgency desc, id)
  include (team, owner, state, exposure_minor, currency, due_at, created_at, claimed_by, claimed_until, assigned_to, snoozed_until,
    asked_to) where state = 'open';
create index exception_by_due on exception
  (tenant, workflow, kind, (case when currency is null then '' else currency end), priority, due_at, id)
  include (team, owner, state, urgency, exposure_minor, currency, created_at, claimed_by, claimed_until, assigned_to, snoozed_until,
    asked_to) where state = 'open';
create index exception_work on exception (tenant, id)
  include (workflow, kind, team, owner, state, priority, urgency, exposure_minor, currency, due_at, created_at, claimed_by, claimed_until,
    assigned_to, snoozed_until, asked_to) where state = 'open';
create index exception_assigned on exception (tenant, assigned_to) where assigned_to is not null and state = 'open';
create index exception_claimed on exception (tenant, claimed_by) where claimed_by is not null and state = 'open';

-------------------------------------------------------------------------------------------------------- filters

-- Where an item stands: see oversight/work.py. Simple expressions, so that the planner puts them into the query.
create function review_stands(v review, at timestamptz) returns text language sql stable
  return case when v.effective_at is not null then 'held'
              when v.asked_to is not null then 'asked_back'
              when v.snoozed_until > at then 'snoozed'
              when v.state = 'claimed' and v.claimed_until > at then 'claimed'
              when v.disagreed then 'settle'
              when v.decided_by <> '{}' then 'awaits_second'
              when v.assigned_to is not null then 'assigned'
              else 'free' end;

create function exception_stands(e exception, at timestamptz) returns text language sql stable
  return case when e.asked_to is not null then 'asked_back'
              when e.snoozed_until > at then 'snoozed'
              when e.claimed_until > at then 'claimed'
              when e.assigned_to is not null then 'assigned'
              else 'free' end;

-- Whether an item is what a filter asks for; what is null asks nothing. Bounds of amounts are in minor units, one for each of
-- `currencies`. Where it asks how an item stands it says, too, what of a row that rests on: what a case expression gives no index
-- could find.
create function review_fits(
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

create function exception_fits(
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

-- Whether somebody, by their name as authority/actor.py's known_as has it, could take it now; null: nobody asks.
create function review_may_be_taken(v review, at timestamptz, taker text) returns boolean language sql stable
  return taker is null
      or (review_stands(v, at) in ('free', 'assigned', 'awaits_second', 'settle')
          and (v.assigned_to is null or lower(v.assigned_to) in (taker, 'cli:' || taker))
          and not array[taker, 'cli:' || taker] && lower(v.decided_by::text)::text[]);

create function exception_may_be_taken(e exception, at timestamptz, taker text) returns boolean language sql stable
  return taker is null
      or (exception_stands(e, at) in ('free', 'assigned') and (e.assigned_to is null or lower(e.assigned_to) in (taker, 'cli:' || taker)));

---------------------------------------------------------------------------------------------------- saved views

create table saved_view (
  id          uuid primary key,
  tenant      uuid not null,
  name        text not null constraint saved_view_name_is_short check (char_length(name) between 1 and 60),
  owner       text,                                   -- whose it is; null: everybody's of the tenant
  query       text not null constraint saved_view_query_is_short check (char_length(query) <= 4000),
  created_by  text not null,
  created_at  timestamptz not null
);
call protect('saved_view', 'select, insert, update, delete');
create unique index saved_view_name_is_taken on saved_view (tenant, coalesce(owner, ''), name);

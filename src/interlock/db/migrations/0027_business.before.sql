-- What came of the work, by the hour: tallies, so that figures over months cost the same however much is stored.
set local search_path = interlock, pg_catalog;

-- What is counted. Every number is of what happened in one hour, and is added once.
create type business_sort as enum (
  'decided',    -- decisions of a point; amount: what they cost beside compute, in USD
  'alone',      -- those of them that no person decided
  'processor',  -- those whose components' processor time is known; amount: it, in microseconds
  'undecided',  -- questions of a point that came to nothing; amount: their cost in USD
  'done',       -- cases that ended, by conclusion and currency; amount: their exposure in minor units
  'cancelled',  -- cases that were taken back or cancelled
  'straight',   -- ended cases that no person was asked about and nothing stopped
  'excepted',   -- ended and cancelled cases that an exception stopped at least once
  'span',       -- ended cases by how long they took: the part is the step of a geometric scale
  'answered',   -- reviews of a point that people resolved
  'timed'       -- those of them of which it is known how long they took; amount: it, in milliseconds
);

create table business_hour (
  tenant   uuid not null,
  workflow text not null,
  hour     timestamptz not null,              -- its beginning, UTC
  sort     business_sort not null,
  part     text not null,                     -- a point, a conclusion, a step; empty where there is one
  currency text not null,                     -- of the amount, where it is money of a case; empty otherwise
  number   bigint not null,
  amount   numeric not null,
  constraint business_hour_is_counted_once primary key (tenant, workflow, hour, sort, part, currency)
);
call protect('business_hour', 'select, insert, update');

-- How far a tenant's hours are counted. It moves in the commit that adds to them: nothing is added twice.
create table business_counted (
  tenant     uuid primary key,
  began_at   timestamptz not null,            -- what was before is not counted
  counted_to timestamptz not null
);
call protect('business_counted');

-- What was wrong, to be found among all that was right.
create index decision_outcome_wrong on decision_outcome (tenant, workflow, decision) where not is_right;

-- Written in this session; see the room that uses it.
set local search_path = interlock, pg_catalog;

------------------------------------------------------------------------------------------------- features and flags

-- A flag that a workflow asked for is a step of its journal.
alter type step_kind add value 'flag';

-- What is known of an entity, and since when: append-only, so that any past moment can be read as it was then.
create table feature_value (
  id           uuid not null,                  -- of two that were recorded in one commit, the later one counts
  tenant       uuid not null,
  feature      text collate "C" not null,
  version      int not null,
  entity       text collate "C" not null,
  value        bytea not null,                 -- canonical JSON
  event_at     timestamptz not null,           -- since when it holds
  recorded_at  timestamptz not null,           -- since when a decision may see it: a moment after its commit began
  source       text not null,                  -- who, or which file, it came from
  constraint feature_value_is_recorded_once primary key (tenant, feature, version, entity, event_at, recorded_at, id),
  constraint feature_value_has_an_entity check (entity <> '')
);
call protect('feature_value', 'select, insert');

-------------------------------------------------------------------------------------------------------------- costs

-- What was spent on a question that nothing came of: the queue was full by then, somebody had stopped it, or another one
-- had its key. It is part of what a point costs, like that of a decision.
create table undecided_cost (
  id        uuid primary key,                  -- that of its ledger entry
  tenant    uuid not null,
  workflow  text not null,
  point     text not null,
  case_id   uuid,                              -- whose step was asked, if a case's
  attempts  bytea not null,                    -- as of a decision: who was asked, canonical JSON
  cost      numeric not null,                  -- in USD, beside compute
  at        timestamptz not null
);
call protect('undecided_cost', 'select, insert');

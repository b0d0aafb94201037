-- The control group: which cases people decide, drawn by lot, so that what a workflow changes can be told from what changed beside it.
set local search_path = interlock, pg_catalog;

-- The key that draws the cases of a workflow: nobody can foretell who is drawn, all can check it.
create table control_key (
  id       uuid primary key,                  -- a digest of tenant and workflow
  tenant   uuid not null,
  workflow text not null,
  key      bytea not null constraint control_key_is_long check (octet_length(key) = 32),
  begun_at timestamptz not null,
  constraint control_key_is_one_a_workflow unique (tenant, workflow)
);
call protect('control_key', 'select, insert');

-- How each case was drawn, with its first decision; of a question that belongs to no case, under the decision's id.
create table control_draw (
  id         uuid primary key,
  tenant     uuid not null,
  workflow   text not null,
  is_control boolean not null,
  share      text not null,                   -- that counted when it began, as a fraction
  step       timestamptz not null,            -- since when it counted
  drawn_at   timestamptz not null
);
call protect('control_draw', 'select, insert');
create index control_draw_by_workflow on control_draw (tenant, workflow, id);

-- The figures of a point that pages show: measured beside the work, so that a page costs the same however much is stored.
set local search_path = interlock, pg_catalog;

create table autonomy_figures (
  tenant      uuid not null,
  workflow    text not null,
  point       text not null,
  due_at      timestamptz not null,           -- when they are to be measured anew; while somebody does, when another may
  measured_at timestamptz,                    -- null: not yet
  content     bytea,                          -- canonical JSON
  constraint autonomy_figures_are_of_a_point primary key (tenant, workflow, point),
  constraint autonomy_figures_measured_says_all check ((measured_at is null) = (content is null))
);
call protect('autonomy_figures');

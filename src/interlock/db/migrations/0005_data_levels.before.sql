-- What passes each contract, counted: for the levels of freshness and completeness that contracts promise.
--
-- A line is a contract's name with its major version. An element is a JSON Pointer of a field; '' is the record itself.
-- Every process adds what it saw once a second, never with a decision: the numbers are telemetry, and no amount of
-- money or right rests on them but through the level that a person reads or a decision falls back from.
set local search_path = interlock, pg_catalog;

create table data_arrival (
  tenant    uuid not null,
  line      text not null,
  element   text not null,
  first_at  timestamptz not null,      -- when the first record was seen
  last_at   timestamptz,               -- when the last one that kept the contract was
  newest    timestamptz,               -- the newest moment that stood in the element, not in the future
  primary key (tenant, line, element)
);
call protect('data_arrival');

create table data_tally (
  tenant   uuid not null,
  line     text not null,
  element  text not null,
  slot     timestamptz not null,       -- the minute
  records  bigint not null,            -- kept the contract
  refused  bigint not null,            -- broke it
  filled   bigint not null,            -- had the element
  primary key (tenant, line, element, slot)
);
call protect('data_tally', 'select, insert, update, delete');

create type data_level_state as enum ('kept', 'broken');
create table data_level (
  tenant      uuid not null,
  line        text not null,
  level       text not null,           -- in words: 'latency of /read_at at most 5 min'
  state       data_level_state not null,
  turn        bigint not null,         -- how often it changed its state
  what        text not null,           -- what was measured then, in words
  owner       text not null,           -- who was alerted: the contract's owner
  changed_at  timestamptz not null,
  primary key (tenant, line, level)
);
call protect('data_level');
create index data_level_broken on data_level (tenant, line) where state = 'broken';

grant select on data_arrival, data_level to interlock_finder;
grant create on schema interlock to interlock_finder;

-- The lines of which anything ever passed, in every tenant.
create function data_lines(wanted text[]) returns table (tenant uuid, line text)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select a.tenant, a.line from data_arrival a where a.line = any (wanted) and a.element = '' order by a.tenant, a.line
$$;

-- What is broken now, in every tenant: what each process must know.
create function data_levels_broken() returns table (tenant uuid, line text, level text, what text, changed_at timestamptz)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select l.tenant, l.line, l.level, l.what, l.changed_at from data_level l where l.state = 'broken'
  order by l.tenant, l.line, l.level
$$;

do $$
declare
  finder text;
begin
  foreach finder in array array['data_lines(text[])', 'data_levels_broken()'] loop
    execute format('alter function interlock.%s owner to interlock_finder', finder);
    execute format('revoke all on function interlock.%s from public', finder);
    execute format('grant execute on function interlock.%s to interlock_service', finder);
  end loop;
end $$;

revoke create on schema interlock from interlock_finder;

-------------------------------------------------------------------------------------------------------- quarantine

-- What a question without a case needs to be decided once it is mended, who let which go and why, and by which rules
-- the data are found. What came is never changed: mended data stand in the decision, or in the case.
alter table quarantine
  add column key text,                       -- under which it came; null: of a case, or from before
  add column exposure text,                  -- what the caller said is at stake: '12.30 MYR'
  add column caller text,                    -- who asked
  add column rules text[] not null default '{}',   -- which rules it breaks
  add column decision_id uuid,               -- the decision that its mended data led to
  add column why text;                       -- why it was discarded

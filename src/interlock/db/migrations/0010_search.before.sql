-- Search: decisions by the fields that their contracts declare searchable, and by version and amount.
--
-- One narrow row a decision, its values in up to eight slots of bytes, each with an index that also holds the id, so that
-- the newest come first without a sort. The bytes of a value begin with eight that name point, field and kind, and go on
-- so that their order is the value's (search/term.py): one form for texts, exact numbers, moments and keyed digests, and
-- one whose comparisons are leakproof, so that row security itself bounds every look-up and still lets it use the index.
-- Measured against a row for each field (half again as large, and as slow to write) and against GIN (no order).
set local search_path = interlock, pg_catalog;

create table searchable (
  tenant  uuid not null,
  id      uuid not null,                      -- the decision's
  caller  text,                               -- who asked, or submitted its case
  s1      bytea,
  s2      bytea,
  s3      bytea,
  s4      bytea,
  s5      bytea,
  s6      bytea,
  s7      bytea,
  s8      bytea,
  constraint searchable_is_one_a_decision primary key (tenant, id)
) partition by range (id);
call protect('searchable');
create index searchable_by_caller on searchable (tenant, caller, id) where caller is not null;
create index searchable_by_1 on searchable (tenant, s1, id) where s1 is not null;
create index searchable_by_2 on searchable (tenant, s2, id) where s2 is not null;
create index searchable_by_3 on searchable (tenant, s3, id) where s3 is not null;
create index searchable_by_4 on searchable (tenant, s4, id) where s4 is not null;
create index searchable_by_5 on searchable (tenant, s5, id) where s5 is not null;
create index searchable_by_6 on searchable (tenant, s6, id) where s6 is not null;
create index searchable_by_7 on searchable (tenant, s7, id) where s7 is not null;
create index searchable_by_8 on searchable (tenant, s8, id) where s8 is not null;

-- Versions and amounts are found of every decision, whatever its contract says.
create index decision_by_component on decision (tenant, component, id);
create index decision_by_contract on decision (tenant, input_contract, id) where input_contract is not null;
create index decision_by_exposure on decision (tenant, currency, exposure_minor, id) where currency is not null;
-- An enumeration's comparison is not leakproof and so in no index condition, but a predicate is compared while planning.
create index decision_reviewed on decision (tenant, workflow, point, id) where route = 'review';
create index decision_rejected on decision (tenant, workflow, point, id) where route = 'reject';
create index review_by_resolver on review (tenant, resolved_by, decision_id) where resolved_by is not null;
create index review_by_claimer on review (tenant, claimed_by, decision_id) where claimed_by is not null;

-- As in 0001, but for every table that is parted by an id: those of later migrations need no version of these functions.
create or replace function ensure_partitions(ahead int default 3) returns int
  language plpgsql security definer set search_path = interlock, pg_catalog set timezone = 'UTC' as $$
declare
  parent text;
  month timestamptz;
  part text;
  made int := 0;
begin
  perform pg_advisory_xact_lock(hashtext('interlock.ensure_partitions'));
  for parent in
    select c.relname from pg_partitioned_table p join pg_class c on c.oid = p.partrelid
    join pg_attribute a on a.attrelid = c.oid and a.attnum = p.partattrs[0]
    where p.partstrat = 'r' and a.atttypid = 'uuid'::regtype and c.relnamespace = 'interlock'::regnamespace
    order by 1
  loop
    for month in select generate_series(date_trunc('month', clock_timestamp() - interval '1 day'),
                                        date_trunc('month', clock_timestamp()) + make_interval(months => ahead),
                                        interval '1 month') loop
      part := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
      if to_regclass(part) is null then
        execute format('create table %I (like %I including defaults including constraints)', part, parent);
        execute format('alter table %I enable row level security', part);
        execute format('alter table %I force row level security', part);
        execute format('alter table %I attach partition %I for values from (%L) to (%L)',
                       parent, part, first_id(month), first_id(month + interval '1 month'));
        made := made + 1;
      end if;
    end loop;
  end loop;
  return made;
end $$;

create or replace function partitions_ahead() returns int
  language sql stable security definer set search_path = interlock, pg_catalog set timezone = 'UTC' as $$
  select coalesce(min(ahead), 0)::int from (
    select count(*) filter (where c.relname > p.relname || '_' || to_char(clock_timestamp(), 'YYYY_MM')) as ahead
    from (
      select t.relname, t.oid from pg_partitioned_table o join pg_class t on t.oid = o.partrelid
      join pg_attribute a on a.attrelid = t.oid and a.attnum = o.partattrs[0]
      where o.partstrat = 'r' and a.atttypid = 'uuid'::regtype and t.relnamespace = 'interlock'::regnamespace
    ) p
    left join pg_inherits i on i.inhparent = p.oid
    left join pg_class c on c.oid = i.inhrelid
    group by p.relname
  ) x
$$;

-- The months of the decisions that are there already, so that they, too, can be made findable.
do $$
declare
  part record;
begin
  for part in
    select substr(c.relname, 10) as month, pg_get_expr(c.relpartbound, c.oid) as bounds
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'decision'::regclass
  loop
    execute format('create table searchable_%s (like searchable including defaults including constraints)', part.month);
    execute format('alter table searchable_%s enable row level security', part.month);
    execute format('alter table searchable_%s force row level security', part.month);
    execute format('alter table searchable_%s owner to interlock_owner', part.month);
    execute format('alter table searchable attach partition searchable_%s %s', part.month, part.bounds);
  end loop;
end $$;
select ensure_partitions(3);

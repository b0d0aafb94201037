-- Lineage: what each source influenced, counted as the ledger grows, and how far those who read the ledger have come.
--
-- Nothing here is written by a decision or an action. One function follows the ledger, whose leaves have no gaps: each is
-- counted once, in the transaction that moves the cursor, so that no crash counts twice. A source is a digest of its
-- tenant, kind and name: no name is kept here, and so no personal value either.
set local search_path = interlock, pg_catalog;

-- What a source influenced within one part of the ledger: 1,024 leaves.
create table lineage_part (
  source          uuid not null,
  part            bigint not null,      -- the index of a leaf / 1024
  currency        text not null,        -- '' where nothing was said to be at stake
  tenant          uuid not null,
  decisions       int not null,
  cases           int not null,         -- those that it reached here for the first time
  exposure_sum    numeric not null,     -- minor units; a sum may be larger than one amount can be
  members         smallint[] not null,  -- the places in the part of the decisions taken and cases received, ascending
  constraint lineage_part_is_one primary key (source, part, currency)
);
call protect('lineage_part', 'select');

-- The actions behind a source, each in one of four places, with the money that they move.
create table lineage_money (
  source         uuid not null,
  currency       text not null,
  tenant         uuid not null,
  pending        bigint not null,       -- not ended: what it did, or will do, is not known yet
  pending_sum  numeric not null,
  done           bigint not null,       -- had its effect, and it still stands
  done_sum     numeric not null,
  undone         bigint not null,       -- had its effect, and it was taken back
  undone_sum   numeric not null,
  failed         bigint not null,       -- ended without an effect
  constraint lineage_money_is_one primary key (source, currency)
) with (fillfactor = 50);
call protect('lineage_money', 'select');

-- Which sources reached a case, in the order in which they did.
create table lineage_case (
  case_id  uuid not null constraint lineage_case_is_one primary key,
  tenant   uuid not null,
  sources  uuid[] not null,
  since    bigint[] not null,           -- the leaf of the decision that each came with; -1 for those of the case's input
  constraint lineage_case_says_since_when check (cardinality(sources) = cardinality(since))
);
call protect('lineage_case', 'select');

-- Where an action was last counted.
create table lineage_action (
  action   uuid not null constraint lineage_action_is_one primary key,
  tenant   uuid not null,
  counted  text not null constraint lineage_action_is_somewhere check (counted in ('pending', 'done', 'undone', 'failed')),
  reach    int not null                 -- how many of its case's sources were known when it was counted first
);
call protect('lineage_action', 'select');

-- How far each reader of the ledger has come. Of the installation, as the ledger is.
create table lineage_cursor (
  reader    text not null constraint lineage_cursor_is_one primary key,
  next      bigint not null constraint lineage_cursor_counts_from_zero check (next >= 0),
  moved_at  timestamptz not null default clock_timestamp()
);
alter table lineage_cursor enable row level security;
alter table lineage_cursor force row level security;
create policy installation on lineage_cursor using (true);
grant select, insert, update on lineage_cursor to interlock_service, interlock_finder;
alter table lineage_cursor owner to interlock_owner;
insert into lineage_cursor (reader, next) values ('influence', 0);

grant select, insert, update on lineage_part, lineage_money, lineage_case, lineage_action to interlock_finder;
grant select on ledger_leaf, ledger_head to interlock_finder;

-- A stored document, for reading parts of it; null where PostgreSQL cannot hold what it says. A blank takes the place of NUL.
create function lineage_json(raw bytea) returns jsonb
  language plpgsql immutable parallel safe set search_path = interlock, pg_catalog as $$
begin
  return replace(convert_from(raw, 'UTF8'), '\u0000', '\u0020')::jsonb;
exception when others then
  return null;
end $$;

create function lineage_source(of_tenant uuid, kind text, name text) returns uuid
  language sql immutable parallel safe
  as $$ select encode(substr(sha256(convert_to(of_tenant || ' ' || kind || ':' || name, 'UTF8')), 1, 16), 'hex')::uuid $$;

-- What brought a case, and what it was begun on: from the entry that received it, which never changes.
create function lineage_of_case(wanted uuid) returns table (kind text, name text)
  language sql stable set search_path = interlock, pg_catalog as $$
  select v.kind, v.name from (
    select lineage_json(e.body) as said from ledger_entry e
    where e.subject = wanted and e.case_id = wanted and e.kind = 'case.received' and e.id >= wanted limit 1
  ) r cross join lateral (values
    ('caller', r.said ->> 'caller'), ('code', replace(r.said ->> 'code', '-', '')), ('contract', r.said ->> 'contract'),
    ('input', encode(decode(r.said ->> 'input_hash', 'base64'), 'hex')), ('event', r.said #>> '{origin,event}'),
    ('stream', r.said #>> '{origin,stream}')
  ) v (kind, name)
  where v.name <> ''
$$;

-- What a decision rests on, beside what its case does.
create function lineage_of_decision(d decision) returns table (kind text, name text)
  language sql stable set search_path = interlock, pg_catalog as $$
  with said as (
    select lineage_json(d.attempts) as attempts, lineage_json(d.evidence) -> 'features' as features,
      lineage_json(d.facts) as facts,
      (select lineage_json(e.body) from ledger_entry e where e.id = d.id and e.kind = 'decision.taken') as entry
  )
  select v.kind, v.name from said cross join lateral (values
    ('contract', d.input_contract), ('contract', split_part(d.input_contract, '.', 1)),
    ('contract', d.output_contract), ('contract', split_part(d.output_contract, '.', 1)),
    ('component', d.component), ('digest', encode(d.component_digest, 'hex')),
    ('declaration', encode(d.declaration, 'hex')), ('build', encode(d.build, 'hex')), ('input', encode(d.input_hash, 'hex')),
    ('point', d.workflow || '.' || d.point), ('caller', entry ->> 'caller'),
    ('event', entry #>> '{origin,event}'), ('stream', entry #>> '{origin,stream}'), ('job', entry #>> '{origin,job}'),
    ('row', (entry #>> '{origin,job}') || '/' || (entry #>> '{origin,row}'))
  ) v (kind, name)
  where v.name <> ''
  union
  select v.kind, v.name from said
  cross join lateral jsonb_array_elements(case when jsonb_typeof(attempts) = 'array' then attempts else '[]' end) a
  cross join lateral (values ('component', a ->> 'component'), ('digest', a ->> 'digest')) v (kind, name)
  where v.name <> '' and a ->> 'became' not in ('skipped', 'stopped')
  union
  select v.kind, v.name from said
  cross join lateral jsonb_each(case when jsonb_typeof(features) = 'object' then features else '{}' end) f
  cross join lateral (values
    ('feature', f.key || '@' || (f.value ->> 'version')), ('load', f.value ->> 'source'), ('digest', f.value ->> 'digest'),
    ('entity', f.key || '@' || (f.value ->> 'version') || '/' || (f.value ->> 'entity'))
  ) v (kind, name)
  where v.name <> ''
  union
  select 'fact', f ->> 'name' from said
  cross join lateral jsonb_array_elements(case when jsonb_typeof(facts) = 'array' then facts else '[]' end) f
  where f ->> 'name' <> ''
$$;

-- Where an action is counted.
create function lineage_place(state action_state) returns text
  language sql immutable parallel safe
  as $$ select case when state in ('done', 'undoing') then 'done' when state = 'undone' then 'undone'
                    when state = 'failed' then 'failed' else 'pending' end $$;

-- Counts the next leaves of the ledger, at most so many; `behind` is how many are left. Nothing where somebody else counts.
-- By index alone: from the small tables of a young installation the planner would take whole ones, and keep to it.
create function follow_lineage(most int) returns table (followed bigint, behind bigint)
  language plpgsql security definer set search_path = interlock, pg_catalog
  set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
declare
  start bigint;
  size bigint;
  upto bigint;
  touched uuid[];
begin
  if not pg_try_advisory_xact_lock(1229999951) then
    return;
  end if;
  select c.next into strict start from lineage_cursor c where c.reader = 'influence';
  select coalesce(max(l.index) + 1, 0) into size from ledger_leaf l;
  upto := least(size, start + most);
  if upto > start then
    select coalesce(array_agg(distinct e.case_id), '{}') into touched
    from ledger_leaf l join ledger_entry e on e.id = l.entry
    where l.index >= start and l.index < upto and e.case_id is not null;

    -- every case that is named here is known, with what brought it
    insert into lineage_case (case_id, tenant, sources, since)
    select c.id, c.tenant, coalesce(array_agg(s.source) filter (where s.source is not null), '{}'),
      coalesce(array_agg(-1) filter (where s.source is not null), '{}')
    from unnest(touched) t (id) join cases c on c.id = t.id
    left join lateral (
      select distinct lineage_source(c.tenant, o.kind, o.name) as source from lineage_of_case(c.id) o) s on true
    where not exists (select from lineage_case k where k.case_id = c.id)
    group by c.id, c.tenant
    on conflict (case_id) do nothing;

    with grown as materialized (
      select l.index, e.kind, e.subject from ledger_leaf l join ledger_entry e on e.id = l.entry
      where l.index >= start and l.index < upto and e.kind in ('decision.taken', 'case.received')
    ), taken as materialized (
      select g.index, d.id, d.tenant, d.case_id, coalesce(d.currency, '') as currency, d.exposure_minor, s.source
      from grown g join decision d on d.id = g.subject
      cross join lateral (
        select distinct lineage_source(d.tenant, o.kind, o.name) as source from lineage_of_decision(d) o
        union
        select u.source from lineage_case k cross join lateral unnest(k.sources, k.since) u (source, since)
        where k.case_id = d.case_id and u.since = -1
      ) s
      where g.kind = 'decision.taken'
    ), fresh as materialized (
      select t.case_id, t.source, min(t.index) as index
      from taken t join lineage_case k on k.case_id = t.case_id
      where t.source <> all (k.sources)
      group by 1, 2
    ), reached as (
      update lineage_case k set sources = k.sources || f.sources, since = k.since || f.since
      from (select case_id, array_agg(source order by index, source) as sources,
              array_agg(index order by index, source) as since
            from fresh group by 1) f
      where k.case_id = f.case_id
    ), counted as (
      select t.source, t.index, t.tenant, t.currency, 1 as decisions, (f.index is not null)::int as cases,
        coalesce(t.exposure_minor, 0) as exposure_minor
      from taken t left join fresh f on f.case_id = t.case_id and f.source = t.source and f.index = t.index
      union all
      select u.source, g.index, k.tenant, '', 0, 1, 0
      from grown g join lineage_case k on k.case_id = g.subject
      cross join lateral unnest(k.sources, k.since) u (source, since)
      where g.kind = 'case.received' and u.since = -1
    )
    insert into lineage_part as p (source, part, currency, tenant, decisions, cases, exposure_sum, members)
    select c.source, c.index / 1024, c.currency, c.tenant, sum(c.decisions), sum(c.cases), sum(c.exposure_minor),
      array_agg((c.index % 1024)::smallint order by c.index)
    from counted c group by 1, 2, 3, 4
    on conflict (source, part, currency) do update
      set decisions = p.decisions + excluded.decisions, cases = p.cases + excluded.cases,
          exposure_sum = p.exposure_sum + excluded.exposure_sum, members = p.members || excluded.members;

    -- an action counts from the leaf that intended it on, under the sources that had reached its case before it: by leaves,
    -- since the ids of two processes need not go with time
    with moved as materialized (
      select a.id, l.index, a.tenant, a.case_id, coalesce(a.currency, '') as currency, coalesce(a.exposure_minor, 0) as minor,
        lineage_place(a.state) as now, k.counted as before, coalesce(k.reach, cardinality(c.sources)) as reach
      from action a join lineage_case c on c.case_id = a.case_id join ledger_leaf l on l.entry = a.id and l.index < upto
      left join lineage_action k on k.action = a.id
      where a.case_id = any (touched) and a.undo_of is null and k.counted is distinct from lineage_place(a.state)
    ), placed as (
      insert into lineage_action as k (action, tenant, counted, reach)
      select id, tenant, now, reach from moved
      on conflict (action) do update set counted = excluded.counted
    ), step as (
      select index, tenant, case_id, currency, minor, reach, now as place, 1 as sign from moved
      union all
      select index, tenant, case_id, currency, minor, reach, before, -1 from moved where before is not null
    )
    insert into lineage_money as m (source, currency, tenant, pending, pending_sum, done, done_sum, undone, undone_sum, failed)
    select u.source, s.currency, s.tenant,
      coalesce(sum(s.sign) filter (where s.place = 'pending'), 0), coalesce(sum(s.sign * s.minor) filter (where s.place = 'pending'), 0),
      coalesce(sum(s.sign) filter (where s.place = 'done'), 0), coalesce(sum(s.sign * s.minor) filter (where s.place = 'done'), 0),
      coalesce(sum(s.sign) filter (where s.place = 'undone'), 0), coalesce(sum(s.sign * s.minor) filter (where s.place = 'undone'), 0),
      coalesce(sum(s.sign) filter (where s.place = 'failed'), 0)
    from step s join lineage_case c on c.case_id = s.case_id
    cross join lateral unnest(c.sources[:s.reach], c.since[:s.reach]) u (source, since)
    where u.since < s.index
    group by 1, 2, 3
    on conflict (source, currency) do update
      set pending = m.pending + excluded.pending, pending_sum = m.pending_sum + excluded.pending_sum,
          done = m.done + excluded.done, done_sum = m.done_sum + excluded.done_sum,
          undone = m.undone + excluded.undone, undone_sum = m.undone_sum + excluded.undone_sum,
          failed = m.failed + excluded.failed;

    update lineage_cursor c set next = upto, moved_at = clock_timestamp() where c.reader = 'influence';
  end if;
  followed := upto - start;
  behind := size - upto;
  return next;
end $$;

-- The next leaves of the ledger with whose they are, for those who tell others: in order, every one, also those of no
-- tenant and those whose entry has gone to an archive since. Else whoever reads by batches would take a gap for the end.
create function lineage_feed(after_index bigint, most int)
  returns table (index bigint, tenant uuid, tenant_name text, kind text, subject uuid, case_id uuid, at timestamptz)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select l.index, t.tenant, t.name, e.kind, e.subject, e.case_id, e.at
  from (select f.index, f.entry from ledger_leaf f where f.index >= after_index order by f.index limit most) l
  left join ledger_entry e on e.id = l.entry left join tenant t on t.tenant = e.tenant
  order by l.index
$$;

do $$
declare
  finder text;
begin
  grant create on schema interlock to interlock_finder;
  foreach finder in array array['follow_lineage(int)', 'lineage_feed(bigint, int)'] loop
    execute format('alter function interlock.%s owner to interlock_finder', finder);
    execute format('revoke all on function interlock.%s from public', finder);
    execute format('grant execute on function interlock.%s to interlock_service', finder);
  end loop;
  revoke create on schema interlock from interlock_finder;
end $$;

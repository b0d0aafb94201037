-- Published rules and contracts: what was published, for ever, and which version counts for each line, since when.
--
-- A line is a major version: a workflow's file that names rules:approve-receipt@1 means line 1 of approve-receipt.
-- Both tables only grow. INVARIANT: the service may change and delete nothing here, so that a version that once
-- decided can be shown, byte for byte, as it was.
set local search_path = interlock, pg_catalog;

create table publication (
  id         uuid primary key,
  tenant     uuid not null,
  kind       text not null constraint publication_is_of_a_known_kind check (kind in ('rules', 'contract')),
  name       text not null,
  version    text not null,                    -- whole, as its file says: '1', '1.1', '1.2.0'
  line       text not null constraint publication_line_is_a_major_version check (line ~ '^[0-9]{1,6}$'),
  digest     bytea not null,                   -- SHA-256 of the content
  content    bytea not null,                   -- the file, byte for byte
  author     text not null,                    -- the key's name, or the person's
  why        text not null,
  at         timestamptz not null,
  constraint publication_version_never_changes unique (tenant, kind, name, version),
  constraint publication_is_of_its_line check (split_part(version, '.', 1) = line),
  constraint publication_digest_is_of_its_content check (digest = sha256(content))
);
call protect('publication', 'select, insert');

-- Every change of what counts: the n-th change of a line is made once, and the last one counts.
create table in_force (
  tenant       uuid not null,
  kind         text not null,
  name         text not null,
  line         text not null,
  change       int not null constraint in_force_changes_count_from_one check (change > 0),
  publication  uuid not null constraint in_force_is_published references publication (id),
  since        timestamptz not null,
  author       text not null,
  why          text not null,
  constraint in_force_each_change_is_made_once primary key (tenant, kind, name, line, change)
);
call protect('in_force', 'select, insert');
create index in_force_by_reference on in_force (kind, name, line, tenant, change desc);

grant select on publication, in_force to interlock_finder;
grant create on schema interlock to interlock_finder;

-- Grows with every change, in any tenant: what a process compares to see whether there is news.
create function count_changes_in_force() returns bigint
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select count(*) from in_force
$$;

-- What counts, in every tenant, for references such as (rules, approve-receipt, 1): of a line the version in force, of
-- a whole version with a point that version itself.
create function find_in_force(kinds text[], names text[], versions text[])
  returns table (tenant uuid, kind text, name text, wanted text, publication uuid, version text, digest bytea)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select last.tenant, w.kind, w.name, w.version, p.id, p.version, p.digest
  from unnest(kinds, names, versions) as w (kind, name, version)
  cross join lateral (
    select distinct on (f.tenant) f.tenant, f.publication
    from in_force f
    where f.kind = w.kind and f.name = w.name and f.line = w.version
    order by f.tenant, f.change desc
  ) last
  join publication p on p.id = last.publication
  union all
  select p.tenant, w.kind, w.name, w.version, p.id, p.version, p.digest
  from unnest(kinds, names, versions) as w (kind, name, version)
  join publication p on p.kind = w.kind and p.name = w.name and p.version = w.version
  where strpos(w.version, '.') > 0
$$;

do $$
declare
  finder text;
begin
  foreach finder in array array['count_changes_in_force()', 'find_in_force(text[], text[], text[])'] loop
    execute format('alter function interlock.%s owner to interlock_finder', finder);
    execute format('revoke all on function interlock.%s from public', finder);
    execute format('grant execute on function interlock.%s to interlock_service', finder);
  end loop;
end $$;

revoke create on schema interlock from interlock_finder;

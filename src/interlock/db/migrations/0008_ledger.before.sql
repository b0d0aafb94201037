-- The ledger: an RFC 9162 Merkle tree over its entries. Entries are written unordered, in the commit of what they tell; the
-- tree is grown afterwards, in batches, by one function, inside the database: no entry leaves it to be hashed, and nobody,
-- the service neither, has a right to change what is sealed.
set local search_path = interlock, pg_catalog;

-- What the sequencer finds new entries by. One xid has many entries, which share one place in the index.
create index ledger_entry_by_xid on ledger_entry (xid);

-- The tree is the installation's: a leaf says nothing of whose its entry is, and an entry is read under its tenant alone.
create table ledger_leaf (
  index  bigint not null constraint ledger_leaf_has_one_place primary key constraint ledger_leaf_counts_from_zero check (index >= 0),
  entry  uuid not null constraint ledger_leaf_is_one_an_entry unique,
  hash   bytea not null constraint ledger_leaf_hash_is_sha256 check (octet_length(hash) = 32)
);
-- The roots of the perfect subtrees above the leaves: (level, index) is that of leaves index * 2^level and the 2^level - 1
-- after it. They never change, so the tree of every earlier size can still be proved.
create table ledger_node (
  level  smallint not null constraint ledger_node_is_above_the_leaves check (level between 1 and 62),
  index  bigint not null,
  hash   bytea not null constraint ledger_node_hash_is_sha256 check (octet_length(hash) = 32),
  constraint ledger_node_has_one_place primary key (level, index)
);
-- How far the tree has grown. `seen` is the snapshot up to which every entry is in it; what was not visible then comes next.
create table ledger_head (
  one        boolean not null default true primary key constraint ledger_head_is_one check (one),
  log        uuid not null default gen_random_uuid(),   -- tells this log from every other one; part of its default origin
  size       bigint not null,
  root       bytea not null constraint ledger_root_is_sha256 check (octet_length(root) = 32),
  seen       pg_snapshot not null,
  cluster    text not null,            -- where `seen` means something: after a dump and restore it does not
  sealed_at  timestamptz not null,
  accepted   bigint not null default 0  -- kept checkpoints up to here bind nobody any more: somebody accepted that, on the ledger
) with (fillfactor = 50);
create table ledger_checkpoint (
  size       bigint not null primary key,
  root       bytea not null,
  note       bytea not null,           -- the signed note, as it was published
  keys       text[] not null,          -- the ids of the keys that signed it; several while keys are being changed
  signed_at  timestamptz not null,
  cluster    text not null             -- where it was signed: a copy of the database is another one, and may not sign the same log
);
create index ledger_checkpoint_of_a_change on ledger_checkpoint (keys, size) where cardinality(keys) > 1;

do $$
declare
  tree text;
begin
  foreach tree in array array['ledger_leaf', 'ledger_node', 'ledger_head', 'ledger_checkpoint'] loop
    execute format('alter table interlock.%I enable row level security', tree);
    execute format('alter table interlock.%I force row level security', tree);
    execute format('create policy installation on interlock.%I using (true)', tree);
    execute format('grant select on interlock.%I to interlock_service', tree);
    execute format('grant select, insert on interlock.%I to interlock_finder', tree);
    execute format('alter table interlock.%I owner to interlock_owner', tree);
  end loop;
end $$;
grant update on ledger_head to interlock_finder;
grant update (note, keys, signed_at, cluster) on ledger_checkpoint to interlock_finder;
-- whose transaction an entry is of, by which it is found and sealed, nobody says but the database
revoke insert on ledger_entry from interlock_service;
grant insert (id, tenant, kind, subject, case_id, at, body) on ledger_entry to interlock_service;
grant update (xid) on ledger_entry to interlock_finder;
grant select on ledger_entry to interlock_finder;

-- Where a snapshot's transaction ids mean something: this database of this cluster.
create function this_cluster() returns text
  language sql stable set search_path = interlock, pg_catalog as $$
  select (select system_identifier from pg_control_system()) || '/' || (select oid from pg_database where datname = current_database())
$$;

-- The empty tree. Nothing has been seen: every entry that is there comes first.
insert into ledger_head (size, root, seen, cluster, sealed_at)
values (0, sha256(''), '3:3:'::pg_snapshot, this_cluster(), clock_timestamp());

-- The bytes of an entry's leaf: canonical JSON. The body is stored canonical; the rest needs no escapes, but for the kind.
-- Without settings of its own, so that it is inlined.
create function ledger_leaf_data(id uuid, tenant uuid, kind text, subject uuid, case_id uuid, at timestamptz, body bytea) returns bytea
  language sql stable parallel safe
  as $$ select convert_to('{"at":"' || to_char($6 at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '","body":', 'UTF8') || $7
      || convert_to(',"case":' || coalesce('"' || $5 || '"', 'null') || ',"id":"' || $1 || '","kind":' || to_json($3)
                    || ',"subject":"' || $4 || '","tenant":"' || $2 || '","v":1}', 'UTF8') $$;

-- The root of the tree of the first `wanted` leaves, from its perfect subtrees, the smallest first (RFC 9162, 2.1.1).
create function ledger_root(wanted bigint) returns bytea
  language plpgsql stable set search_path = interlock, pg_catalog as $$
declare
  height int := 0;
  part bytea;
  root bytea;
begin
  while (wanted >> height) > 0 loop
    if ((wanted >> height) & 1) = 1 then
      if height = 0 then
        select hash into strict part from ledger_leaf where index = wanted - 1;
      else
        select hash into strict part from ledger_node n where n.level = height and n.index = (wanted >> height) - 1;
      end if;
      root := case when root is null then part else sha256('\x01'::bytea || part || root) end;
    end if;
    height := height + 1;
  end loop;
  return coalesce(root, sha256(''));
end $$;

-- Grows the tree by the entries that were committed since the last time; at most about `most`, and at least those of one
-- transaction. Nothing where another sequencer is at work. `more`: there may be more.
--
-- An entry is new if its transaction was not visible in the snapshot that the head keeps: it was under way then, or began
-- later. Neither a high-water mark of ids nor one of transactions finds one that began early and committed late. The snapshot
-- that is kept is the current one, cut off at a transaction id where there is too much: what is beyond the cut is not seen.
create function seal_entries(most int) returns table (sealed bigint, size bigint, root bytea, more boolean)
  language plpgsql security definer set search_path = interlock, pg_catalog
  -- a batch is found by indexes, however large the tree has become, and each hash by itself (lateral): other plans read all of it
  -- for each batch, or for each hash where the planner knows nothing yet of a tree that has just grown
  set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
declare
  head ledger_head;
  now_seen pg_snapshot;
  late xid8[];      -- were under way
  since xid8;       -- or began later
  cut xid8;
  added bigint;
  grown bigint;
  height int := 1;
begin
  if current_setting('transaction_isolation') <> 'repeatable read' then
    raise exception 'seal_entries runs in a transaction of isolation level repeatable read';
  end if;
  if not pg_try_advisory_xact_lock(1229999950) then
    return;
  end if;
  -- who moved it between this transaction's snapshot and its lock has done the work: that is a serialization failure
  select * into strict head from ledger_head for no key update;
  now_seen := pg_current_snapshot();
  more := false;
  if head.cluster = this_cluster() then
    late := array(select pg_snapshot_xip(head.seen));
    since := pg_snapshot_xmax(head.seen);
    select e.xid into cut from ledger_entry e where e.xid >= since order by e.xid offset most limit 1;
    if cut is not null then  -- the transaction that holds the first entry too many is the last to be taken, whole
      cut := (cut::text::numeric + 1)::text::xid8;
      if cut < pg_snapshot_xmax(now_seen) then
        more := true;
        now_seen := (least(pg_snapshot_xmin(now_seen), cut)::text || ':' || cut::text || ':'
          || coalesce((select string_agg(x::text, ',' order by x) from pg_snapshot_xip(now_seen) x where x < cut), ''))::pg_snapshot;
      end if;
    end if;
    -- in order of transactions: what rests on another commit comes after it, whatever the clocks that the ids were made by
    insert into ledger_leaf (index, entry, hash)
    select head.size - 1 + row_number() over (order by e.xid, e.id), e.id,
           sha256('\x00'::bytea || ledger_leaf_data(e.id, e.tenant, e.kind, e.subject, e.case_id, e.at, e.body))
    from (
      select * from ledger_entry where xid = any (late)
      union all
      select * from ledger_entry where xid >= since and xid < pg_snapshot_xmax(now_seen)
    ) e;
    get diagnostics added = row_count;
  else
    -- The database was dumped and restored: its transaction ids are another cluster's, so what has no leaf is new. Those that this
    -- cluster has yet to give out would be taken for new when it does: they are made old, once. No leaf holds them.
    -- What this cluster has not given out yet was written before all that it has.
    insert into ledger_leaf (index, entry, hash)
    select head.size - 1 + row_number() over (order by e.xid < pg_snapshot_xmax(now_seen), e.xid, e.id), e.id, sha256('\x00'::bytea || ledger_leaf_data(e.id, e.tenant, e.kind, e.subject, e.case_id, e.at, e.body))
    from ledger_entry e
    where not exists (select from ledger_leaf l where l.entry = e.id);
    get diagnostics added = row_count;
    update ledger_entry set xid = '3'::xid8 where xid >= pg_snapshot_xmin(now_seen);
  end if;
  grown := head.size + added;
  while (grown >> height) > 0 loop
    if height = 1 then
      insert into ledger_node (level, index, hash)
      select 1, g, sha256('\x01'::bytea || l.hash || r.hash)
      from generate_series(head.size >> 1, (grown >> 1) - 1) g
      cross join lateral (select hash from ledger_leaf where index = 2 * g limit 1) l
      cross join lateral (select hash from ledger_leaf where index = 2 * g + 1 limit 1) r;
    else
      insert into ledger_node (level, index, hash)
      select height, g, sha256('\x01'::bytea || l.hash || r.hash)
      from generate_series(head.size >> height, (grown >> height) - 1) g
      cross join lateral (select hash from ledger_node where level = height - 1 and index = 2 * g limit 1) l
      cross join lateral (select hash from ledger_node where level = height - 1 and index = 2 * g + 1 limit 1) r;
    end if;
    height := height + 1;
  end loop;
  sealed := added;
  size := grown;
  root := case when added > 0 then ledger_root(grown) else head.root end;
  -- where nothing is new the old snapshot says as much as the new one, and an idle ledger writes nothing
  if added > 0 or head.cluster <> this_cluster() then
    update ledger_head h
    set size = grown, root = seal_entries.root, seen = now_seen, cluster = this_cluster(), sealed_at = clock_timestamp()
    where h.size = head.size;
    if not found then
      raise exception 'the head moved while the tree was being grown';
    end if;
  end if;
  return next;
end $$;

-- Keeps a signed checkpoint. Only of a tree that is here: whatever its signer says, the root is compared. One with more signatures
-- takes the place of the one before: by it, who trusts the old key is led to the new one.
create function keep_checkpoint(of_size bigint, of_root bytea, signed bytea, by_keys text[]) returns boolean
  language plpgsql security definer set search_path = interlock, pg_catalog as $$
begin
  if of_size > (select h.size from ledger_head h) or ledger_root(of_size) <> of_root then
    raise exception 'the checkpoint is not one of this ledger';
  end if;
  insert into ledger_checkpoint as c (size, root, note, keys, signed_at, cluster)
  values (of_size, of_root, signed, by_keys, clock_timestamp(), this_cluster())
  on conflict (size) do update
    set note = excluded.note, keys = excluded.keys, signed_at = excluded.signed_at, cluster = excluded.cluster
    where cardinality(excluded.keys) > cardinality(c.keys);
  return found;
end $$;

-- Lets the log go on with another key or in a copy of the database: what is kept until now binds nobody any more.
create function accept_ledger() returns bigint
  language sql security definer set search_path = interlock, pg_catalog as $$
  update ledger_head h set accepted = greatest(h.size, (select max(c.size) from ledger_checkpoint c)) returning h.accepted
$$;

-- What the leaves of a range are by their entries now, beside what the tree holds; no content. An entry that is gone: null.
-- Each entry by its index: a plan that reads all entries for each page would never end.
create function recomputed_leaves(first bigint, before bigint) returns table (index bigint, entry uuid, kind text, hash bytea, recomputed bytea)
  language sql stable security definer set search_path = interlock, pg_catalog
  set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
  select l.index, l.entry, e.kind, l.hash,
    sha256('\x00'::bytea || ledger_leaf_data(e.id, e.tenant, e.kind, e.subject, e.case_id, e.at, e.body))
  from ledger_leaf l left join ledger_entry e on e.id = l.entry
  where l.index >= first and l.index < before
  order by l.index
$$;

-- The same of a whole range at once, all hashes one after the other: whether anything in it differs; and the entries' ids.
create function recomputed_range(first bigint, before bigint) returns table (leaves bigint, hashes bytea, recomputed bytea, entries bytea)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select count(*), string_agg(r.hash, ''::bytea order by r.index), string_agg(r.recomputed, ''::bytea order by r.index),
    string_agg(uuid_send(r.entry), ''::bytea order by r.index)
  from recomputed_leaves(first, before) r
$$;

-- Entries that claim to be older than what is sealed, or of a transaction that has not begun yet, and have no leaf: nothing that
-- Interlock writes ever is. The latter would never be sealed.
create function entries_outside(most int) returns table (entry uuid, kind text, at timestamptz)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select e.id, e.kind, e.at from ledger_entry e, ledger_head h
  where (pg_visible_in_snapshot(e.xid, h.seen) or e.xid >= pg_snapshot_xmax(pg_current_snapshot())) and h.cluster = this_cluster()
    and not exists (select from ledger_leaf l where l.entry = e.id)
  order by e.id limit most
$$;

-- How many entries wait to be sealed, ten thousand standing for more, and since when the oldest of these.
create function unsealed_since() returns table (entries bigint, since timestamptz)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select count(*), min(e.at) from ledger_head h
  join lateral (
    (select w.id, w.at from ledger_entry w where w.xid >= pg_snapshot_xmax(h.seen) order by w.xid limit 10000)
    union all
    select w.id, w.at from ledger_entry w where w.xid = any (array(select pg_snapshot_xip(h.seen)))
  ) e on not exists (select from ledger_leaf l where l.entry = e.id)
$$;

create function tenants_known() returns table (tenant uuid, name text)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select t.tenant, t.name from tenant t order by t.tenant
$$;

do $$
declare
  finder text;
begin
  grant create on schema interlock to interlock_finder;
  foreach finder in array array['seal_entries(int)', 'keep_checkpoint(bigint, bytea, bytea, text[])', 'accept_ledger()', 'recomputed_leaves(bigint, bigint)',
    'recomputed_range(bigint, bigint)',
    'entries_outside(int)', 'unsealed_since()', 'tenants_known()'] loop
    execute format('alter function interlock.%s owner to interlock_finder', finder);
    execute format('revoke all on function interlock.%s from public', finder);
    execute format('grant execute on function interlock.%s to interlock_service', finder);
  end loop;
  revoke create on schema interlock from interlock_finder;
end $$;

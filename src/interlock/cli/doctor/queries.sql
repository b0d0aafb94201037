-- name: server_facts
-- `drift` compares our clock, sent along, with the server's: seconds, positive if ours is behind.
select current_setting('server_version') as version, session_user::text as login,
       (select rolsuper or rolbypassrls from pg_roles where rolname = session_user) as login_sees_all,
       extract(epoch from clock_timestamp() - %(ours)s::timestamptz)::float8 as drift

-- name: role_faults
-- The service's role owns nothing, is bound by row security, and has no right on any partition.
select 'it owns the ' || case c.relkind when 'p' then 'table' when 'r' then 'table' else 'relation' end || ' ' || c.relname as fault
from pg_class c where c.relowner = 'interlock_service'::regrole
union all
select 'it owns the schema ' || nspname from pg_namespace where nspowner = 'interlock_service'::regrole
union all
select 'it owns the function ' || proname from pg_proc where proowner = 'interlock_service'::regrole
union all
select 'it is not bound by row security' from pg_roles
where rolname = 'interlock_service' and (rolsuper or rolbypassrls)
union all
select 'it has rights on the partition ' || c.relname
from pg_inherits i join pg_class c on c.oid = i.inhrelid
where c.relnamespace = 'interlock'::regnamespace and c.relkind in ('r', 'p')
  and has_table_privilege('interlock_service', c.oid, 'select, insert, update, delete')
union all
select 'row security is not forced on ' || c.relname
from pg_class c
where c.relnamespace = 'interlock'::regnamespace and c.relkind in ('r', 'p')
  and not (c.relrowsecurity and c.relforcerowsecurity)
order by 1

-- name: workers
-- Not ended; one whose lease is over is dead or cut off, and its peers take its cases over.
select number, name, cardinality(code) as carries, round(extract(epoch from lease_until - clock_timestamp()), 1)::float8 as lease_left_s
from worker where ended_at is null order by number

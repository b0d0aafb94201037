-- name: role_fault
-- Why a role may not carry effects out, in words; no fault: null. What could reach Interlock's own tables may not.
select case
         when r.oid is null then 'there is no role ' || n.name
         when not pg_has_role(session_user, r.oid, 'member') then 'the login was not granted the role ' || n.name
         when r.rolsuper or r.rolbypassrls or r.rolcreaterole
           then 'the role ' || n.name || ' may do anything: superuser, bypassrls or createrole'
         when has_schema_privilege(r.oid, 'interlock', 'usage, create') or exists (
           select from pg_roles o where o.rolname like 'interlock\_%%' and o.oid <> r.oid and pg_has_role(r.oid, o.oid, 'member')
             and (has_schema_privilege(o.oid, 'interlock', 'usage, create') or o.rolbypassrls))
           then 'the role ' || n.name || ' has rights on the schema interlock'
       end as fault
from (select %(role)s::text as name) n left join pg_roles r on r.rolname = n.name

-- name: take_role
-- For this transaction, until ``leave_role``; a role that cannot be taken is ``role_fault``'s to name.
select set_config('statement_timeout', %(ms)s::text, true),
       set_config('search_path', coalesce(nullif(%(schema)s::text, ''), '"$user", public'), true),
       set_config('role', case when exists (select from pg_roles r where r.rolname = %(role)s::text
                                            and pg_has_role(session_user, r.oid, 'member'))
                               then %(role)s::text else current_setting('role') end, true)

-- name: is_role
-- Whether the effect is still what it began as.
select current_user = %(role)s::name

-- name: leave_role
-- Temporary tables, which any role may make, are looked for last: none stands before a table of ours.
select set_config('role', 'interlock_service', true),
       set_config('search_path', 'interlock, pg_catalog, pg_temp', true),
       set_config('statement_timeout', '30s', true)

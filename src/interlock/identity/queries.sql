-- name: find_visitor
-- One of the finders that look across tenants: whose session is this?
select session, tenant, tenant_name, person, name, display, email, roles, teams, changes_it, form_key, opened_at, seen_at,
       idle_until, ends_at
from find_session(%(digest)s)

-- name: add_people
insert into person (id, tenant, name, display, email, roles, teams, password, changes_it, created_at)
select id, tenant, name, display, email, roles, teams, password, changes_it, created_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, name text, display text, email text, roles text[], teams text[],
  password text, changes_it boolean, created_at timestamptz)

-- name: add_sessions
insert into person_session (id, tenant, person, digest, form_key, how, agent, opened_at, seen_at, idle_until, ends_at)
select id, tenant, person, decode(digest, 'base64'), form_key, how, agent, opened_at, opened_at, idle_until, ends_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, person uuid, digest text, form_key text, how text, agent text,
  opened_at timestamptz, idle_until timestamptz, ends_at timestamptz)

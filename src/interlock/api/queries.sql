-- name: find_caller
-- The one finder that looks across tenants: whose key is this?
select id, tenant, tenant_name, name, scopes from find_api_key(%(digest)s)

-- name: add_keys
insert into api_key (id, tenant, name, digest, scopes, created_at)
select id, tenant, name, decode(digest, 'base64'), scopes, created_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, name text, digest text, scopes text[], created_at timestamptz)

-- name: list_keys
select id, name, scopes, created_at, revoked_at from api_key order by name, id

-- name: keys_named
select id, name, scopes, created_at, revoked_at from api_key where name = %(name)s order by id

-- name: find_key
select id, name, scopes, created_at, revoked_at from api_key where id = %(id)s

-- name: revoke_keys
update api_key k set revoked_at = r.revoked_at
from json_to_recordset(%(rows)s::json) as r (id uuid, revoked_at timestamptz)
where k.id = r.id and k.revoked_at is null

-- name: count_workers
-- Of the installation: workers are no tenant's.
select count(*) from worker where ended_at is null and lease_until > clock_timestamp()

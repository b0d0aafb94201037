-- name: add_certificates
insert into certificate (id, tenant, workflow, point, digest, content, issued_at, issued_by, valid_until)
select id, tenant, workflow, point, decode(digest, 'base64'), decode(content, 'base64'), issued_at, issued_by, valid_until
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, workflow text, point text, digest text, content text,
  issued_at timestamptz, issued_by text, valid_until timestamptz)

-- name: set_autonomy
-- What counts at a point from now on; its turn grows with each change.
insert into autonomy (id, tenant, workflow, point, turn, state, certificate, threshold, valid_until, why, who, changed_at, tried_at)
select id, tenant, workflow, point, turn, state::autonomy_state, certificate, threshold, valid_until, why, who, changed_at, tried_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, workflow text, point text, turn bigint, state text, certificate uuid,
  threshold text, valid_until timestamptz, why text, who text, changed_at timestamptz, tried_at timestamptz)
on conflict (id) do update
set turn = excluded.turn, state = excluded.state, certificate = excluded.certificate, threshold = excluded.threshold,
    valid_until = excluded.valid_until, why = excluded.why, who = excluded.who, changed_at = excluded.changed_at,
    tried_at = excluded.tried_at

-- name: autonomy_everywhere
select tenant, workflow, point, turn, state, certificate, threshold, valid_until from autonomy_everywhere()

-- name: find_certificate
select id, digest, content from certificate where id = %(id)s

-- name: find_certificates
select id, digest, content from certificate where id = any(%(ids)s::uuid[])

-- name: autonomy_now
-- What counts at these points at this very moment, for the commit of what goes by itself, and of an action that rests on it.
select id, turn, state, certificate, threshold, valid_until, valid_until > clock_timestamp() as is_valid, why
from autonomy where id = any(%(ids)s::uuid[])

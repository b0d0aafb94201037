-- name: find_control_key
select key from control_key where id = %(id)s

-- name: add_control_keys
insert into control_key (id, tenant, workflow, key, begun_at)
select id, tenant, workflow, decode(key, 'base64'), begun_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, workflow text, key text, begun_at timestamptz)
on conflict (id) do nothing

-- name: add_control_draws
-- The first word on a case stands: each of its decisions says the same.
insert into control_draw (id, tenant, workflow, is_control, share, step, drawn_at)
select id, tenant, workflow, is_control, share, step, drawn_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, workflow text, is_control bool, share text, step timestamptz, drawn_at timestamptz)
on conflict (id) do nothing

-- name: find_control_draw
-- How a case was drawn; and whether anything of it was decided, since what was decided before there was a group is in none.
select g.is_control, g.share, g.step, exists (select from decision d where d.case_id = %(id)s) as decided
from (select) one left join control_draw g on g.id = %(id)s

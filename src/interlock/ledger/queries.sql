-- name: add_entries
insert into ledger_entry (id, tenant, kind, subject, case_id, at, body)
select id, tenant, kind, subject, case_id, at, decode(body, 'base64')
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, kind text, subject uuid, case_id uuid, at timestamptz, body text)

-- name: entries_of_case
select id, kind, subject, case_id, at, body from ledger_entry where case_id = %(case_id)s order by id

-- name: find_secret
select tenant, wrapped, master from personal_secret

-- name: add_secret
-- Of two processes that make one at once, one wins; both then read it.
insert into personal_secret (tenant, wrapped, master) values (%(tenant)s, %(wrapped)s, %(master)s) on conflict do nothing

-- name: find_keys
select id, tenant, subject, alone, wrapped, master, created_at, held_until, erased_at, erased_by, erased_why
from subject_key where id = any(%(ids)s)

-- name: find_live_key
select id, tenant, subject, alone, wrapped, master, created_at, held_until, erased_at, erased_by, erased_why
from subject_key where subject = %(subject)s and wrapped is not null

-- name: add_key
-- Of two processes that meet a person at once, one wins; both then read its key.
insert into subject_key (id, tenant, subject, alone, wrapped, master)
values (%(id)s, %(tenant)s, %(subject)s, %(alone)s, %(wrapped)s, %(master)s)
on conflict (tenant, subject) where wrapped is not null do nothing

-- name: keys_of_subject
select id, tenant, subject, alone, wrapped, master, created_at, held_until, erased_at, erased_by, erased_why
from subject_key where subject = %(subject)s order by id

-- name: add_records
insert into subject_record (tenant, key, kind, record)
select tenant, key, kind::subject_record_kind, record
from json_to_recordset(%(rows)s::json) as r (tenant uuid, key uuid, kind text, record uuid)
on conflict do nothing

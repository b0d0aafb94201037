-- name: case_of_subject
-- Every change is in the ledger under the id of what it happened to: a decision, an action, a review, an exception.
select case_id from ledger_entry where subject = %(id)s and case_id is not null order by id limit 1

-- name: states_of_cases
-- One that waits with a time to wake goes on by itself; one without waits for somebody. The ids come as the text of an
-- array: a list of as many parameters costs the client 24 us each.
select case when state = 'waiting' and wake_at is not null then 'sleeping' else state::text end as state,
       coalesce(conclusion, '') as conclusion, count(*) as cases
from cases where id = any(%(ids)s::text::uuid[]) group by 1, 2 order by 1, 2

-- name: list_tenants
-- An administrator's: the service sees one tenant at a time.
select tenant, name, created_at from interlock.tenant order by name

-- name: workers_carrying
select count(*) from worker where ended_at is null and lease_until > clock_timestamp() and %(code)s::uuid = any(code)

-- What the connector `sql` runs in another database, beside the statements of its settings. Not on Interlock's schema:
-- tests/pg/connectors prepares each on a database with inbox.sql.

-- name: enter
-- For this transaction only, so that a pooler's next client finds nothing of it.
select set_config('statement_timeout', %(ms)s::text, true),
       set_config('idle_in_transaction_session_timeout', '10s', true),
       set_config('timezone', 'UTC', true),
       set_config('search_path', coalesce(nullif(%(schema)s::text, ''), current_setting('search_path')), true),
       set_config('role', coalesce(nullif(%(role)s::text, ''), current_setting('role')), true),
       set_config('synchronous_commit', case current_setting('synchronous_commit') when 'off' then 'on'
                                        else current_setting('synchronous_commit') end, true)

-- name: inbox_fault
-- What is missing of the inbox, in words; no row: nothing. The trigger is what holds late senders off.
select case when to_regclass('interlock_inbox') is null then 'there is no table interlock_inbox'
            when not exists (select from pg_trigger where tgrelid = to_regclass('interlock_inbox')
                             and tgname = 'interlock_inbox_is_in_time' and tgdeferrable and tgenabled in ('O', 'A'))
            then 'interlock_inbox has no trigger interlock_inbox_is_in_time'
            when not has_table_privilege('interlock_inbox', 'select')
                 or not has_table_privilege('interlock_inbox', 'insert')
                 or not has_table_privilege('interlock_inbox', 'update')
            then 'the login may not select from, insert into and update interlock_inbox' end as fault

-- name: claim_key
-- Waits for whoever is at work under the same key. Nothing is claimed after the deadline, by this server's clock.
insert into interlock_inbox (key, request_hash, deadline)
select %(key)s, %(hash)s, %(deadline)s::timestamptz where clock_timestamp() < %(deadline)s::timestamptz
on conflict (key) do nothing

-- name: void_key
-- Waits for whoever is at work under the same key.
insert into interlock_inbox (key) values (%(key)s) on conflict (key) do nothing

-- name: find_key
-- A second statement, since a row that another transaction has just committed is not visible to the first.
select request_hash, response from interlock_inbox where key = %(key)s

-- name: keep_response
update interlock_inbox set response = %(response)s where key = %(key)s

-- name: drift
-- Seconds, positive if our clock, sent along, is behind.
select extract(epoch from clock_timestamp() - %(now)s::timestamptz)::float8

-- name: find_visitor
-- One of the finders that look across tenants: whose session is this?
select session, tenant, tenant_name, person, name, display, email, roles, teams, changes_it, theme, single_keys, form_key, how,
       opened_at, seen_at, idle_until, ends_at
from find_session(%(digest)s)

-- name: add_people
insert into person (id, tenant, name, display, email, roles, teams, password, changes_it, created_at)
select id, tenant, name, display, email, roles, teams, password, changes_it, created_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, name text, display text, email text, roles text[], teams text[],
  password text, changes_it boolean, created_at timestamptz)

-- name: add_sessions
insert into person_session (id, tenant, person, digest, form_key, how, agent, browser, epoch, opened_at, seen_at, idle_until, ends_at)
select id, tenant, person, decode(digest, 'base64'), form_key, how, agent, decode(browser, 'base64'), epoch, opened_at, opened_at,
       idle_until, ends_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, person uuid, digest text, form_key text, how text, agent text,
  browser text, epoch int, opened_at timestamptz, idle_until timestamptz, ends_at timestamptz)

-- name: touch_session
-- Once a minute at most, so that a person who works costs no write for each click.
update person_session set seen_at = clock_timestamp(), idle_until = least(clock_timestamp() + make_interval(secs => %(idle_s)s), ends_at)
where id = %(session)s and closed_at is null and seen_at < clock_timestamp() - interval '1 minute'

-- name: close_sessions
update person_session s set closed_at = r.closed_at
from json_to_recordset(%(rows)s::json) as r (id uuid, closed_at timestamptz)
where s.id = r.id and s.closed_at is null

-- name: list_sessions
-- Those in force of one person, the last seen first.
select s.id, s.how, s.agent, s.opened_at, s.seen_at, s.idle_until, s.ends_at
from person_session s join person p on p.id = s.person
where s.person = %(person)s and s.closed_at is null and s.epoch = p.epoch and clock_timestamp() < least(s.idle_until, s.ends_at)
order by s.seen_at desc, s.id

-- name: find_person
select id, name, display, email, roles, teams, created_at, disabled_at, changes_it, epoch from person where id = %(id)s

-- name: person_named
select id, name, display, email, roles, teams, created_at, disabled_at, changes_it, epoch from person where lower(name) = lower(%(name)s)

-- name: list_people
-- By name; `signs_in` says how: by a password, elsewhere, or not at all yet.
select p.id, p.name, p.display, p.email, p.roles, p.teams, p.created_at, p.disabled_at, p.changes_it, p.epoch,
       p.password is not null as by_password,
       array(select l.issuer from person_link l where l.tenant = p.tenant and l.person = p.id order by l.issuer) as issuers,
       (select max(s.seen_at) from person_session s where s.tenant = p.tenant and s.person = p.id and s.closed_at is null) as seen_at
from person p where p.name > %(after)s order by p.name limit %(most)s

-- name: any_person
select exists (select from person) as there

-- name: find_credential
select password from person where id = %(id)s

-- name: hold_person
select id, name, display, email, roles, teams, created_at, disabled_at, changes_it, epoch from person where id = %(id)s for update

-- name: change_person
update person set display = %(display)s, email = %(email)s, roles = %(roles)s, teams = %(teams)s where id = %(id)s

-- name: disable_person
update person set disabled_at = %(at)s, epoch = epoch + 1 where id = %(id)s

-- name: end_sessions
update person set epoch = epoch + 1 where id = %(id)s

-- name: change_password
update person set password = %(password)s, changes_it = %(changes_it)s, epoch = epoch + 1 where id = %(id)s

-- name: change_preferences
update person set theme = %(theme)s, single_keys = %(single_keys)s where id = %(id)s

-- name: knows_browser
-- Whether somebody of this name has been signed in with this browser in the last 90 days.
select exists (select from person p join person_session s on s.tenant = p.tenant and s.person = p.id
  where lower(p.name) = lower(%(name)s) and s.browser = %(browser)s and s.opened_at > clock_timestamp() - interval '90 days') as known

-- name: add_link
insert into person_link (id, tenant, person, issuer, subject, linked_at)
values (%(id)s, %(tenant)s, %(person)s, %(issuer)s, %(subject)s, %(now)s) on conflict (tenant, issuer, subject) do nothing

-- name: add_links
insert into person_link (id, tenant, person, issuer, subject, linked_at)
select id, tenant, person, issuer, subject, linked_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, person uuid, issuer text, subject text, linked_at timestamptz)
on conflict (tenant, issuer, subject) do nothing

-- name: find_linked
select p.id, p.name, p.display, p.email, p.roles, p.teams, p.created_at, p.disabled_at, p.changes_it, p.epoch
from person_link l join person p on p.tenant = l.tenant and p.id = l.person
where l.issuer = %(issuer)s and l.subject = %(subject)s

-- name: hold_attempts
-- Makes the row that is counted and locks it; what failed long ago is forgotten: all of it an hour after the last one, and of an
-- address, at which somebody mistypes every day, one every two minutes.
insert into sign_in_attempt (id, tenant, kind, failures, failed_at, paused_until)
values (%(id)s, %(tenant)s, %(kind)s, 0, clock_timestamp(), clock_timestamp())
on conflict (id) do update set
  failures = case when sign_in_attempt.failed_at < clock_timestamp() - interval '1 hour' then 0
                  when sign_in_attempt.kind = 'address' then greatest(0, sign_in_attempt.failures - greatest(0,
                    floor(extract(epoch from clock_timestamp() - sign_in_attempt.failed_at) / 120)::int))
                  else sign_in_attempt.failures end,
  failed_at = case when sign_in_attempt.kind = 'address' then sign_in_attempt.failed_at + interval '2 minutes' * greatest(0,
                     floor(extract(epoch from clock_timestamp() - sign_in_attempt.failed_at) / 120)::int)
                   else sign_in_attempt.failed_at end
returning failures, paused_until, clock_timestamp() as now

-- name: count_attempt
-- Of an address `failed_at` stays: until then what failed is forgotten already.
update sign_in_attempt set failures = %(failures)s, paused_until = %(paused_until)s,
  failed_at = case when kind = 'address' and failures > 0 then failed_at else clock_timestamp() end
where id = %(id)s

-- name: clear_attempts
update sign_in_attempt set failures = 0, paused_until = clock_timestamp() where id = any(%(ids)s)

-- name: uncount_attempt
-- A pause that another attempt has made since stays.
update sign_in_attempt set failures = greatest(failures - 1, 0),
  paused_until = case when paused_until = %(paused_until)s then clock_timestamp() else paused_until end
where id = %(id)s

-- name: forget_attempts
-- A few at a time, with each that is counted: whoever makes many rows pays for their removal, too.
delete from sign_in_attempt where id in (
  select id from sign_in_attempt where failed_at < clock_timestamp() - interval '1 day' order by failed_at limit 10
  for update skip locked)

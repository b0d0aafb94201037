-- People: who they are, how they prove it, and where they are signed in.
set local search_path = interlock, pg_catalog;

create table person (
  id           uuid primary key,
  tenant       uuid not null,
  name         text not null constraint person_name_is_a_login check (name ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$'),
  display      text not null,               -- how they are shown
  email        text,                        -- where they are told of work; null: nowhere
  roles        text[] not null,             -- what policies say of them rests on these
  teams        text[] not null default '{}',-- whose queues and exceptions are theirs
  password     text,                        -- Argon2id, encoded (RFC 9106); null: they sign in elsewhere
  changes_it   boolean not null default false, -- whether they must choose a password of their own at the next sign-in
  created_at   timestamptz not null,
  disabled_at  timestamptz,
  constraint person_name_is_taken unique (tenant, name)
);
call protect('person');

-- One place where a person is signed in. Its secret is in one browser; here is only its digest.
create table person_session (
  id         uuid primary key,
  tenant     uuid not null,
  person     uuid not null,
  digest     bytea not null constraint person_session_is_unique unique
             constraint person_session_digest_is_sha256 check (octet_length(digest) = 32),
  form_key   text not null,                 -- what every form of it must bring back
  how        text not null,                 -- 'password', or the name of the provider
  agent      text not null,                 -- what the browser says that it is
  opened_at  timestamptz not null,
  seen_at    timestamptz not null,
  idle_until timestamptz not null,          -- without a request until then it ends
  ends_at    timestamptz not null,          -- it ends then, whatever is asked
  closed_at  timestamptz
);
call protect('person_session');
create index person_session_of_person on person_session (tenant, person) where closed_at is null;

-- Whose session is this? One of the finders that look across tenants.
create function find_session(presented bytea)
  returns table (session uuid, tenant uuid, tenant_name text, person uuid, name text, display text, email text, roles text[],
                 teams text[], changes_it boolean, form_key text, opened_at timestamptz, seen_at timestamptz,
                 idle_until timestamptz, ends_at timestamptz)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select s.id, s.tenant, t.name, p.id, p.name, p.display, p.email, p.roles, p.teams, p.changes_it, s.form_key, s.opened_at,
         s.seen_at, s.idle_until, s.ends_at
  from person_session s join person p on p.id = s.person join tenant t on t.tenant = s.tenant
  where s.digest = presented and s.closed_at is null and p.disabled_at is null
    and clock_timestamp() < least(s.idle_until, s.ends_at)
$$;
grant select on person, person_session to interlock_finder;
alter function find_session(bytea) owner to interlock_finder;
revoke all on function find_session(bytea) from public;
grant execute on function find_session(bytea) to interlock_service;

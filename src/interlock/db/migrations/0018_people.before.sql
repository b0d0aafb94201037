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
  epoch        int not null default 0,      -- raised when all their sessions end: those of an earlier one are over
  theme        text not null default 'auto' constraint person_theme_is_known check (theme in ('auto', 'light', 'dark')),
  single_keys  boolean not null default true, -- whether keys without Ctrl or Alt do something (WCAG 2.1.4)
  created_at   timestamptz not null,
  disabled_at  timestamptz
);
call protect('person');
-- names that differ in their letters' case alone would pass for one another
create unique index person_name_is_taken on person (tenant, lower(name));

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
  browser    bytea,                         -- SHA-256 of what tells this browser from others: it has signed them in before
  epoch      int not null,                  -- the person's, as they proved who they are
  opened_at  timestamptz not null,
  seen_at    timestamptz not null,
  idle_until timestamptz not null,          -- without a request until then it ends
  ends_at    timestamptz not null,          -- it ends then, whatever is asked
  closed_at  timestamptz
);
call protect('person_session');
create index person_session_of_person on person_session (tenant, person) where closed_at is null;

-- Who signs in elsewhere, and who they are there. INVARIANT: nobody is known by an e-mail address alone.
create table person_link (
  id        uuid primary key,
  tenant    uuid not null,
  person    uuid not null,
  issuer    text not null,                  -- as the provider's metadata say it
  subject   text not null,                  -- who they are there, for ever (OpenID Connect Core, 2)
  linked_at timestamptz not null,
  constraint person_link_is_one_person unique (tenant, issuer, subject)
);
call protect('person_link');
create index person_link_of_person on person_link (tenant, person);

-- Sign-ins that failed, by name, by address, or by name in a browser that has signed them in before. Each is counted before
-- it is tried, so that many at once are as slow as one after the other.
create table sign_in_attempt (
  id           uuid primary key,            -- a digest over tenant, kind and what is counted
  tenant       uuid not null,
  kind         text not null constraint sign_in_attempt_kind_is_known check (kind in ('name', 'address', 'browser')),
  failures     int not null,                -- in a row; 0 after a success
  failed_at    timestamptz not null,        -- the last one; of an address, until when what failed is forgotten
  paused_until timestamptz not null         -- nothing is tried before
);
call protect('sign_in_attempt', 'select, insert, update, delete');
create index sign_in_attempt_by_age on sign_in_attempt (tenant, failed_at);

-- Whose session is this? One of the finders that look across tenants.
create function find_session(presented bytea)
  returns table (session uuid, tenant uuid, tenant_name text, person uuid, name text, display text, email text, roles text[],
                 teams text[], changes_it boolean, theme text, single_keys boolean, form_key text, how text,
                 opened_at timestamptz, seen_at timestamptz, idle_until timestamptz, ends_at timestamptz)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select s.id, s.tenant, t.name, p.id, p.name, p.display, p.email, p.roles, p.teams, p.changes_it, p.theme, p.single_keys, s.form_key,
         s.how, s.opened_at, s.seen_at, s.idle_until, s.ends_at
  from person_session s join person p on p.id = s.person and p.tenant = s.tenant join tenant t on t.tenant = s.tenant
  where s.digest = presented and s.closed_at is null and s.epoch = p.epoch and p.disabled_at is null
    and clock_timestamp() < least(s.idle_until, s.ends_at)
$$;
grant select on person, person_session to interlock_finder;
alter function find_session(bytea) owner to interlock_finder;
revoke all on function find_session(bytea) from public;
grant execute on function find_session(bytea) to interlock_service;

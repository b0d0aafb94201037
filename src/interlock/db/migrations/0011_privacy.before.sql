-- Personal data: the keys of persons, what is kept under each, and what must not be erased.
set local search_path = interlock, pg_catalog;

-- One secret a tenant, from which subjects and searchable values get their digests. It outlives every master key.
create table personal_secret (
  tenant      uuid primary key,
  wrapped     bytea not null,               -- 32 random bytes under the tenant's key: AES-GCM
  master      bytea not null,               -- which master key it is wrapped under: 8 bytes
  created_at  timestamptz not null default clock_timestamp()
);
call protect('personal_secret');

-- The key of one person, or of one record whose person is not known.
create table subject_key (
  id          uuid primary key,
  tenant      uuid not null,
  subject     bytea not null                -- HMAC-SHA256 of the subject's value, or of the one record
              constraint subject_is_a_digest check (octet_length(subject) = 32),
  alone       boolean not null,             -- whether it is of one record whose person is not known
  wrapped     bytea,                        -- the key under the tenant's key; null: erased
  master      bytea not null,               -- which master key it is wrapped under: 8 bytes
  created_at  timestamptz not null default clock_timestamp(),
  held_until  timestamptz,                  -- the latest end of the legal holds in force; the year 9999: until lifted
  erased_at   timestamptz,
  erased_by   text,
  erased_why  text,
  constraint subject_key_is_there_or_erased check ((wrapped is null) = (erased_at is not null)),
  constraint subject_key_erased_says_who check ((erased_at is null) = (erased_by is null and erased_why is null))
);
call protect('subject_key');
create unique index subject_key_is_one_live on subject_key (tenant, subject) where wrapped is not null;
create index subject_key_by_subject on subject_key (tenant, subject, id);

-- Which record holds tokens of which key: what export and erasure go by. Written in the record's own commit.
create type subject_record_kind as enum ('case', 'decision', 'quarantine', 'event');
create table subject_record (
  tenant      uuid not null,
  key         uuid not null,
  kind        subject_record_kind not null,
  record      uuid not null,
  constraint subject_record_is_one primary key (tenant, key, kind, record)
);
call protect('subject_record');

create table legal_hold (
  id          uuid primary key,
  tenant      uuid not null,
  subject     bytea not null constraint legal_hold_subject_is_a_digest check (octet_length(subject) = 32),
  who         text not null,
  why         text not null,
  until       timestamptz,                  -- null: until somebody lifts it
  created_at  timestamptz not null,
  lifted_at   timestamptz,
  lifted_by   text,
  lifted_why  text
);
call protect('legal_hold');
create index legal_hold_of_subject on legal_hold (tenant, subject) where lifted_at is null;

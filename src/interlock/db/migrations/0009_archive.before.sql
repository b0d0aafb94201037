-- The archive: what decisions were made with.
set local search_path = interlock, pg_catalog;

-- Pieces of files, and manifests that say which pieces made up one build, each under the SHA-256 of its own bytes.
-- What stands in files is the installation's: `tenant` is null, and whoever knows the digest may read it. A manifest that
-- names what one tenant has published is that tenant's alone.
-- INVARIANT: the service may add here and nothing else, so that no artifact goes while a decision names it; and no row holds
-- other bytes than those that its digest says.
create table artifact (
  digest   bytea primary key constraint artifact_digest_is_of_its_content check (digest = sha256(content)),
  tenant   uuid,
  kind     text not null constraint artifact_is_of_a_known_kind check (kind in ('piece', 'build')),
  name     text not null,                  -- the file or the workflow that first brought it, for people
  content  bytea not null constraint artifact_is_of_bounded_size check (octet_length(content) <= 4194304),
  at       timestamptz not null default clock_timestamp(),
  constraint artifact_piece_is_the_installations check (kind = 'build' or tenant is null)
);
alter table artifact enable row level security;
alter table artifact force row level security;
create policy readable on artifact for select
  using (tenant is null or (tenant = (select interlock.current_tenant())));
-- what belongs to the installation is added by a process that acts for no tenant
create policy addable on artifact for insert
  with check (tenant is not distinct from (select interlock.current_tenant()));
grant select, insert on artifact to interlock_service;
alter table artifact owner to interlock_owner;

-- Which build decided: the digest of its manifest. Null: taken before there was an archive.
alter table decision add column build bytea
  constraint decision_build_is_sha256 check (octet_length(build) = 32);
-- The time that components, checks and rules were told; `decided_at` is that of the commit, a moment later.
alter table decision add column asked_at timestamptz;

-- Reconciliation, what is made of the entries: rounds, matches with their members, breaks.
--
-- A match is decided at a decision point and booked by the case that follows; these rows say which entries it holds and
-- where it stands. INVARIANT: an entry is a member of at most one match that is alive, and of no other break.
set local search_path = interlock, pg_catalog;

create table recon_round (
  id              uuid primary key,
  tenant          uuid not null,
  reconciliation  text not null,
  began_at        timestamptz not null,
  ended_at        timestamptz,
  scorer          text not null,        -- the component whose probabilities it went by
  scorer_digest   bytea not null,
  terms           bytea not null,       -- tolerances and windows, as canonical JSON
  figures         bytea not null,       -- entries, candidates, matches kept, proposed, withdrawn, breaks; canonical JSON
  rested_on       text not null default ''  -- the news of statements and of people's words that it went by; see rounds/queries.sql
);
call protect('recon_round');

create type recon_match_state as enum ('asked', 'booked', 'refused', 'withdrawing', 'withdrawn');

create table recon_match (
  id              uuid primary key,
  tenant          uuid not null,
  reconciliation  text not null,
  round           uuid not null,
  key             text not null,        -- of its decision: of its members and of how often these were proposed
  members         uuid not null,        -- digest of the identities of its entries
  form            text not null,        -- 1:1, 1:n, n:1, n:m
  currency        text not null,
  expected_minor  bigint not null,      -- signed sums of its sides
  actual_minor    bigint not null,
  explained       text not null,        -- what the difference is taken for; a fee is booked as one
  probability     double precision not null,
  margin          double precision not null,
  sure            boolean not null,     -- whether the round held it to be sure enough to be booked without a person
  decision        uuid not null,        -- the row is made in the commit of its decision
  case_id         uuid,                 -- the case that books it; null: the decision was a rejection
  state           recon_match_state not null,
  alive           boolean not null generated always as (state in ('asked', 'booked', 'withdrawing')) stored,
  word            text not null constraint recon_match_word_is_one check (word in ('', 'yes', 'no')),
  by_person       text not null constraint recon_match_word_is_somebodys check ((word = '') = (by_person = '')),
  why             text not null,        -- why it was taken back, or what the person said
  proposed_at     timestamptz not null,
  changed_at      timestamptz not null
);
create unique index recon_match_is_decided_once on recon_match (tenant, reconciliation, key);
create index recon_match_by_members on recon_match (tenant, reconciliation, members);
create index recon_match_alive on recon_match (tenant, reconciliation, state) where alive;
create index recon_match_by_case on recon_match (case_id);
call protect('recon_match');

create table recon_member (
  match   uuid not null,
  entry   uuid not null,
  tenant  uuid not null,
  alive   boolean not null,
  primary key (match, entry)
);
create unique index recon_entry_is_matched_once on recon_member (entry) where alive;
create index recon_member_by_entry on recon_member (entry);
call protect('recon_member');

-- An entry that no match takes though its partner should have come: followed by a case of its own.
create type recon_break_state as enum ('open', 'written_off', 'accepted', 'withdrawing', 'withdrawn');

create table recon_break (
  id              uuid primary key,
  tenant          uuid not null,
  reconciliation  text not null,
  round           uuid not null,
  entry           uuid not null,
  key             text not null,        -- of its case
  facts           uuid not null,        -- digest of what its case was told: another digest is another break
  cause           text not null constraint recon_break_has_a_cause
    check (cause in ('missing', 'wrong-amount', 'duplicate', 'reversal', 'fee', 'uncovered')),
  case_id         uuid not null,        -- the row is made in the commit of its case
  state           recon_break_state not null,
  alive           boolean not null generated always as (state <> 'withdrawn') stored,
  why             text not null,        -- why it was taken back; else empty
  opened_at       timestamptz not null,
  changed_at      timestamptz not null
);
create unique index recon_break_is_one on recon_break (tenant, reconciliation, key);
create unique index recon_entry_has_one_break on recon_break (entry) where state <> 'withdrawn';
create index recon_break_alive on recon_break (tenant, reconciliation, state) where alive;
create index recon_break_by_entry on recon_break (entry);
create index recon_break_by_case on recon_break (case_id);
call protect('recon_break');

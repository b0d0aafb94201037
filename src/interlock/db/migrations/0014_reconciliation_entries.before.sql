-- Reconciliation, what comes in: files, the statements in them, and the entries that they state.
--
-- An entry is told from all others by its identity, a digest of what it is, never of when it came: the same file twice,
-- overlapping statements and pieces in any order end with the same rows. An entry is in force while a statement that is
-- in force states it. Entries and lines are written before their statement is: without it they count for nothing.
set local search_path = interlock, pg_catalog;

create type recon_file_state as enum ('taken', 'refused', 'recalled');
create type recon_statement_state as enum ('in_force', 'held', 'corrected', 'recalled');

create table recon_file (
  id              uuid primary key,
  tenant          uuid not null,
  reconciliation  text not null,
  side            text not null constraint recon_file_has_a_side check (side in ('expected', 'actual')),
  source          text not null,        -- which source of the settings it came by; 'hand' for the command line
  name            text not null,        -- the file's name, without its folder
  digest          bytea not null constraint recon_file_digest_is_sha256 check (octet_length(digest) = 32),
  read_as         uuid not null,        -- digest of how it was read: format, dialect, account, currency
  read_for        uuid not null,        -- digest of account and currency alone: the same bytes may be those of two accounts
  bytes           bigint not null,
  state           recon_file_state not null,
  why             text not null,        -- why it was refused or recalled; else empty
  statements      int not null,
  entries         int not null,
  broken          int not null,
  received_at     timestamptz not null
);
create unique index recon_file_is_taken_once on recon_file (tenant, reconciliation, side, digest, read_for)
  where state = 'taken';
create unique index recon_file_is_refused_once on recon_file (tenant, reconciliation, side, digest, read_as)
  where state = 'refused';
create index recon_file_by_digest on recon_file (tenant, reconciliation, side, digest);
call protect('recon_file');

create table recon_statement (
  id              uuid primary key,     -- a digest of its file and content: a crash while it is taken leaves one, not two
  tenant          uuid not null,
  file            uuid not null,
  reconciliation  text not null,
  side            text not null,
  source          text not null,
  format          text not null,
  account         text not null,
  currency        text not null,
  number          text not null,        -- '' where it has none
  made_at         timestamptz,          -- when the bank made it
  precedence      timestamptz,          -- of two that overlap under one number the later counts: made_at, unless a person said
  content         uuid not null,        -- digest of what it states
  first_day       date,
  last_day        date,
  begins          date,                 -- the first day of it or of its entries; null for a query, which is of all days
  ends            date,                 -- and the last one
  opening_minor   bigint,
  closing_minor   bigint,
  stated          bytea not null,       -- its balances with their days and its totals, as canonical JSON
  entries         int not null,
  broken          int not null,         -- how many are still broken
  credit_sum      numeric(38) not null, -- of its good entries that come in, in minor units; larger than one amount can be
  debit_sum       numeric(38) not null, -- and of those that go out; not negative
  state           recon_statement_state not null,
  corrected_by    uuid,
  findings        bytea not null,       -- what does not add up, as canonical JSON
  why             text not null,        -- of its state
  received_at     timestamptz not null,
  changed_at      timestamptz not null
);
create index recon_statement_by_account on recon_statement (tenant, reconciliation, side, account, currency, number);
create index recon_statement_by_file on recon_statement (file);
call protect('recon_statement');

-- One row for each entry. Where statements in force tell it with other words or days, it bears those of the one that was
-- made last; the others are in recon_telling.
create table recon_entry (
  id                    uuid primary key,   -- a digest of tenant, reconciliation and identity
  tenant                uuid not null,
  reconciliation        text not null,
  side                  text not null,
  identity              uuid not null,      -- of what it is
  told                  uuid not null,      -- digest of its words and days
  account               text not null,
  currency              text not null,
  minor                 bigint not null,
  booked_on             date not null,
  value_on              date not null,
  memo                  text not null,
  counterparty          text not null,
  counterparty_account  text not null,
  reference             text not null,
  bank_reference        text not null,
  code                  text not null,
  reverses              boolean not null,
  received_at           timestamptz not null
);
create unique index recon_entry_is_one on recon_entry (tenant, reconciliation, side, identity);
call protect('recon_entry');

-- Other words and days in which a statement tells an entry.
create table recon_telling (
  entry                 uuid not null,
  told                  uuid not null,
  tenant                uuid not null,
  booked_on             date not null,
  value_on              date not null,
  memo                  text not null,
  counterparty          text not null,
  counterparty_account  text not null,
  reference             text not null,
  bank_reference        text not null,
  code                  text not null,
  reverses              boolean not null,
  primary key (entry, told)
);
call protect('recon_telling', 'select, insert');

-- Which statement states which entry, and in which words.
create table recon_line (
  statement  uuid not null,
  line       int not null,
  entry      uuid not null,
  told       uuid not null,
  base       uuid not null,      -- the first of the entries that nothing tells from it
  turn       int not null,       -- which of them it is in its statement, from 0
  shift      int not null default 0,  -- how many of them the statements state that end where this one goes on
  tenant     uuid not null,
  primary key (statement, line)
);
create index recon_line_by_entry on recon_line (entry);
create index recon_line_is_shifted on recon_line (statement) where shift <> 0;
call protect('recon_line');

-- Entries that cannot be used: each waits in quarantine to be mended or discarded, once for all statements that state it so.
create table recon_broken (
  statement   uuid not null,
  line        int not null,
  tenant      uuid not null,
  quarantine  uuid not null,
  data        uuid not null,     -- a digest of it as it came
  primary key (statement, line)
);
create index recon_broken_by_quarantine on recon_broken (quarantine);
create index recon_broken_by_data on recon_broken (tenant, data);
call protect('recon_broken', 'select, insert');

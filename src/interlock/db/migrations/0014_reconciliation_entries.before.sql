-- Reconciliation, what comes in: files, the statements in them, and the entries that they state.
--
-- An entry is told from all others by its identity, a digest of what it is, never of when it came: the same file twice,
-- overlapping statements and pieces in any order end with the same rows. An entry is in force while a statement that is
-- in force states it.
set local search_path = interlock, pg_catalog;

create table recon_file (
  id              uuid primary key,
  tenant          uuid not null,
  reconciliation  text not null,
  side            text not null constraint recon_file_has_a_side check (side in ('expected', 'actual')),
  source          text not null,        -- which source of the settings it came by; 'hand' for the command line
  name            text not null,        -- the file's name, without its folder
  digest          bytea not null constraint recon_file_digest_is_sha256 check (octet_length(digest) = 32),
  bytes           bigint not null,
  state           text not null constraint recon_file_is_somewhere check (state in ('taken', 'refused', 'recalled')),
  why             text not null,        -- why it was refused or recalled; else empty
  statements      int not null,
  entries         int not null,
  broken          int not null,
  received_at     timestamptz not null
);
create unique index recon_file_is_taken_once on recon_file (tenant, reconciliation, side, digest) where state <> 'recalled';
call protect('recon_file');

create table recon_statement (
  id              uuid primary key,
  tenant          uuid not null,
  file            uuid not null,
  reconciliation  text not null,
  side            text not null,
  format          text not null,
  account         text not null,
  currency        text not null,
  number          text not null,        -- '' where it has none
  made_at         timestamptz,          -- when the bank made it
  first_day       date,
  last_day        date,
  opening_minor   bigint,
  closing_minor   bigint,
  entries         int not null,
  broken          int not null,
  state           text not null
    constraint recon_statement_is_somewhere check (state in ('in_force', 'held', 'corrected', 'recalled')),
  corrected_by    uuid,
  findings        bytea not null,       -- what does not add up, as canonical JSON
  why             text not null,        -- of its state
  changed_at      timestamptz not null
);
create index recon_statement_by_account on recon_statement (tenant, reconciliation, account, currency, number);
create index recon_statement_by_file on recon_statement (file);
call protect('recon_statement');

create table recon_entry (
  id                    uuid primary key,
  tenant                uuid not null,
  reconciliation        text not null,
  side                  text not null,
  identity              uuid not null,  -- of what it is
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
call protect('recon_entry', 'select, insert');

-- Which statement states which entry.
create table recon_line (
  statement  uuid not null,
  line       int not null,
  entry      uuid not null,
  tenant     uuid not null,
  primary key (statement, line)
);
create index recon_line_by_entry on recon_line (entry);
call protect('recon_line', 'select, insert');

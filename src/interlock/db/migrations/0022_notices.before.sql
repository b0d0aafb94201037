-- Notices: what people are told of outside the console, until it is sent.
set local search_path = interlock, pg_catalog;

create table notice (
  id            uuid primary key,             -- a digest of channel, recipient, kind, subject and stage: each is told once
  tenant        uuid not null,
  channel       text not null,                -- its name in the settings
  recipient     text not null,                -- an address of mail; empty: wherever the channel leads
  kind          text not null,
  subject       uuid not null,                -- what it is about
  stage         text not null,                -- tells one time from the next
  line          text not null,                -- what is said: names of workflows and queues, no personal data
  path          text not null,                -- where in the console it is to be seen
  created_at    timestamptz not null,
  due_at        timestamptz not null,         -- not before
  letter        uuid,                         -- with which others it goes; the same at each attempt
  claimed_until timestamptz,                  -- somebody is sending it
  attempts      int not null default 0,
  sent_at       timestamptz,
  failed_at     timestamptz,                  -- given up
  error         text,                         -- how the last attempt failed
  constraint notice_ends_once check (sent_at is null or failed_at is null)
);
call protect('notice', 'select, insert, update, delete');
create index notice_waiting on notice (tenant, channel, due_at) where sent_at is null and failed_at is null;
create index notice_sent on notice (tenant, channel, recipient, sent_at) where sent_at is not null;
create index notice_newest on notice (tenant, created_at);
create index notice_of on notice (tenant, subject);

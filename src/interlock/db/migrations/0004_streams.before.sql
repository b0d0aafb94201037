-- Streams: how each process that takes messages from a broker stands, written by itself once a second.
set local search_path = interlock, pg_catalog;

create type stream_state as enum ('running', 'waiting', 'unreachable', 'ended');

create table stream_standing (
  tenant          uuid not null,
  stream          text not null,                 -- its name in the settings
  process         uuid not null,                 -- one run of one process
  target          text not null,                 -- what each message becomes: workflow.point or workflow:NAME
  broker          text not null,
  state           stream_state not null,
  why             text not null,                 -- what it waits for, or what is wrong with the broker; empty: nothing
  concurrency     int not null,                  -- how many messages may be under way
  under_way       int not null,
  waiting         int not null,                  -- how many of these wait in line
  decided         bigint not null,               -- since it began, as are the next three
  submitted       bigint not null,
  quarantined     bigint not null,
  again           bigint not null,
  per_second      double precision not null,     -- messages done with, over the last seconds
  pending         bigint,                        -- never delivered, over all processes; null: the broker does not say
  unacknowledged  bigint,
  began_at        timestamptz not null,
  seen_at         timestamptz not null,
  constraint stream_standing_is_one_a_process primary key (tenant, stream, process)
);
call protect('stream_standing', 'select, insert, update, delete');

-- How often a message that its broker delivered again was tried to no end; gone once something became of it.
create table stream_trial (
  tenant    uuid not null,
  stream    text not null,                       -- its name in the settings
  message   uuid not null,                       -- the digest of which message it is to its broker, and of its body
  tried     int not null,                        -- attempts that failed or killed their consumer, and the one under way
  tried_at  timestamptz not null,
  constraint stream_trial_is_one_a_message primary key (tenant, stream, message),
  constraint stream_trial_counts check (tried > 0)
);
call protect('stream_trial', 'select, insert, update, delete');

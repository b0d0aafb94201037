-- The inbox of Interlock's connector `sql`: run it once, in the database on which its statements act, as whoever owns
-- the tables there. Running it again changes nothing.
--
-- An effect and its row here are one transaction. So the same key takes effect once, for as long as the row is kept; the
-- effect can be found by its key; and a row that was written first, without a request, makes the key void.

create table if not exists interlock_inbox (
  key           text not null primary key,   -- the idempotency key of the action
  request_hash  bytea,                       -- SHA-256 over operation and payload; null: the key was made void
  response      text,                        -- what the statement returned, as JSON
  deadline      timestamptz,                 -- until when the effect may be committed, by this server's clock
  at            timestamptz not null default clock_timestamp(),
  constraint interlock_inbox_is_a_request_or_void check ((request_hash is null) = (deadline is null))
);
create index if not exists interlock_inbox_by_age on interlock_inbox (at);

-- At the commit itself, whatever happened before it: a sender that was paused between its statement and its commit, and
-- wakes after its deadline, commits nothing.
create or replace function interlock_inbox_in_time() returns trigger language plpgsql as $$
begin
  if clock_timestamp() > new.deadline then
    raise exception 'the deadline of the request had passed before it was committed' using errcode = 'IK001';
  end if;
  return null;
end $$;
drop trigger if exists interlock_inbox_is_in_time on interlock_inbox;
create constraint trigger interlock_inbox_is_in_time after insert on interlock_inbox
  deferrable initially deferred for each row execute function interlock_inbox_in_time();

-- Let the connector's login use it (not delete: keys are forgotten by you, when they are older than key_retention):
--   grant select, insert, update on interlock_inbox to LOGIN;
-- And, as a nightly job, for a key_retention of 90 days:
--   delete from interlock_inbox where at < clock_timestamp() - interval '91 days';

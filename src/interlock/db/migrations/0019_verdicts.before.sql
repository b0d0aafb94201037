-- Verdicts: what each person says of a review, held for a while before it takes effect, alone or one of two; and who has a task.
set local search_path = interlock, pg_catalog;

-------------------------------------------------------------------------------------------------------- reviews

alter table review
  add column team text,                               -- whose task it is; null: whoever works in its queue
  add column assigned_to text,                        -- the one person who is to do it
  add column assigned_at timestamptz,                 -- since when that is they
  add column snoozed_until timestamptz,               -- until then it is in nobody's way
  add column snoozed_by text,
  add column asked_to text,                           -- who was asked back; while somebody is, it is parked
  add column asked_by text,
  add column asked_at timestamptz,
  add column asked_question text,
  add column effective_at timestamptz,                -- when the last verdict takes effect; before that it can be taken back
  add column held_verdict uuid,                       -- the verdict that is held until then
  add column needed smallint not null default 1,      -- how many people must say the same
  add column decided_by text[] not null default '{}', -- whose verdicts stand
  add column disagreed boolean not null default false,-- two verdicts differ: somebody else settles it
  add constraint review_needs_one_or_two check (needed in (1, 2)),
  add constraint review_snoozed_says_by_whom check ((snoozed_until is null) = (snoozed_by is null)),
  add constraint review_asked_back_says_all check (num_nulls(asked_to, asked_by, asked_at, asked_question) in (0, 4)),
  add constraint review_held_is_claimed check (held_verdict is null or (state = 'claimed' and effective_at is not null)),
  add constraint review_by_two_is_decided_by_two check (state <> 'resolved' or needed = 1 or cardinality(decided_by) >= 2),
  add constraint review_disagreed_has_two_verdicts check (not disagreed or cardinality(decided_by) >= 2);

-- What is held, by when it takes effect.
create index review_held on review (effective_at) where held_verdict is not null;

-- Which held verdicts are due, of all tenants: one of the finders that look across them.
create function due_verdicts(most int) returns table (tenant uuid, review uuid)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select v.tenant, v.id from review v
  where v.held_verdict is not null and v.effective_at <= clock_timestamp()
  order by v.effective_at limit most
$$;
alter function due_verdicts(int) owner to interlock_finder;
revoke all on function due_verdicts(int) from public;
grant execute on function due_verdicts(int) to interlock_service;

----------------------------------------------------------------------------------------------------- exceptions

alter table exception
  add column team text,
  add column assigned_to text,
  add column assigned_at timestamptz,
  add column snoozed_until timestamptz,
  add column snoozed_by text,
  add column asked_to text,
  add column asked_by text,
  add column asked_at timestamptz,
  add column asked_question text,
  add column claimed_by text,
  add column claimed_at timestamptz,
  add column claimed_until timestamptz,
  add column due_at timestamptz,                      -- when it should be resolved
  add column urgency bigint not null default 0,       -- expected loss in minor units, as a review's
  add constraint exception_claimed_says_all check (num_nulls(claimed_by, claimed_at, claimed_until) in (0, 3)),
  add constraint exception_snoozed_says_by_whom check ((snoozed_until is null) = (snoozed_by is null)),
  add constraint exception_asked_back_says_all check (num_nulls(asked_to, asked_by, asked_at, asked_question) in (0, 4));

------------------------------------------------------------------------------------------------------- verdicts

-- What one person says of a review. Nobody but them reads it before it takes effect; the ledger has only its digest until then.
create table review_verdict (
  id           uuid primary key,
  tenant       uuid not null,
  review       uuid not null,
  seat         smallint not null constraint review_verdict_seat_is_from_one check (seat >= 1), -- from 3 on they settle
  who          text not null,
  kind         text not null,                 -- what they are: person, program, operator
  act          text not null,                 -- the act that policies permitted
  resolution   resolution not null,
  output       bytea,                         -- what shall hold; canonical JSON
  reason_code  text not null,
  note         text not null,
  shown        text,                          -- the SHA-256 of what they had before them, in hexadecimal; null: they gave none
  nonce        bytea not null constraint review_verdict_nonce_is_long check (octet_length(nonce) = 32),
  digest       bytea not null constraint review_verdict_digest_is_sha256 check (octet_length(digest) = 32),
  at           timestamptz not null,
  effective_at timestamptz not null,          -- until then it can be taken back
  looked_since timestamptz,                   -- since when they had it before them; null: not known
  looked_ms    bigint,
  looked_of    text not null,                 -- how that is known: claim, reading, unknown
  because      text[] not null,               -- the policies that permitted it
  policies     text not null,                 -- the digest of all policies then
  bulk         uuid,                          -- the act that decided many alike
  undone_at    timestamptz,
  constraint review_verdict_effective_after_said check (effective_at >= at),
  constraint review_verdict_rejection_has_no_output check ((resolution = 'reject') = (output is null))
);
call protect('review_verdict');
-- One verdict in each seat, and of each person, that stands.
create unique index review_verdict_seat on review_verdict (tenant, review, seat) where undone_at is null;
create unique index review_verdict_of on review_verdict (tenant, review, who) where undone_at is null;
create index review_verdict_by on review_verdict (tenant, who, at);

-- Who mended what a decision rests on is asked for before somebody decides.
create index quarantine_by_decision on quarantine (decision_id) where decision_id is not null;

-- What people tell each other of a review or an exception.
create table task_note (
  id      uuid primary key,
  tenant  uuid not null,
  task    uuid not null,                      -- the review or the exception
  kind    text not null constraint task_note_kind_is_known
          check (kind in ('said', 'asked', 'answered', 'handed over', 'escalated', 'snoozed')),
  who     text not null,
  to_whom text,                               -- a person, a team, or whoever handed the case in
  text    text not null,
  at      timestamptz not null
);
call protect('task_note', 'select, insert');
create index task_note_of on task_note (tenant, task, id);

-- One act that decided many alike: its share of what a person may decide so on a day is taken before the first of them.
create table bulk_act (
  id             uuid primary key,
  tenant         uuid not null,
  who            text not null,
  workflow       text not null,
  point          text not null,
  resolution     resolution not null,
  items          int not null constraint bulk_act_has_items check (items > 0),
  exposure_minor bigint not null,
  currency       text not null,
  at             timestamptz not null
);
call protect('bulk_act', 'select, insert');
create index bulk_act_of on bulk_act (tenant, who, workflow, at);

-- How much may be decided without a person: outcomes, the audit sample, certificates, what counts, and its monitor.
set local search_path = interlock, pg_catalog;

------------------------------------------------------------------------------------------------------- outcomes

-- What somebody said became of a decision. It is never changed: a correction is another row that replaces it.
create table outcome (
  id          uuid primary key,               -- that of its ledger entry
  tenant      uuid not null,
  decision    uuid not null,
  workflow    text not null,
  point       text not null,
  source      text not null,                  -- whose word it is: a feed's name, or 'audit', 'review'
  key         text not null,                  -- the caller's key: the same word sent again is known
  is_right    boolean not null,               -- whether what the component proposed was right
  truth       bytea,                          -- what would have been right, if it is said; canonical JSON
  label       text not null,                  -- what it is called where it comes from, such as 'charged off'
  loss_minor  bigint constraint outcome_loses_nothing_negative check (loss_minor >= 0), -- as it was realised, if it is said
  currency    text,
  became_at   timestamptz not null,           -- when it became so
  said_by     text not null,
  said_at     timestamptz not null,
  replaces    uuid,
  turn        int not null constraint outcome_turn_is_from_one check (turn >= 1), -- which word on its decision it is
  constraint outcome_loss_has_a_currency check ((loss_minor is null) = (currency is null)),
  constraint outcome_right_loses_nothing check (not (is_right and coalesce(loss_minor, 0) > 0))
);
call protect('outcome', 'select, insert');
create unique index outcome_is_said_once on outcome (tenant, decision, source, said_by, key);
create unique index outcome_has_its_turn on outcome (tenant, decision, turn);
create unique index outcome_is_replaced_once on outcome (tenant, replaces) where replaces is not null;
create index outcome_settling on outcome (tenant, id) where source = 'settled';

-- Which decision took the place of which: what was decided again counts once.
create index decision_superseding on decision (tenant, supersedes) where supersedes is not null;

-- What counts of a decision's outcomes: the newest word of each source and speaker; where two contradict one another, the worse, until
-- somebody settles it.
create type outcome_standing as enum ('known', 'contradictory');
create table decision_outcome (
  decision    uuid primary key,
  tenant      uuid not null,
  workflow    text not null,
  point       text not null,
  standing    outcome_standing not null,
  outcome     uuid not null,                  -- the word that counts
  is_right    boolean not null,
  loss_minor  bigint,                         -- as it was realised, or worse; null: by the terms of the point
  currency    text,
  decided_at  timestamptz not null,
  first_at    timestamptz not null,           -- when the first word came
  changed_at  timestamptz not null,
  words       int not null                    -- how many count: one for each source
);
call protect('decision_outcome');
create index decision_outcome_by_point on decision_outcome (tenant, workflow, point, decision);
create index decision_outcome_worse on decision_outcome (tenant, workflow, point, changed_at) where not is_right;
create index decision_outcome_to_settle on decision_outcome (tenant, changed_at) where standing = 'contradictory';

-- How a declared feed of outcomes stands: since when it is asked for what is new.
create table outcome_feed (
  tenant      uuid not null,
  feed        text not null,
  since       timestamptz,                    -- null: from the beginning
  pulled_at   timestamptz not null,
  lines       bigint not null,                -- of the last pull
  new_lines   bigint not null,                -- of these, put on record
  trouble     text not null,                  -- why the last pull did not go through; empty: it did
  constraint outcome_feed_stands_once primary key (tenant, feed)
);
call protect('outcome_feed');

-- A line of a feed that is not on record: until it is, whatever becomes of the file that held it.
create table outcome_feed_held (
  tenant      uuid not null,
  feed        text not null,
  place       text not null,                  -- the file and its line, or the row's key
  became      text not null,                  -- unknown, or refused
  what        text not null,
  since       timestamptz,                    -- what the query was asked for when it gave the row; null: for everything
  first_at    timestamptz not null,
  last_at     timestamptz not null,
  constraint outcome_feed_held_once primary key (tenant, feed, place)
);
call protect('outcome_feed_held', 'select, insert, update, delete');

---------------------------------------------------------------------------------------------------- audit sample

-- An automatic decision that was drawn at random for a blind review. Nothing follows from that review but an outcome.
create table audit_draw (
  decision    uuid primary key,
  tenant      uuid not null,
  workflow    text not null,
  point       text not null,
  review      uuid constraint audit_draw_has_its_review unique, -- null: none could be opened, so it counts as missing
  propensity  numeric not null constraint audit_draw_propensity_is_one check (propensity > 0 and propensity <= 1),
  drawn_at    timestamptz not null,
  answered_by text,
  answered_at timestamptz,
  was_right   boolean,
  constraint audit_draw_answered_says_all check (num_nulls(answered_by, answered_at, was_right) in (0, 3))
);
call protect('audit_draw');
create index audit_draw_by_point on audit_draw (tenant, workflow, point, decision);
create index audit_draw_waiting on audit_draw (tenant, drawn_at) where answered_at is null;

-- Up to which decision each point is drawn, and the key that draws: nobody can foretell who is drawn, all can check it.
create table audit_drawing (
  id          uuid primary key,               -- a digest of tenant, workflow and point
  tenant      uuid not null,
  workflow    text not null,
  point       text not null,
  key         bytea not null constraint audit_drawing_key_is_long check (octet_length(key) = 32),
  begun       uuid not null,                  -- decisions after this one are in the sample, those before it never
  drawn_to    uuid not null,                  -- the last decision that was looked at
  looked_at   bigint not null default 0,      -- how many automatic decisions were, altogether
  drawn       bigint not null default 0,
  constraint audit_drawing_is_one_a_point unique (tenant, workflow, point)
);
call protect('audit_drawing');

---------------------------------------------------------------------------------------------------- certificates

-- Every certificate that was issued, for ever, byte for byte.
create table certificate (
  id          uuid primary key,               -- that of its ledger entry
  tenant      uuid not null,
  workflow    text not null,
  point       text not null,
  digest      bytea not null,                 -- SHA-256 of the content
  content     bytea not null,
  issued_at   timestamptz not null,
  issued_by   text not null,
  valid_until timestamptz not null,
  constraint certificate_digest_is_of_its_content check (digest = sha256(content))
);
call protect('certificate', 'select, insert');
create index certificate_by_point on certificate (tenant, workflow, point, id);

-- What counts at a point now. Each turn is an entry in the ledger; the commit of an automatic decision reads it.
create type autonomy_state as enum ('certified', 'narrowed', 'withdrawn', 'refused');
create table autonomy (
  id          uuid primary key,               -- a digest of tenant, workflow and point
  tenant      uuid not null,
  workflow    text not null,
  point       text not null,
  turn        bigint not null,                -- how often it changed
  state       autonomy_state not null,        -- refused: too little evidence, and none was in force
  certificate uuid constraint autonomy_is_of_an_issued_certificate references certificate (id),
  threshold   text not null,                  -- minor units, as a fraction: the certificate's, or narrower
  valid_until timestamptz,
  why         text not null,
  who         text not null,
  changed_at  timestamptz not null,
  tried_at    timestamptz,                    -- when a certificate was last derived, whatever came of it
  refused     text,                           -- why that gave none; null: it gave one
  constraint autonomy_is_one_a_point unique (tenant, workflow, point),
  constraint autonomy_certified_says_all check (state not in ('certified', 'narrowed') or (certificate is not null and valid_until is not null))
);
call protect('autonomy');

-- On what the decision of an action went by itself; null: on no certificate. The commit that begins it holds that against
-- what counts then.
alter table action add column granted bytea;

-- The monitor of a certificate: how strongly its decisions speak against it. Whoever counts, counts under this row's lock.
create table certificate_monitor (
  certificate uuid primary key constraint certificate_monitor_watches_an_issued_one references certificate (id),
  tenant      uuid not null,
  wealth      bytea not null,                 -- log wealth of each bet; canonical JSON
  counted     bigint not null,                -- decisions
  lost_minor  bigint not null,                -- their weighted loss together, rounded up
  evidence    double precision not null,      -- the e-value
  counted_to  timestamptz not null,           -- when the last decision that is counted was taken
  counted_id  uuid not null,                  -- that decision
  looked_at   timestamptz not null,
  crossed_at  timestamptz,                    -- when the evidence was last found too strong
  ended_at    timestamptz,                    -- when its certificate ceased to count: replaced, withdrawn or over
  closed_at   timestamptz                     -- when the last of its decisions was counted
);
call protect('certificate_monitor');
-- How it went, for the chart: at most some hundred points a certificate, thinned out as it grows.
create table certificate_course (
  certificate uuid not null,
  tenant      uuid not null,
  counted     bigint not null,
  at          timestamptz not null,
  evidence    double precision not null,
  lost_minor  bigint not null,
  constraint certificate_course_has_one_point primary key (certificate, counted)
);
call protect('certificate_course', 'select, insert, delete');

-- What counts in every tenant: what every process watches.
create function autonomy_everywhere()
  returns table (tenant uuid, workflow text, point text, turn bigint, state autonomy_state, certificate uuid, threshold text,
                 valid_until timestamptz)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select a.tenant, a.workflow, a.point, a.turn, a.state, a.certificate, a.threshold, a.valid_until from autonomy a
$$;

do $$
begin
  grant select on autonomy to interlock_finder;
  grant create on schema interlock to interlock_finder;
  alter function interlock.autonomy_everywhere() owner to interlock_finder;
  revoke all on function interlock.autonomy_everywhere() from public;
  grant execute on function interlock.autonomy_everywhere() to interlock_service;
  revoke create on schema interlock from interlock_finder;
end $$;

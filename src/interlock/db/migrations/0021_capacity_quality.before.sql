-- What people can take on, and how well they decide: tallies by the hour, how queues stand, the declared answer to a full one,
-- known cases, second looks.
set local search_path = interlock, pg_catalog;

------------------------------------------------------------------------------------------------------- tallies

-- What came and what was answered in one hour; withdrawn reviews are in neither, since they asked nothing of anybody.
create table oversight_hour (
  tenant     uuid not null,
  queue      text not null,
  workflow   text not null,
  point      text not null,
  hour       timestamptz not null,            -- its beginning, UTC
  arrived    int not null,
  resolved   int not null,
  timed      int not null,                    -- those of them of which it is known how long they took
  worked_ms  bigint not null,                 -- how long these took together
  worked_ms2 bigint not null,                 -- the sum of their squares
  constraint oversight_hour_is_counted_once primary key (tenant, queue, hour, workflow, point)
);
call protect('oversight_hour', 'select, insert, update, delete');

-- Who answered how many in one hour, and in how many of its six times ten minutes.
create table oversight_person_hour (
  tenant   uuid not null,
  queue    text not null,
  person   text not null,
  hour     timestamptz not null,
  resolved int not null,
  slots    smallint not null constraint oversight_person_hour_has_six_slots check (slots between 1 and 6),
  constraint oversight_person_hour_is_counted_once primary key (tenant, queue, hour, person)
);
call protect('oversight_person_hour', 'select, insert, update, delete');

-- How each queue stood when it was last looked at.
create table oversight_queue (
  tenant      uuid not null,
  queue       text not null,
  waiting     int not null,
  oldest_at   timestamptz,
  overdue     int not null,
  people      int not null,                   -- who holds one of its reviews, or answered one in the last quarter of an hour
  measured_at timestamptz not null,
  constraint oversight_queue_stands_once primary key (tenant, queue)
);
call protect('oversight_queue', 'select, insert, update, delete');

-- How far a tenant's hours are counted, and up to when second looks are drawn.
create table oversight_counted (
  tenant     uuid primary key,
  counted_to timestamptz not null,
  drawn_to   timestamptz not null
);
call protect('oversight_counted');

create index review_verdict_at on review_verdict (at);
create index review_resolved_at on review (resolved_at) where state = 'resolved';

-- The answer to a queue that is too full, as it stands. Each turn is an entry.
create type queue_state as enum ('saturated', 'relieved');
create table queue_response (
  id         uuid primary key,                -- a digest of tenant and queue
  tenant     uuid not null,
  queue      text not null,
  turn       bigint not null,                 -- how often it changed
  state      queue_state not null,
  by_hand    boolean not null,                -- a person said so, and only a person ends it
  why        text not null,
  who        text not null,
  changed_at timestamptz not null,
  constraint queue_response_is_one_a_queue unique (tenant, queue)
);
call protect('queue_response');

-- What came and was answered since a moment, of all tenants: one of the finders that look across them.
create function oversight_counts(since timestamptz, least_id uuid)
  returns table (tenant uuid, queue text, workflow text, point text, hour timestamptz, arrived int, resolved int, timed int,
                 worked_ms bigint, worked_ms2 bigint)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  with told as (
    select v.tenant, v.queue, v.workflow, v.point, date_trunc('hour', v.created_at, 'UTC') as hour, 1 as arrived, 0 as resolved,
           null::bigint as ms
    from review v where v.id >= least_id and v.created_at >= since and v.state <> 'withdrawn'
    union all
    select v.tenant, v.queue, v.workflow, v.point, date_trunc('hour', v.resolved_at, 'UTC'), 0, 1,
           coalesce(
             (select case when bool_and(said.looked_ms is not null) then least(sum(said.looked_ms), 14400000)::bigint end
              from review_verdict said
              where said.tenant = v.tenant and said.review = v.id and said.undone_at is null),
             (select case when v.claimed_by = v.resolved_by and v.claimed_at <= a.at
                          then least(1000 * extract(epoch from a.at - v.claimed_at), 14400000)::bigint end
              from (select coalesce(max(said.at), v.resolved_at) as at from review_verdict said
                    where said.tenant = v.tenant and said.review = v.id and said.undone_at is null) a))
    from review v where v.state = 'resolved' and v.resolved_at >= since)
  select t.tenant, t.queue, t.workflow, t.point, t.hour, sum(t.arrived)::int, sum(t.resolved)::int, count(t.ms)::int,
         coalesce(sum(t.ms), 0)::bigint, coalesce(sum(t.ms * t.ms), 0)::bigint
  from told t group by 1, 2, 3, 4, 5
$$;

-- Who answered how many since a moment, of all tenants.
create function oversight_people(since timestamptz)
  returns table (tenant uuid, queue text, person text, hour timestamptz, resolved int, slots smallint)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select w.tenant, w.queue, w.who, date_trunc('hour', w.at, 'UTC'), count(*)::int,
         count(distinct floor(extract(minute from w.at) / 10))::smallint
  from (
    select said.tenant, v.queue, said.who, said.at from review_verdict said join review v on v.id = said.review
    where said.at >= since and said.undone_at is null
    union all
    select v.tenant, v.queue, v.resolved_by, v.resolved_at from review v
    where v.state = 'resolved' and v.resolved_at >= since
      and not exists (select from review_verdict said where said.tenant = v.tenant and said.review = v.id)
  ) w group by 1, 2, 3, 4
$$;

-- How every queue stands, of all tenants.
create function oversight_standing()
  returns table (tenant uuid, queue text, waiting int, oldest_at timestamptz, overdue int, people int)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  with waits as (
    select v.tenant, v.queue, count(*)::int as waiting, min(v.created_at) as oldest_at,
           (count(*) filter (where v.due_at < clock_timestamp()))::int as overdue
    from review v where v.state in ('open', 'claimed') group by 1, 2
  ), works as (
    select w.tenant, w.queue, count(distinct w.who)::int as people from (
      select v.tenant, v.queue, v.claimed_by as who from review v
      where v.state = 'claimed' and v.claimed_until > clock_timestamp()
      union all
      select said.tenant, v.queue, said.who from review_verdict said join review v on v.id = said.review
      where said.at > clock_timestamp() - interval '15 minutes'
      union all
      select v.tenant, v.queue, v.resolved_by from review v
      where v.state = 'resolved' and v.resolved_at > clock_timestamp() - interval '15 minutes'
        and not exists (select from review_verdict said where said.tenant = v.tenant and said.review = v.id)
    ) w group by 1, 2
  )
  select coalesce(a.tenant, w.tenant), coalesce(a.queue, w.queue), coalesce(a.waiting, 0), a.oldest_at, coalesce(a.overdue, 0),
         coalesce(w.people, 0)
  from waits a full join works w on w.tenant = a.tenant and w.queue = a.queue
$$;

-- The tenants whose hours are or were counted, and how far.
create function oversight_counted_tenants() returns table (tenant uuid, counted_to timestamptz, drawn_to timestamptz)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select c.tenant, c.counted_to, c.drawn_to from oversight_counted c
$$;

-------------------------------------------------------------------------------------------------------- quality

-- A case whose right answer is known, put among the others: nothing follows from it. Nobody is told before it is answered.
create table known_case (
  id           uuid primary key,              -- its review
  tenant       uuid not null,
  workflow     text not null,
  point        text not null,
  resolution   resolution not null,           -- what is right
  output       bytea,                         -- of a change: what is right; canonical JSON
  explanation  text not null,                 -- shown to whoever answered
  added_by     text not null,
  added_at     timestamptz not null,
  answered_by  text,
  answered_at  timestamptz,
  was_right    boolean,
  constraint known_case_answered_says_all check (num_nulls(answered_by, answered_at, was_right) in (0, 3)),
  constraint known_case_change_has_output check ((resolution = 'change') = (output is not null))
);
call protect('known_case');
create index known_case_of on known_case (tenant, answered_by, answered_at);

-- A review that a second person answers without knowing the first's answer: nothing follows from it but a finding.
create table second_look (
  id          uuid primary key,               -- the second review
  tenant      uuid not null,
  first       uuid not null,                  -- the review that was answered before
  propensity  numeric not null constraint second_look_propensity_is_one check (propensity > 0 and propensity <= 1),
  drawn_at    timestamptz not null,
  first_by    text not null,
  second_by   text,
  compared_at timestamptz,
  agreed      boolean,
  constraint second_look_is_drawn_once unique (tenant, first),
  constraint second_look_compared_says_all check (num_nulls(second_by, compared_at, agreed) in (0, 3))
);
call protect('second_look');
create index second_look_by on second_look (tenant, first_by, compared_at);

-- When a person last saw their own figures, up to when these went, and what they say of them.
create table quality_seen (
  id      uuid primary key,
  tenant  uuid not null,
  person  text not null,
  seen_at timestamptz not null,
  remark  text not null
);
call protect('quality_seen', 'select, insert');
create index quality_seen_by on quality_seen (tenant, person, seen_at);

------------------------------------------------------------------------------------------------------- practice

-- A decided review that somebody declared as one to practise on.
create table lesson (
  id           uuid primary key,              -- its review
  tenant       uuid not null,
  workflow     text not null,
  point        text not null,
  taught_by    text not null,                 -- who decided it
  explanation  text not null,                 -- shown to whoever answered
  declared_by  text not null,
  declared_at  timestamptz not null,
  withdrawn_by text,
  withdrawn_at timestamptz,
  constraint lesson_withdrawn_says_all check (num_nulls(withdrawn_by, withdrawn_at) in (0, 2))
);
call protect('lesson');
create index lesson_at on lesson (tenant, workflow, point) where withdrawn_at is null;
create index known_case_revealed on known_case (tenant, workflow, point) where answered_at is not null;

-- One item that somebody practises on. It touches no review: the case, its queue and its tallies know nothing of it.
create table practice_attempt (
  id          uuid primary key,
  tenant      uuid not null,
  person      text not null,                  -- as policies compare names
  review      uuid not null,                  -- what is practised on
  workflow    text not null,
  point       text not null,
  counts      boolean not null,               -- the first of this person at this item
  begun_at    timestamptz not null,
  answered_at timestamptz,
  resolution  resolution,
  output      bytea,
  reason_code text,
  was_right   boolean,
  constraint practice_attempt_answered_says_all check (num_nulls(answered_at, resolution, reason_code, was_right) in (0, 4))
);
call protect('practice_attempt');
create unique index practice_attempt_is_one_at_a_time on practice_attempt (tenant, person, workflow, point)
  where answered_at is null;
create unique index practice_attempt_counts_once on practice_attempt (tenant, person, review) where counts;
create index practice_attempt_of on practice_attempt (tenant, person, workflow, point, answered_at);

-- That somebody may decide at a point that asks for practice: earned by it, or given by somebody who leads.
create table qualification (
  id        uuid primary key,
  tenant    uuid not null,
  person    text not null,                    -- as policies compare names
  workflow  text not null,
  point     text not null,
  given_at  timestamptz not null,
  until     timestamptz not null,
  given_by  text,                             -- null: by practice
  why       text not null,
  taken_at  timestamptz,
  taken_by  text,
  constraint qualification_lasts check (until > given_at),
  constraint qualification_taken_says_all check (num_nulls(taken_at, taken_by) in (0, 2))
);
call protect('qualification');
create index qualification_at on qualification (tenant, workflow, point, until) where taken_at is null;

do $$
declare
  finder text;
begin
  grant select on review, review_verdict, oversight_counted to interlock_finder;
  grant create on schema interlock to interlock_finder;
  foreach finder in array array[
    'oversight_counts(timestamptz, uuid)', 'oversight_people(timestamptz)', 'oversight_standing()',
    'oversight_counted_tenants()'
  ] loop
    execute format('alter function interlock.%s owner to interlock_finder', finder);
    execute format('revoke all on function interlock.%s from public', finder);
    execute format('grant execute on function interlock.%s to interlock_service', finder);
  end loop;
  revoke create on schema interlock from interlock_finder;
end $$;

-- name: add_words
insert into outcome (id, tenant, decision, workflow, point, source, key, is_right, truth, label, loss_minor, currency, became_at,
  said_by, said_at, replaces, turn)
select id, tenant, decision, workflow, point, source, key, is_right, decode(truth, 'base64'), label, loss_minor, currency, became_at,
  said_by, said_at, replaces, turn
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, decision uuid, workflow text, point text, source text, key text,
  is_right bool, truth text, label text, loss_minor bigint, currency text, became_at timestamptz, said_by text, said_at timestamptz,
  replaces uuid, turn int)

-- name: set_outcomes
insert into decision_outcome (decision, tenant, workflow, point, standing, outcome, is_right, loss_minor, currency, decided_at,
  first_at, changed_at, words)
select decision, tenant, workflow, point, standing, outcome, is_right, loss_minor, currency, decided_at, first_at, changed_at, words
from json_to_recordset(%(rows)s::json) as r (decision uuid, tenant uuid, workflow text, point text, standing outcome_standing,
  outcome uuid, is_right bool, loss_minor bigint, currency text, decided_at timestamptz, first_at timestamptz,
  changed_at timestamptz, words int)
on conflict (decision) do update
set standing = excluded.standing, outcome = excluded.outcome, is_right = excluded.is_right, loss_minor = excluded.loss_minor,
    currency = excluded.currency, changed_at = excluded.changed_at, words = excluded.words

-- name: find_judged
select d.id, d.case_id, d.workflow, d.point, d.output, d.exposure_minor, d.currency, d.decided_at,
       exists (select from known_case k where k.id = d.review) as made_up
from decision d where d.id = any(%(ids)s::uuid[]) and d.id >= %(least)s and d.id <= %(greatest)s

-- name: decisions_by_keys
-- Which decision was asked under each key; a decision is its key's holder.
select k.digest, d.point, d.id as decision
from idempotency_key k join decision d on d.id = k.holder where k.digest = any(%(digests)s::uuid[])

-- name: decisions_of_cases
-- Of the decisions of each case at these points the newest, unless another took its place.
select distinct on (k.digest, d.point) k.digest, d.point, d.id as decision
from idempotency_key k join decision d on d.case_id = k.holder
where k.digest = any(%(digests)s::uuid[]) and d.point = any(%(points)s::text[])
  and not exists (select from decision n where n.supersedes = d.id)
order by k.digest, d.point, d.id desc

-- name: words_of
select id, decision, source, key, is_right, truth, label, loss_minor, currency, became_at, said_by, said_at, replaces, turn
from outcome where decision = any(%(ids)s::uuid[]) order by decision, turn

-- name: outcomes_of
select decision, workflow, point, standing::text as standing, outcome, is_right, loss_minor, currency, decided_at, first_at, changed_at,
       words
from decision_outcome where decision = any(%(ids)s::uuid[])

-- name: to_settle
-- Decisions whose sources contradict one another, the oldest contradiction first.
select decision, workflow, point, standing::text as standing, outcome, is_right, loss_minor, currency, decided_at, first_at, changed_at,
       words
from decision_outcome where standing = 'contradictory' order by changed_at, decision limit %(most)s

-- name: voices_settled
-- Of the newest settlements: how often each voice had said something last, and how often it was settled against it.
select h.source, h.said_by, count(*) as settled, count(*) filter (where h.is_right <> s.is_right) as against
from (select decision, is_right, turn from outcome where source = 'settled' order by id desc limit %(most)s) s
cross join lateral (
  select distinct on (w.source, w.said_by) w.source, w.said_by, w.is_right from outcome w
  where w.decision = s.decision and w.turn < s.turn and w.source <> 'settled' order by w.source, w.said_by, w.turn desc) h
group by h.source, h.said_by having count(*) filter (where h.is_right <> s.is_right) > 0
order by against desc, h.source, h.said_by limit 100

-- name: said_of
-- What the rows say of proposals, for known_of. A verdict of the decision's own review counts once it took effect; of a known case
-- nothing does, nor of what another decision took the place of, or a recall took back: what it rested on was not so.
select d.id as decision, d.output as proposal, o.is_right, o.loss_minor, o.currency, w.truth, o.standing::text as standing,
       v.resolution::text as resolution, v.output as resolved
from decision d
left join decision_outcome o on o.decision = d.id
left join outcome w on w.id = o.outcome
left join review v on v.id = d.review and v.state = 'resolved'
  and not exists (select from known_case k where k.id = v.id)
  and not exists (select from decision n where n.supersedes = d.id)
  and not exists (select from recall_member m where m.member in (d.id, d.case_id) and m.state in ('ended', 'anew'))
where d.id = any(%(ids)s::uuid[]) and d.id >= %(least)s and d.id <= %(greatest)s

-- name: missing_outcomes
-- Decisions of a point whose outcome is due and of which nothing is known, the oldest first; see tally_outcomes.
select d.id as decision, d.case_id, d.route::text as route, d.exposure_minor, d.currency, d.decided_at,
       d.decided_at + %(after)s::interval as due_at
from decision d
where d.workflow = %(workflow)s and d.point = %(point)s and d.id > %(since)s and d.id < %(until)s and d.output is not null
  and (d.review is null or not exists (select from known_case k where k.id = d.review))
  and (d.route <> 'review' or not exists (select from decision n where n.supersedes = d.id))
  and (%(every)s or d.route = 'review' or exists (select from audit_draw a where a.decision = d.id))
  and not exists (select from decision_outcome o where o.decision = d.id)
  and not exists (
    select from review v where v.id = d.review and v.state = 'resolved' and not (%(every)s and v.resolution = 'approve')
      and not exists (select from decision n where n.supersedes = d.id)
      and not exists (select from recall_member m where m.member in (d.id, d.case_id) and m.state in ('ended', 'anew')))
order by d.id limit %(most)s

-- name: tally_outcomes
-- How the outcomes of a point's decisions stand that are due: whatever was proposed, unless it was made up, or went to a person and
-- was decided anew. Where only a sample is looked at, of what went by itself what was drawn. Where the outcome of each is to become
-- known, a person's approval is none, as for a certificate; that a person changed or refused the answer tells that it was wrong.
select count(*) as due, count(*) filter (where t.is_right is not null) as recorded,
       count(*) filter (where t.is_right is null and t.reviewed) as reviewed,
       count(*) filter (where t.is_right is null and not t.reviewed) as missing,
       (select count(*) from decision_outcome c where c.workflow = %(workflow)s and c.point = %(point)s
          and c.standing = 'contradictory') as contradictory,
       count(*) filter (where not t.is_right) as wrong
from (
  select o.is_right, exists (
           select from review v where v.id = d.review and v.state = 'resolved'
             and not (%(every)s and v.resolution = 'approve')
             and not exists (select from decision n where n.supersedes = d.id)
             and not exists (select from recall_member m where m.member in (d.id, d.case_id) and m.state in ('ended', 'anew'))) as reviewed
  from decision d left join decision_outcome o on o.decision = d.id
  where d.workflow = %(workflow)s and d.point = %(point)s and d.id > %(since)s and d.id < %(until)s and d.output is not null
    and (d.review is null or not exists (select from known_case k where k.id = d.review))
    and (d.route <> 'review' or not exists (select from decision n where n.supersedes = d.id))
    and (%(every)s or d.route = 'review' or exists (select from audit_draw a where a.decision = d.id))
) t

-- name: take_feed
-- One pull of a feed at a time: held by the session, so it ends with the process.
select pg_try_advisory_lock(1229999953, hashtext(%(tenant)s || '/' || %(feed)s)) as is_ours

-- name: end_feed
select pg_advisory_unlock(1229999953, hashtext(%(tenant)s || '/' || %(feed)s))

-- name: feeds_of
select feed, since, pulled_at, lines, new_lines, trouble from outcome_feed order by feed

-- name: held_of
select feed, place, became, what, since, first_at, last_at from outcome_feed_held
where feed = any(%(feeds)s) order by feed, first_at, place limit %(most)s

-- name: set_feeds
insert into outcome_feed (tenant, feed, since, pulled_at, lines, new_lines, trouble)
select tenant, feed, since, pulled_at, lines, new_lines, trouble
from json_to_recordset(%(rows)s::json) as r (tenant uuid, feed text, since timestamptz, pulled_at timestamptz, lines bigint,
  new_lines bigint, trouble text)
on conflict (tenant, feed) do update
set since = excluded.since, pulled_at = excluded.pulled_at, lines = excluded.lines, new_lines = excluded.new_lines,
    trouble = excluded.trouble

-- name: hold_lines
insert into outcome_feed_held (tenant, feed, place, became, what, since, first_at, last_at)
select tenant, feed, place, became, what, since, first_at, last_at
from json_to_recordset(%(rows)s::json) as r (tenant uuid, feed text, place text, became text, what text, since timestamptz,
  first_at timestamptz, last_at timestamptz)
on conflict (tenant, feed, place) do update set became = excluded.became, what = excluded.what, last_at = excluded.last_at

-- name: let_lines_go
delete from outcome_feed_held where feed = %(feed)s and place = any(%(places)s)

-- Nothing is concluded of components from reviews that nothing follows from: a known case has a made-up proposal, and a second
-- look repeats one that is counted already.
set local search_path = interlock, pg_catalog;

grant select on known_case, second_look to interlock_finder;

-- As it was, but for what it counts as overrides.
create or replace function measured(rules json) returns table (id uuid, value bigint)
  language sql stable security definer set search_path = interlock, pg_catalog as $$
  select r.id, case r.measure
    when 'open exceptions' then (
      select count(*) from exception e where e.tenant = current_tenant() and e.workflow = r.workflow and e.state = 'open')
    when 'oldest exception' then (
      select coalesce(floor(extract(epoch from statement_timestamp() - min(e.created_at))), 0)::bigint
      from exception e where e.tenant = current_tenant() and e.workflow = r.workflow and e.state = 'open')
    when 'open reviews' then (
      select count(*) from review v
      where v.tenant = current_tenant() and v.workflow = r.workflow and v.state in ('open', 'claimed'))
    when 'oldest review' then (
      select coalesce(floor(extract(epoch from statement_timestamp() - min(v.created_at))), 0)::bigint
      from review v where v.tenant = current_tenant() and v.workflow = r.workflow and v.state in ('open', 'claimed'))
    when 'failed actions' then (
      select count(*) from action a
      where a.tenant = current_tenant() and a.workflow = r.workflow and a.state = 'failed'
        and a.ended_at >= statement_timestamp() - make_interval(secs => r.seconds))
    when 'actions in doubt' then (
      -- those that the protocol is settling, and those of which a person must say what became of them
      select count(*) from action a
      where a.tenant = current_tenant() and a.workflow = r.workflow and a.state in ('in_doubt', 'exception')
        and (select c.state from cases c where c.id = a.case_id) not in ('done', 'cancelled'))
    when 'overrides' then (
      select case when count(*) = r.sample then count(*) filter (where latest.resolution <> 'approve') end
      from (select v.resolution from review v
            where v.tenant = current_tenant() and v.workflow = r.workflow and v.state = 'resolved'
              and v.proposal is not null
              and not exists (select from known_case k where k.id = v.id) and not exists (select from second_look s where s.id = v.id)
            order by v.resolved_at desc limit r.sample) latest)
    end
  from json_to_recordset(rules) as r (id uuid, workflow text, measure text, seconds float8, sample bigint)
$$;

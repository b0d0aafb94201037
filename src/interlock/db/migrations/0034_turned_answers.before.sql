-- What a condition turned into a no is judged as that no: in certificates and their monitors, and in what wrong decisions lost.
set local search_path = interlock, pg_catalog;

-- Decisions that were, or would have been, turned into a no: of these the bad news is that the proposal was right.
create index decision_turned on decision (tenant, workflow, id)
  where route = 'reject' or position('"route":"reject"'::bytea in verdicts) > 0;

-- Whether such a no was right, by what is known of the proposal. `fields`: which of it are compared; null or none: all of the answer.
-- `was_right`: what a person of the audit sample said of the no itself. What cannot be told is not right, and what is contradictory
-- neither. It says the same as `is_no_right` in interlock.autonomy.issuing.judged, of an answer that leaves out nothing; a blank is
-- put in the place of an escaped NUL, which json cannot turn into text.
create function no_is_right(is_right boolean, standing outcome_standing, was_right boolean, output bytea, fields json)
  returns boolean language sql immutable parallel safe as $$
  select case when s.said = false then is_right
              when is_right or standing = 'contradictory' then false
              when s.said and s.alone then true
              else coalesce(was_right, false) end
  from (select replace(convert_from(output, 'UTF8'), '\u0000', '\u0020')::json as answer) a
  cross join lateral (
    select array(select json_array_elements_text(fields)) as declared,
      array(select key from json_each(case when json_typeof(a.answer) = 'object' then a.answer end)) as names,
      array(select key from json_each(case when json_typeof(a.answer) = 'object' then a.answer end)
            where json_typeof(value) = 'boolean') as answers) n
  cross join lateral (select coalesce(nullif(n.declared, '{}'), n.answers) as compared) c
  cross join lateral (
    select case when cardinality(c.compared) = 1 and c.compared[1] = any(n.answers) then (a.answer ->> c.compared[1])::boolean end as said,
      cardinality(coalesce(nullif(n.declared, '{}'), n.names)) = 1 as alone) s
$$;

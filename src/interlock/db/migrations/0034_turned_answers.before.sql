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
  returns boolean language plpgsql immutable parallel safe as $$
declare
  answer json := replace(convert_from(output, 'UTF8'), '\u0000', '\u0020')::json;
  alone boolean := json_array_length(fields) = 1;
  field text := case when alone then fields ->> 0 end;
  said boolean;
begin
  if coalesce(json_array_length(fields), 0) = 0 and json_typeof(answer) = 'object' then
    select count(*) = 1, case when count(*) filter (where json_typeof(a.value) = 'boolean') = 1
                         then max(a.key) filter (where json_typeof(a.value) = 'boolean') end
    into alone, field from json_each(answer) a;
  end if;
  if json_typeof(answer -> field) = 'boolean' then
    said := (answer ->> field)::boolean;
  end if;
  return case when said = false then is_right
              when is_right or standing = 'contradictory' then false
              when said and alone then true
              else coalesce(was_right, false) end;
end $$;

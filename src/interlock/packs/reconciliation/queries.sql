-- Reconciliation, what comes in. A statement's entries and lines are written before the statement itself is.

-- name: lock_intake
-- Held to the end of the transaction: what is in force of a reconciliation is changed by one at a time.
select pg_advisory_xact_lock(hashtextextended(%(tenant)s::text || '/intake/' || %(reconciliation)s::text, 0))

-- name: find_file
-- The file that is taken with this content for this account; else the last refusal of it, if it was read just so, and not
-- taken and recalled since.
select id, source, name, state, why, statements, entries, broken, received_at
from recon_file f
where reconciliation = %(reconciliation)s and side = %(side)s and digest = %(digest)s
  and ((state = 'taken' and read_for = %(read_for)s::uuid)
    or (state = 'refused' and read_as = %(read_as)s::uuid and not exists (
      select from recon_file k where k.reconciliation = %(reconciliation)s and k.side = %(side)s and k.digest = %(digest)s
        and k.read_as = f.read_as and k.state = 'recalled' and k.received_at >= f.received_at)))
order by state = 'taken' desc limit 1

-- name: find_on_other_side
-- A file that is taken with this content for this account, on the other side.
select id, source, name, state, why, statements, entries, broken, received_at
from recon_file
where reconciliation = %(reconciliation)s and side <> %(side)s and digest = %(digest)s and state = 'taken'
  and read_for = %(read_for)s::uuid
limit 1

-- name: count_recalled
select count(*) from recon_file
where reconciliation = %(reconciliation)s and side = %(side)s and digest = %(digest)s and state = 'recalled'

-- name: add_files
insert into recon_file (id, tenant, reconciliation, side, source, name, digest, read_as, read_for, bytes, state, why, statements, entries,
  broken, received_at)
select id, tenant, reconciliation, side, source, name, decode(digest, 'base64'), read_as, read_for, bytes, state, why, statements, entries,
  broken, received_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, reconciliation text, side text, source text, name text,
  digest text, read_as uuid, read_for uuid, bytes bigint, state recon_file_state, why text, statements int, entries int, broken int,
  received_at timestamptz)
on conflict (tenant, reconciliation, side, digest, read_as) where state = 'refused'
do update set why = excluded.why, name = excluded.name, source = excluded.source, received_at = excluded.received_at

-- name: recall_file
update recon_file set state = 'recalled', why = %(why)s where id = %(id)s and state = 'taken'
  and not exists (select from recon_statement s where s.file = %(id)s and s.state <> 'recalled')

-- name: add_entries
-- How many of them are new. Those that are not may be told in other words: see add_tellings.
with r as (
  select * from json_to_recordset(%(rows)s::json) as r (line int, id uuid, identity uuid, told uuid, base uuid, turn int, minor bigint, booked_on date,
    value_on date, memo text, counterparty text, counterparty_account text, reference text, bank_reference text, code text,
    reverses boolean)),
lines as (
  insert into recon_line (statement, line, entry, told, base, turn, tenant)
  select %(statement)s, line, id, told, base, turn, %(tenant)s from r on conflict do nothing),
added as (
  insert into recon_entry (id, tenant, reconciliation, side, identity, told, account, currency, minor, booked_on, value_on, memo,
    counterparty, counterparty_account, reference, bank_reference, code, reverses, received_at)
  select id, %(tenant)s, %(reconciliation)s, %(side)s, identity, told, %(account)s, %(currency)s, minor, booked_on, value_on, memo,
    counterparty, counterparty_account, reference, bank_reference, code, reverses, %(now)s
  from r on conflict (id) do nothing returning 1)
select count(*) from added

-- name: add_tellings
insert into recon_telling (entry, told, tenant, booked_on, value_on, memo, counterparty, counterparty_account, reference,
  bank_reference, code, reverses)
select r.id, r.told, %(tenant)s, r.booked_on, r.value_on, r.memo, r.counterparty, r.counterparty_account, r.reference,
  r.bank_reference, r.code, r.reverses
from json_to_recordset(%(rows)s::json) as r (line int, id uuid, identity uuid, told uuid, minor bigint, booked_on date,
    value_on date, memo text, counterparty text, counterparty_account text, reference text, bank_reference text, code text,
    reverses boolean)
join recon_entry e on e.id = r.id
where e.told <> r.told
order by r.id
on conflict do nothing

-- name: add_statements
insert into recon_statement (id, tenant, file, reconciliation, side, source, format, account, currency, number, made_at, precedence,
  content, first_day, last_day, begins, ends, opening_minor, closing_minor, stated, entries, broken, credit_sum, debit_sum,
  state, findings, why, received_at, changed_at)
select id, tenant, file, reconciliation, side, source, format, account, currency, number, made_at, precedence, content, first_day,
  last_day, begins, ends, opening_minor, closing_minor, decode(stated, 'base64'), entries, broken, credit_minor, debit_minor, state,
  decode(findings, 'base64'), why, received_at, changed_at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, file uuid, reconciliation text, side text, source text,
  format text, account text, currency text, number text, made_at timestamptz, precedence timestamptz, content uuid,
  first_day date, last_day date, begins date, ends date, opening_minor bigint, closing_minor bigint, stated text, entries int, broken int,
  credit_minor numeric, debit_minor numeric, state recon_statement_state, findings text, why text, received_at timestamptz,
  changed_at timestamptz)

-- name: find_conflicts
-- Statements of the same number over the same days that say something else, where neither is the later one, and neither goes
-- on where the other ends. One that is held counts for nothing yet.
select id, made_at, precedence, received_at from recon_statement
where reconciliation = %(reconciliation)s and side = %(side)s and account = %(account)s and currency = %(currency)s
  and number = %(number)s and number <> '' and state in ('in_force', 'corrected') and content <> %(content)s::uuid and id <> %(id)s::uuid
  and not exists (select from recon_statement k where k.reconciliation = %(reconciliation)s and k.side = %(side)s
    and k.account = %(account)s and k.currency = %(currency)s and k.number = %(number)s and k.state <> 'recalled'
    and k.content = %(content)s::uuid and k.id <> %(id)s::uuid)
  and coalesce(coalesce(first_day, begins) <= %(last_day)s::date, true)
  and coalesce(coalesce(last_day, ends) >= %(first_day)s::date, true)
  and not coalesce(opening_minor = %(closing)s::bigint and opening_minor <> %(opening)s::bigint
    and begins >= %(begins)s::date and ends >= %(ends)s::date, false)
  and not coalesce(closing_minor = %(opening)s::bigint and opening_minor <> %(opening)s::bigint
    and begins <= %(begins)s::date and ends <= %(ends)s::date, false)
  and (precedence is null or %(precedence)s::timestamptz is null or precedence = %(precedence)s::timestamptz)
order by received_at desc, id

-- name: find_rivals
-- As find_conflicts, for statements that are stored already.
select o.id, o.made_at, o.precedence, o.received_at
from recon_statement s
join recon_statement o using (tenant, reconciliation, side, account, currency, number)
where s.id = any(%(ids)s) and s.number <> '' and s.state <> 'recalled' and o.state in ('in_force', 'corrected') and o.id <> s.id
  and o.content <> s.content
  and not exists (select from recon_statement k where k.tenant = s.tenant and k.reconciliation = s.reconciliation
    and k.side = s.side and k.account = s.account and k.currency = s.currency and k.number = s.number
    and k.state in ('in_force', 'corrected') and k.content = s.content and k.id <> s.id)
  and coalesce(coalesce(o.first_day, o.begins) <= coalesce(s.last_day, s.ends), true)
  and coalesce(coalesce(o.last_day, o.ends) >= coalesce(s.first_day, s.begins), true)
  and not coalesce(o.opening_minor = s.closing_minor and o.opening_minor <> s.opening_minor
    and o.begins >= s.begins and o.ends >= s.ends, false)
  and not coalesce(s.opening_minor = o.closing_minor and o.opening_minor <> s.opening_minor
    and s.begins >= o.begins and s.ends >= o.ends, false)
  and (o.precedence is null or s.precedence is null or o.precedence = s.precedence)
order by o.received_at desc, o.id

-- name: settle_statements
-- Which statements of the numbers that these have are in force: those that no later one corrects. A function of the rows.
with wanted as (
  select distinct tenant, reconciliation, side, account, currency, number from recon_statement where id = any(%(ids)s)),
stand as (
  select s.* from recon_statement s join wanted using (tenant, reconciliation, side, account, currency, number)
  where s.state in ('in_force', 'corrected')),
judged as (
  select s.id, s.corrected_by as before,
    (select o.id from stand o
     where s.number <> '' and o.side = s.side and o.account = s.account and o.currency = s.currency and o.number = s.number
       and o.id <> s.id and o.precedence > coalesce(s.precedence, '-infinity')
       and coalesce(coalesce(o.first_day, o.begins) <= coalesce(s.last_day, s.ends), true)
       and coalesce(coalesce(o.last_day, o.ends) >= coalesce(s.first_day, s.begins), true)
       -- what goes on where the other ends corrects nothing, though its bank calls both by one number
       and not coalesce(o.opening_minor = s.closing_minor and o.opening_minor <> s.opening_minor
         and o.begins >= s.begins and o.ends >= s.ends, false)
       and not coalesce(s.opening_minor = o.closing_minor and o.opening_minor <> s.opening_minor
         and s.begins >= o.begins and s.ends >= o.ends, false)
     order by o.precedence desc, o.id desc limit 1) as now
  from stand s)
update recon_statement s
set corrected_by = j.now, state = (case when j.now is null then 'in_force' else 'corrected' end)::recon_statement_state, changed_at = %(now)s,
  why = case when j.now is null then '' else 'a later statement of this number is in force' end
from judged j
where s.id = j.id and j.now is distinct from j.before
returning s.id, s.state, s.corrected_by

-- name: change_statements
update recon_statement s set state = r.state, why = r.why, changed_at = r.changed_at, corrected_by = null
from json_to_recordset(%(rows)s::json) as r (id uuid, state recon_statement_state, why text, changed_at timestamptz)
where s.id = r.id

-- name: mend_statements
update recon_statement s set entries = r.entries, broken = r.broken, credit_sum = r.credit_minor, debit_sum = r.debit_minor,
  findings = decode(r.findings, 'base64'), begins = r.begins, ends = r.ends,
  changed_at = r.changed_at
from json_to_recordset(%(rows)s::json) as r (id uuid, entries int, broken int, credit_minor numeric, debit_minor numeric,
  findings text, begins date, ends date, changed_at timestamptz)
where s.id = r.id

-- name: list_linkable
-- The statements in force with both balances that cover a day of these.
with days as (
  select distinct tenant, reconciliation, side, account, currency, begins, ends from recon_statement where id = any(%(ids)s))
select distinct s.id, s.account, s.currency, s.number, s.content, s.begins, s.ends, s.opening_minor, s.closing_minor
from days d join recon_statement s using (tenant, reconciliation, side, account, currency)
where s.state = 'in_force' and s.opening_minor is not null and s.closing_minor is not null
  and s.begins <= d.ends and s.ends >= d.begins

-- name: list_stating
-- How often linked statements state entries that nothing tells apart, on days that they share.
select l.statement, l.base, e.minor, e.booked_on, count(*)::int as times
from json_to_recordset(%(rows)s::json) as r (statement uuid, first date, last date)
join recon_line l on l.statement = r.statement
join recon_entry e on e.id = l.base
where e.booked_on between r.first and r.last
group by 1, 2, 3, 4

-- name: list_moving
-- Lines whose entry is another one of its equals now, with the identity of the first of these.
select l.statement, l.line, l.base, l.turn, w.shift, b.identity, b.reconciliation
from json_to_recordset(%(rows)s::json) as w (statement uuid, base uuid, shift int)
join recon_line l on l.statement = w.statement and l.base = w.base and l.shift <> w.shift
join recon_entry b on b.id = l.base
union all
select l.statement, l.line, l.base, l.turn, 0, b.identity, b.reconciliation
from recon_line l join recon_entry b on b.id = l.base
where l.statement = any(%(linkable)s) and l.shift <> 0
  and exists (select from recon_statement t where t.id = any(%(ids)s) and b.booked_on between t.begins and t.ends)
  and not exists (select from json_to_recordset(%(rows)s::json) as w (statement uuid, base uuid, shift int)
    where w.statement = l.statement and w.base = l.base)

-- name: move_lines
-- Each such line states that entry from now on, in the words that it had.
with r as (
  select * from json_to_recordset(%(rows)s::json) as r (statement uuid, line int, shift int, entry uuid, identity uuid)),
moving as (
  select r.entry as goal, r.identity as own, l.told as said, e.id, e.tenant, e.reconciliation, e.side, e.account, e.currency,
    e.minor, e.received_at, coalesce(t.booked_on, e.booked_on) as booked_on, coalesce(t.value_on, e.value_on) as value_on,
    coalesce(t.memo, e.memo) as memo, coalesce(t.counterparty, e.counterparty) as counterparty,
    coalesce(t.counterparty_account, e.counterparty_account) as counterparty_account,
    coalesce(t.reference, e.reference) as reference, coalesce(t.bank_reference, e.bank_reference) as bank_reference,
    coalesce(t.code, e.code) as code, coalesce(t.reverses, e.reverses) as reverses
  from r join recon_line l on l.statement = r.statement and l.line = r.line
  join recon_entry e on e.id = l.entry
  left join recon_telling t on t.entry = l.entry and t.told = l.told and e.told <> l.told),
added as (
  insert into recon_entry (id, tenant, reconciliation, side, identity, told, account, currency, minor, booked_on, value_on, memo,
    counterparty, counterparty_account, reference, bank_reference, code, reverses, received_at)
  select distinct on (goal) goal, tenant, reconciliation, side, own, said, account, currency, minor, booked_on, value_on, memo,
    counterparty, counterparty_account, reference, bank_reference, code, reverses, received_at
  from moving order by goal, said on conflict (id) do nothing),
telling as (
  insert into recon_telling (entry, told, tenant, booked_on, value_on, memo, counterparty, counterparty_account, reference,
    bank_reference, code, reverses)
  select goal, said, tenant, booked_on, value_on, memo, counterparty, counterparty_account, reference, bank_reference, code,
    reverses
  from moving where bank_reference <> '' on conflict do nothing)
update recon_line l set entry = r.entry, shift = r.shift from r where l.statement = r.statement and l.line = r.line

-- name: keep_told
-- Before an entry takes other words, those that it has are kept. Only entries that are told in several ways are looked at.
with wanted as (
  select distinct t.entry from recon_telling t join recon_line l on l.entry = t.entry where l.statement = any(%(ids)s))
insert into recon_telling (entry, told, tenant, booked_on, value_on, memo, counterparty, counterparty_account, reference,
  bank_reference, code, reverses)
select e.id, e.told, e.tenant, e.booked_on, e.value_on, e.memo, e.counterparty, e.counterparty_account, e.reference,
  e.bank_reference, e.code, e.reverses
from wanted w join recon_entry e on e.id = w.entry
on conflict do nothing

-- name: settle_tellings
-- Each of them bears the words of the statement in force that was made last; of equals the greater digest's, never the
-- later arrival's.
with wanted as (
  select distinct t.entry from recon_telling t join recon_line l on l.entry = t.entry where l.statement = any(%(ids)s)),
best as (
  select distinct on (w.entry) w.entry, l.told
  from wanted w
  join recon_line l on l.entry = w.entry
  join recon_statement s on s.id = l.statement and s.state = 'in_force'
  order by w.entry, s.made_at desc nulls last, l.told desc)
update recon_entry e
set told = t.told, booked_on = t.booked_on, value_on = t.value_on, memo = t.memo, counterparty = t.counterparty,
  counterparty_account = t.counterparty_account, reference = t.reference, bank_reference = t.bank_reference, code = t.code,
  reverses = t.reverses
from best b join recon_telling t on t.entry = b.entry and t.told = b.told
where e.id = b.entry and e.told <> b.told

-- name: lock_statement
select id, file, reconciliation, side, source, format, account, currency, number, made_at, precedence, content, first_day, last_day,
  opening_minor, closing_minor, stated, entries, broken, credit_sum as credit_minor, debit_sum as debit_minor, state, corrected_by,
  findings, why,
  received_at, changed_at
from recon_statement where id = %(id)s for no key update

-- name: list_statements
select id, file, reconciliation, side, source, format, account, currency, number, made_at, precedence, content, first_day, last_day,
  opening_minor, closing_minor, stated, entries, broken, credit_sum as credit_minor, debit_sum as debit_minor, state, corrected_by,
  findings, why,
  received_at, changed_at
from recon_statement
where (%(id)s::uuid is null or id = %(id)s::uuid) and (%(reconciliation)s::text is null or reconciliation = %(reconciliation)s::text)
  and (%(state)s::text is null or state::text = %(state)s::text) and (%(file)s::uuid is null or file = %(file)s::uuid)
order by reconciliation, side, account, currency, coalesce(first_day, last_day) nulls first, number, received_at, id
limit %(most)s

-- name: list_files
select id, source, name, state, why, statements, entries, broken, received_at
from recon_file where reconciliation = %(reconciliation)s and (%(state)s::text is null or state::text = %(state)s::text)
order by received_at desc, id limit %(most)s

-- name: list_entries
select e.id, e.side, e.account, e.currency, e.minor, e.booked_on, e.value_on, e.memo, e.counterparty, e.reference, e.bank_reference,
  exists (select from recon_line l join recon_statement s on s.id = l.statement and s.state = 'in_force' where l.entry = e.id)
    as in_force
from recon_entry e
where e.reconciliation = %(reconciliation)s and (%(side)s::text is null or e.side = %(side)s::text)
  and (%(statement)s::uuid is null or exists (select from recon_line l where l.entry = e.id and l.statement = %(statement)s::uuid))
  and (%(after)s::uuid is null or e.id > %(after)s::uuid)
order by e.id limit %(most)s

-- name: sums_in_force
-- What the entries make that statements in force with both balances state.
with counting as materialized (
  select distinct l.entry from recon_statement s join recon_line l on l.statement = s.id
  where s.reconciliation = %(reconciliation)s and s.state = 'in_force' and s.opening_minor is not null
    and s.closing_minor is not null)
select e.side, e.account, e.currency, sum(e.minor) as minor
from counting c join recon_entry e on e.id = c.entry group by 1, 2, 3

-- name: entries_in_force
-- Read as a table of columns, in copy (...) to stdout: no row of it becomes an object.
-- From statements to lines to entries, whatever the planner knows: right after a large file it knows nothing, and looking for
-- each entry among all lines of a statement takes the square of their number.
with counting as materialized (
  select distinct l.entry from recon_statement s join recon_line l on l.statement = s.id
  where s.reconciliation = %(reconciliation)s and s.side = %(side)s and s.state = 'in_force')
select e.id, e.identity, e.account, e.currency, e.minor, e.booked_on, e.value_on, e.memo, e.counterparty, e.counterparty_account,
  e.reference, e.bank_reference, e.code, e.reverses
from counting c join recon_entry e on e.id = c.entry

-- name: entries_of_statement
-- As entries_in_force, with the words in which this statement tells them.
select l.line, '' as "where", e.minor, coalesce(t.booked_on, e.booked_on) as booked_on, coalesce(t.value_on, e.value_on) as value_on,
  coalesce(t.memo, e.memo) as memo, coalesce(t.counterparty, e.counterparty) as counterparty,
  coalesce(t.counterparty_account, e.counterparty_account) as counterparty_account, coalesce(t.reference, e.reference) as reference,
  coalesce(t.bank_reference, e.bank_reference) as bank_reference, coalesce(t.code, e.code) as code,
  coalesce(t.reverses, e.reverses) as reverses
from recon_line l
join recon_entry e on e.id = l.entry
left join recon_telling t on t.entry = l.entry and t.told = l.told and e.told <> l.told
where l.statement = %(statement)s

-- name: horizons
-- The last day that each account is known up to.
select s.side, s.account, s.currency, max(greatest(s.last_day, b.booked_on)) as until
from recon_statement s
left join lateral (
  select max(e.booked_on) as booked_on from recon_line l join recon_entry e on e.id = l.entry
  where s.last_day is null and l.statement = s.id) b on true
where s.reconciliation = %(reconciliation)s and s.state = 'in_force' and coalesce(s.last_day, b.booked_on) is not null
group by 1, 2, 3 order by 1, 2, 3

-- name: add_broken
insert into recon_broken (statement, line, tenant, quarantine, data)
select statement, line, tenant, quarantine, data
from json_to_recordset(%(rows)s::json) as r (statement uuid, line int, tenant uuid, quarantine uuid, data uuid)

-- name: find_known_broken
-- What came broken just so in other statements of the account, with where it stands in the latest of them.
select distinct on (b.data, b.quarantine) b.data, b.quarantine, q.state = 'released' as mended, b.statement, b.line
from recon_statement o
join recon_statement s using (tenant, reconciliation, side, account, currency)
join recon_broken b on b.statement = s.id and b.data = any(%(data)s::uuid[])
join quarantine q on q.id = b.quarantine
where o.id = %(statement)s and s.id <> o.id and s.state <> 'recalled'
order by b.data, b.quarantine, s.received_at desc, b.statement

-- name: find_broken
select b.statement, b.line, s.reconciliation from recon_broken b join recon_statement s on s.id = b.statement
where b.quarantine = %(quarantine)s
order by s.state = 'recalled', s.received_at, s.id

-- name: still_broken
-- What of a statement is broken still: held in quarantine, or given up.
select b.line, q.data from recon_broken b join quarantine q on q.id = b.quarantine
where b.statement = %(statement)s and q.state <> 'released'
order by b.line

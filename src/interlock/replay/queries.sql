-- name: published_content
-- A published version by the bytes that it must be; whoever published it, it never changes.
select content from publication where kind = %(kind)s and name = %(name)s and version = %(version)s and digest = %(digest)s

-- name: in_force_at
-- What counted for some references at a moment: of a line the last change before it, of a whole version that version.
select w.kind, w.name, w.version as wanted, p.version, p.digest, p.content
from unnest(%(kinds)s::text[], %(names)s::text[], %(versions)s::text[]) as w (kind, name, version)
cross join lateral (
  select p.version, p.digest, p.content from in_force f join publication p on p.id = f.publication
  where strpos(w.version, '.') = 0 and f.kind = w.kind and f.name = w.name and f.line = w.version and f.since <= %(moment)s
  order by f.change desc limit 1
) p
union all
select w.kind, w.name, w.version, p.version, p.digest, p.content
from unnest(%(kinds)s::text[], %(names)s::text[], %(versions)s::text[]) as w (kind, name, version)
join publication p on p.kind = w.kind and p.name = w.name and p.version = w.version
where strpos(w.version, '.') > 0 and p.at <= %(moment)s

-- name: sampled_decisions
-- Every decision of the time but known cases, whose proposals are made up, has the same chance: those whose hash with the seed comes first. The server keeps only as many
-- as are wanted.
select id from decision
where id >= %(since)s and id < %(until)s and (%(workflow)s::text is null or workflow = %(workflow)s)
  and (%(point)s::text is null or point = %(point)s) and (review is null or review not in (select id from known_case))
order by hashtextextended(id::text, %(seed)s), id limit %(most)s

-- name: next_decisions
-- A page of all of them, in their order.
select id from decision
where id > %(after)s and id >= %(since)s and id < %(until)s and (%(workflow)s::text is null or workflow = %(workflow)s)
  and (%(point)s::text is null or point = %(point)s) and (review is null or review not in (select id from known_case))
order by id limit %(most)s

-- name: taken_entries
-- What the ledger says of a decision's taking; a person's own answer has an entry under another id than its decision.
select body from ledger_entry where subject = %(id)s and kind = 'decision.taken'

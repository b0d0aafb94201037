-- name: add_publications
insert into publication (id, tenant, kind, name, version, line, digest, content, author, why, at)
select id, tenant, kind, name, version, line, decode(digest, 'base64'), decode(content, 'base64'), author, why, at
from json_to_recordset(%(rows)s::json) as r (id uuid, tenant uuid, kind text, name text, version text, line text,
  digest text, content text, author text, why text, at timestamptz)

-- name: add_in_force
-- The next change of a line; its number is taken once, so that of two at once one wins.
insert into in_force (tenant, kind, name, line, change, publication, since, author, why)
select tenant, kind, name, line, change, publication, since, author, why
from json_to_recordset(%(rows)s::json) as r (tenant uuid, kind text, name text, line text, change int, publication uuid,
  since timestamptz, author text, why text)

-- name: list_published
-- Every version, and whether it counts: by kind, name and the order of publishing.
select p.id, p.kind, p.name, p.version, p.line, p.digest, p.author, p.why, p.at,
       last.publication = p.id as in_force, case when last.publication = p.id then last.since end as since,
       case when last.publication = p.id then last.author end as by
from publication p
cross join lateral (
  select f.publication, f.since, f.author from in_force f
  where f.tenant = p.tenant and f.kind = p.kind and f.name = p.name and f.line = p.line
  order by f.change desc limit 1
) last
where p.kind = %(kind)s and (%(name)s::text is null or p.name = %(name)s)
order by p.kind, p.name, p.id

-- name: find_content
select content from publication where id = %(id)s

-- name: last_change
-- How often what counts for a line has changed, and what counts now.
select change, publication from in_force
where kind = %(kind)s and name = %(name)s and line = %(line)s order by change desc limit 1

-- name: list_counted
-- The versions that counted for a line, one after the other; one that came back is there again.
select p.version from in_force f join publication p on p.id = f.publication
where f.kind = %(kind)s and f.name = %(name)s and f.line = %(line)s order by f.change

-- name: count_changes
select count_changes_in_force()

-- name: find_in_force
select tenant, kind, name, wanted, publication, version, digest
from find_in_force(%(kinds)s, %(names)s, %(versions)s)

-- name: known_artifacts
-- Which of some are kept already.
select digest from artifact where digest = any(%(digests)s)

-- name: add_artifact
-- Two processes that bring the same one at once both succeed: its bytes are its name.
insert into artifact (digest, tenant, kind, name, content)
values (%(digest)s, %(tenant)s, %(kind)s, %(name)s, %(content)s)
on conflict (digest) do nothing

-- name: find_artifact
select content from artifact where digest = %(digest)s

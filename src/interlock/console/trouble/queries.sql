-- name: arrivals
-- When exceptions of these causes were opened, resolved ones too, in steps of a length, counted from a moment.
select fingerprint, floor(extract(epoch from created_at - %(since)s::timestamptz) / %(step)s)::int as place, count(*) as arrived
from exception
where id >= %(first)s and fingerprint = any(%(fingerprints)s::uuid[]) and created_at >= %(since)s
group by 1, 2

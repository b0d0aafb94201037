"""Fills a database with small decisions and the rows by which they are found, made by the server itself.

Ids go with time over this month, so that all lie in one partition: the deepest indexes that so many decisions can have.
Values are skewed as they are in life: one vendor in five decisions, fifty thousand others in the rest; one decision in
ten thousand by a version that was tried for a while. The indexes stay while the rows are written.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import psycopg

from interlock.search.entry import SearchField
from interlock.search.term import key_of, kind_of

POINTS = ("shop.approve", "shop.refund")
BATCH = 250_000
DAY_US = 86_400_000_000


def fields_of_point(point: str) -> tuple[SearchField, ...]:
    """The fields by which these decisions are found."""
    given = (("vendor", "string", False), ("total", "decimal", False), ("issued", "date", False))
    found: list[SearchField] = []
    for name, shape, personal in (*given, ("buyer", "string", True)):
        kind = kind_of(shape, personal=personal)
        found.append(SearchField(name, (name,), shape, kind, key_of(point, name, kind)))
    return tuple(found)


_MADE = """
create temp table made on commit drop as
select n, x.at, (lpad(to_hex((extract(epoch from x.at) * 1000)::bigint), 12, '0') || '7'
    || substr(md5(%(tenant)s::text || n), 14))::uuid as id,
  case when n %% 10 < 8 then 0 else 1 end as point,
  case when h.a %% 5 = 0 then 0 else h.a %% 50000 end as vendor,
  case when h.b %% 7 = 0 then 1000 else exp((h.b %% 100000) / 100000.0 * 13)::bigint end as total,
  (h.c %% 1000)::int as sureness, n / 30 %% 100000 as issued, h.c
from generate_series(%(since)s::bigint, %(until)s::bigint) n
cross join lateral (
  select date_trunc('month', now(), 'UTC')
    + (now() - interval '1 minute' - date_trunc('month', now(), 'UTC')) * (n::float8 / %(total)s) as at
) x
cross join lateral (
  select hashint8extended(n, 1) & 2147483647 as a, hashint8extended(n, 2) & 2147483647 as b,
    hashint8extended(n, 3) & 2147483647 as c
) h
"""
_DECISIONS = """
insert into decision (id, tenant, workflow, point, key, input, input_hash, input_contract, component, propensity,
  attempts, confidence, exposure_minor, currency, findings, verdicts, reasons, route, review, evidence, cost,
  declaration, took_us, decided_at)
select id, %(tenant)s, 'shop', case point when 0 then 'approve' else 'refund' end, 'k' || n, '', '',
  case when n %% 1000 < 990 then 'receipt@1.0.0' else 'receipt@1.1.0' end,
  case when n %% 10000 = 7 then 'rules:approve@3' when c %% 10 = 0 then 'rules:approve@2' else 'rules:approve@1' end,
  1, '', sureness / 1000.0, total, 'MYR', '', '', '', case when n %% 50 = 0 then 'review'::route else 'automatic' end,
  case when n %% 50 = 0 then id end, '', 0, '', '', at
from made order by n
"""
_SEARCHABLE = """
insert into searchable (tenant, id, caller, s1, s2, s3, s4)
select %(tenant)s, m.id, case when n %% 20 = 0 then 'till-' || n %% 400 end,
  k.s1 || convert_to('vendor ' || vendor, 'UTF8'),
  k.s2 || '\\x81' || substr(int4send(1048576 + length(total::text) - 1), 2, 3)
    || convert_to(rtrim(total::text, '0'), 'UTF8'),
  k.s3 || int8send((738000 + issued %% 1000)::bigint * 86400000000),
  case when n %% 10 = 3 then k.s4 || sha256(convert_to('buyer ' || vendor, 'UTF8')) end
from made m join (values {keys}) k (point, s1, s2, s3, s4) on k.point = m.point
order by n
"""
_REVIEWS = """
insert into review (id, tenant, decision_id, workflow, point, queue, state, question, urgency, resolution, resolved_by,
  created_at, resolved_at)
select id, %(tenant)s, id, 'shop', 'approve', 'shop', 'resolved', '', 0, 'approve', 'person-' || n / 50 %% 200, at, at
from made where n %% 50 = 0
"""


def fill(url: str, tenant: UUID, wanted: int, progress: Callable[[int], None]) -> None:
    """Store so many decisions.

    Args:
        url: The database, as its administrator.
        tenant: Whose they are.
        wanted: How many.
        progress: Is told how many there are.
    """
    keys = ", ".join(
        f"({place}, {', '.join(f'''decode('{field.key.hex()}', 'hex')''' for field in fields_of_point(point))})"
        for place, point in enumerate(POINTS)
    )
    statements = (_MADE, _DECISIONS, _SEARCHABLE.replace("{keys}", keys), _REVIEWS)
    with psycopg.connect(url, autocommit=True, options="-c search_path=interlock,pg_catalog -c timezone=UTC") as admin:
        for since in range(0, wanted, BATCH):
            until = min(since + BATCH, wanted) - 1
            given = {"since": since, "until": until, "total": wanted, "tenant": tenant}
            with admin.transaction():
                for statement in statements:
                    admin.execute(statement.encode(), given)
            progress(until + 1)
        for table in ("decision", "searchable", "review"):
            admin.execute(f"vacuum (analyze) {table}".encode())
        admin.execute("checkpoint")


def bytes_each(url: str, stored: int) -> float:
    """What one decision takes with all that it is found by."""
    sized = (
        "select sum(pg_total_relation_size(c.oid))::float8 "
        "from pg_class c left join pg_inherits i on i.inhrelid = c.oid "
        "where c.relkind = 'r' and (c.oid = 'review'::regclass "
        "or i.inhparent = any (array['decision', 'searchable']::regclass[]))"
    )
    with psycopg.connect(url, options="-c search_path=interlock,pg_catalog") as admin:
        (row,) = admin.execute(sized.encode()).fetchall()
    return float(row[0]) / stored

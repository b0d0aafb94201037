"""Fills a database with decisions as they are stored: copies, made by the server, of what a few hundred real ones left.

Each copy is a decision with its ledger entry and its idempotency key; one in ten is also followed by a settled case,
with the journal, the ledger entry and, where a person decided, the review. Ids go with time over the days of this
month, at most thirty, so all lie in one partition: the deepest indexes that this many decisions can have. The indexes
stay while the rows are written, so that their pages are as full as they are in life.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

Admin = psycopg.Connection[tuple[object, ...]]

FOLLOWED_EACH = 10
BATCH = 100_000
TABLES = ("decision", "ledger_entry", "idempotency_key", "cases", "journal", "review")
PARTS = """
select c.oid::regclass::text from pg_class c
where c.relkind = 'r' and (c.oid = %(name)s::regclass
  or exists (select from pg_inherits i where i.inhrelid = c.oid and i.inhparent = %(name)s::regclass))
"""
TAKEN = """
select sum(reltuples)::float8, sum(pg_table_size(oid))::int8, sum(pg_indexes_size(oid))::int8
from pg_class where oid = any(%s::regclass[])
"""
BEGINS = "greatest(date_trunc('month', now(), 'UTC'), now() - interval '30 days')"
FUNCTION = """
create function pg_temp.id_of(moment timestamptz, what text) returns uuid language sql as $$
  select (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || '7' || substr(md5(what), 14))::uuid
$$;
"""
ORIGINALS = """
create temp table numbers as
select count(*) filter (where route <> 'review') as unseen, count(*) as every from decision;
create temp table template as
select id, case_id, review, route <> 'review' as unseen,
  row_number() over (partition by route = 'review' order by id) - 1 as place,
  row_number() over (order by id) - 1 as any_place
from decision;
create unique index on template (place) where unseen;
create unique index on template (any_place);
create temp table original_decision as select * from decision;
create temp table original_ledger_entry as
select distinct on (d.id, l.kind) l.*, d.id as decision
from ledger_entry l join decision d on l.id = d.id or l.case_id = d.case_id
order by d.id, l.kind, l.id = d.id desc;
create temp table original_idempotency_key as
select k.* from idempotency_key k join decision d on k.holder = d.id;
create temp table original_cases as select * from cases;
create temp table original_journal as select * from journal;
create temp table original_review as select * from review;
create index on original_decision (id);
create index on original_ledger_entry (decision);
create index on original_idempotency_key (holder);
create index on original_cases (id);
create index on original_journal (case_id);
create index on original_review (id);
analyze
"""
PLACED = """
create temp table placed as
select g, t.id as original, t.case_id as original_case, t.review as original_review,
  g %% {each} = 0 as followed, x.at, pg_temp.id_of(x.at, 'd' || g) as id, pg_temp.id_of(x.at, 'c' || g) as case_id,
  pg_temp.id_of(x.at, 'r' || g) as review, pg_temp.id_of(x.at, 'e' || g) as entry
from numbers n
cross join generate_series(%(since)s::bigint, %(until)s::bigint) as g
cross join lateral (select {begins} + (now() - {begins}) * (g::float8 / %(total)s) as at) x
join template t on t.any_place = g / {each} %% n.every
where g %% {each} = 0
union all
select g, t.id, null, null, false, x.at, pg_temp.id_of(x.at, 'd' || g), null, null, null
from numbers n
cross join generate_series(%(since)s::bigint, %(until)s::bigint) as g
cross join lateral (select {begins} + (now() - {begins}) * (g::float8 / %(total)s) as at) x
join template t on t.unseen and t.place = g %% n.unseen
where g %% {each} <> 0
order by 1
"""
COPIES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "decision": (
        "join original_decision t on t.id = p.original",
        {
            "id": "p.id", "key": "'f' || p.g", "decided_at": "p.at", "valid_until": "p.at + interval '24 hours'",
            "case_id": "case when p.followed and t.case_id is not null then p.case_id end",
            "review": "case when t.review is not null then p.review end",
        },
    ),
    "ledger_entry": (
        "join original_ledger_entry t on t.decision = p.original and (p.followed or t.id = p.original)",
        {
            "id": "case t.kind when 'decision.taken' then p.id when 'case.received' then p.entry "
                  "else pg_temp.id_of(p.at, t.id::text || p.g) end",
            "subject": "case t.kind when 'decision.taken' then p.id when 'case.received' then p.case_id "
                       "else p.review end",
            "case_id": "case when p.followed and t.case_id is not null then p.case_id end",
            "at": "p.at", "xid": "pg_current_xact_id()",
        },
    ),
    "idempotency_key": (
        "join original_idempotency_key t on t.holder = p.original order by md5('f' || p.g)",
        {"digest": "md5('f' || p.g)::uuid", "holder": "p.id"},
    ),
    "cases": (
        "join original_cases t on p.followed and t.id = p.original_case",
        {
            "id": "p.case_id", "key": "'approve/f' || p.g", "state": "'done'", "conclusion": "'done'",
            "waiting_for": "null", "wake_at": "null", "worker": "null", "created_at": "p.at", "changed_at": "p.at",
        },
    ),
    "journal": (
        "join original_journal t on p.followed and t.case_id = p.original_case",
        {
            "case_id": "p.case_id", "ref": "p.id", "state": "'done'", "started_at": "p.at", "finished_at": "p.at",
            "result": "coalesce(t.result, convert_to(repeat('x', 200), 'UTF8'))",
        },
    ),
    "review": (
        "join original_review t on p.followed and t.id = p.original_review",
        {
            "id": "p.review", "case_id": "p.case_id", "decision_id": "p.id", "state": "'resolved'",
            "resolution": "'approve'", "resolved_by": "'ana@example.com'", "created_at": "p.at", "resolved_at": "p.at",
            "held_verdict": "null", "effective_at": "p.at", "claimed_by": "null", "claimed_at": "null",
            "claimed_until": "null", "needed": "1", "decided_by": "array['ana@example.com']", "disagreed": "false",
        },
    ),
}  # fmt: skip
"""For each table, how the rows of an original are found, and what a copy has of its own."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a table takes.

    Attributes:
        rows: As of the last ANALYZE.
        table: Bytes without the indexes.
        indexes: Bytes of these.
    """

    rows: float
    table: int
    indexes: int


def fill(url: str, wanted: int) -> None:
    """Store copies of the decisions that are there until there are so many.

    Args:
        url: The database, as its administrator; a few hundred real decisions have been taken in it.
        wanted: How many decisions shall be stored.
    """
    with psycopg.connect(url, autocommit=True, options="-c search_path=interlock,pg_catalog") as admin:
        admin.execute(FUNCTION.encode())
        for setting in ("work_mem = '64MB'", "enable_hashjoin = off", "enable_mergejoin = off", "jit = off"):
            admin.execute(f"set {setting}".encode())  # nested loops keep the order of time without sorting wide rows
        for statement in ORIGINALS.split(";\n"):
            admin.execute(statement.encode())
        _keep_vacuum_away(admin)
        admin.execute(
            f"truncate {', '.join(TABLES)}".encode()
        )  # what is added later shall come after all that is there
        with _writing_once(admin):
            for since in range(0, wanted, BATCH):
                _copy(admin, since, min(since + BATCH, wanted) - 1, wanted)
        for table in TABLES:
            admin.execute(sql.SQL("vacuum (analyze) {}").format(sql.Identifier(table)))
        admin.execute("checkpoint")


def sizes(url: str) -> dict[str, Size]:
    """What each table of the decision path takes, with its partitions."""
    found: dict[str, Size] = {}
    with psycopg.connect(url, options="-c search_path=interlock,pg_catalog") as admin:
        for table in TABLES:
            parts = admin.execute(PARTS, {"name": table}).fetchall()
            (row,) = admin.execute(TAKEN, ([name for (name,) in parts],)).fetchall()
            found[table] = Size(*row)
    return found


def _copy(admin: Admin, since: int, until: int, total: int) -> None:
    with admin.transaction():
        placed = sql.SQL(PLACED).format(each=sql.Literal(FOLLOWED_EACH), begins=sql.SQL(BEGINS))
        admin.execute("drop table if exists placed")
        admin.execute(placed.as_string(admin).encode(), {"since": since, "until": until, "total": total})
        admin.execute("analyze placed")
        for table, (joined, own) in COPIES.items():
            columns = [str(name) for (name,) in admin.execute(
                "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped "
                "order by attnum", (table,)
            )]  # fmt: skip
            values = ", ".join(own.get(name, f"t.{name}") for name in columns)
            admin.execute(f"insert into {table} ({', '.join(columns)}) select {values} from placed p {joined}".encode())


@contextmanager
def _writing_once(admin: Admin) -> Generator[None]:
    """A crash would cost no more than filling again: few pages are written while they still change.

    Of 200,000 decisions the log takes 3 % less so, and the tables' files 4 %, than with a checkpoint after each part
    and whole pages in the log; by the clock the two could not be told apart on a machine that others used.
    """
    own = {"full_page_writes": "off", "max_wal_size": "'4GB'", "checkpoint_timeout": "'1h'"}
    for name, value in own.items():
        admin.execute(f"alter system set {name} = {value}".encode())
    admin.execute("select pg_reload_conf()")
    try:
        yield
    finally:
        for name in own:
            admin.execute(f"alter system reset {name}".encode())
        admin.execute("select pg_reload_conf()")
        admin.execute("checkpoint")


def _keep_vacuum_away(admin: Admin) -> None:
    """It would run in the middle of one measurement or another; what it costs a decision does not grow."""
    for table in TABLES:
        for (part,) in admin.execute(PARTS, {"name": table}).fetchall():
            admin.execute(f"alter table {part} set (autovacuum_enabled = off)".encode())

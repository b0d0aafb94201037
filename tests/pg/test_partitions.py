"""Partitions by month of the id: the right one, enough of them, and none made at the price of a stalled writer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from interlock.clock import first_id
from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import WorkFailed
from interlock.ledger.ledger import first_entry

Admin = psycopg.Connection[tuple[Any, ...]]
PARENTS = ("decision", "journal", "ledger_entry", "searchable")


@pytest.fixture
async def writer(database_url: str, database: Database, notifier: Notifier) -> AsyncIterator[Writer]:
    async with Writer(database_url, database.clock, [], notifier) as writer:
        yield writer


def month(ahead: int) -> datetime:
    """The first moment of a month from now."""
    now = datetime.now(UTC)
    years, index = divmod(now.month - 1 + ahead, 12)
    return datetime(now.year + years, index + 1, 1, tzinfo=UTC)


def entry_at(tenant: UUID, identifier: UUID) -> Unit:
    """A unit whose second entry has an id of our choice."""

    def build(stamp: Stamp) -> list[Write]:
        chosen = Stamp(stamp.now, identifier, stamp.clock)
        return [first_entry(which, tenant, "test.done", subject=stamp.entry) for which in (stamp, chosen)]

    return Unit(tenant, build)


def drop_last(admin: Admin) -> int:
    """Take away the last month of every table."""
    for parent in PARENTS:
        admin.execute(sql.SQL("drop table {}").format(sql.Identifier(f"{parent}_{month(3):%Y_%m}")))
    return len(PARENTS)


def shape(admin: Admin, table: str) -> list[tuple[Any, ...]]:
    """Row security, owner, columns, constraints and indexes of a table, without its name."""
    name = (table,)
    return [
        *admin.execute("select relrowsecurity, relforcerowsecurity, relowner from pg_class where relname = %s", name),
        *admin.execute(
            "select attname, atttypid, attnotnull, pg_get_expr(adbin, adrelid) from pg_attribute a "
            "left join pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum) "
            "where attrelid = %s::regclass and attnum > 0 order by attname",
            name,
        ),
        *admin.execute(
            "select contype::text, pg_get_constraintdef(oid) from pg_constraint "
            "where conrelid = %s::regclass order by 2",
            name,
        ),
        *admin.execute(
            "select regexp_replace(indexdef, '^.* USING', '') from pg_indexes where tablename = %s order by 1", name
        ),
    ]


async def test_a_row_lands_in_the_month_of_its_id(writer: Writer, tenant: UUID, admin: Admin) -> None:
    last = UUID(int=first_id(month(2)).int - 1)
    for identifier in (first_id(month(1)), last, first_id(month(2))):
        assert await writer.write(entry_at(tenant, identifier)) is None
    found = dict(
        admin.execute(
            "select id, tableoid::regclass::text from ledger_entry where tenant <> installation_tenant()"
        ).fetchall()
    )
    assert found[first_id(month(1))] == found[last] == f"ledger_entry_{month(1):%Y_%m}"
    assert found[first_id(month(2))] == f"ledger_entry_{month(2):%Y_%m}"


async def test_an_id_of_a_month_without_room_fails_alone_and_clearly(
    writer: Writer, tenant: UUID, admin: Admin
) -> None:
    units = [entry_at(tenant, first_id(month(ahead))) for ahead in (1, 40, 2)]
    answers = await asyncio.gather(*(writer.write(unit) for unit in units), return_exceptions=True)
    assert answers[0] is answers[2] is None
    assert isinstance(answers[1], WorkFailed)
    assert 'no partition of relation "ledger_entry"' in answers[1].what
    assert admin.execute("select count(*) from ledger_entry where tenant <> installation_tenant()").fetchall() == [(4,)]


async def test_three_months_ahead_there_is_room_and_less_is_told(database: Database, admin: Admin) -> None:
    assert await database.partitions_ahead() == 3
    admin.execute(sql.SQL("drop table {}").format(sql.Identifier(f"journal_{month(3):%Y_%m}")))
    assert await database.partitions_ahead() == 2  # the least of the three tables
    assert await database.ensure_partitions() == 1
    assert await database.partitions_ahead() == 3


def test_there_is_no_default_partition(admin: Admin) -> None:
    found = admin.execute("select partrelid::regclass::text, partdefid from pg_partitioned_table").fetchall()
    assert {table for table, _ in found} == {*PARENTS, "idempotency_key"}
    assert {default for _, default in found} == {0}


async def test_a_new_partition_is_like_its_neighbour(database: Database, admin: Admin) -> None:
    drop_last(admin)
    assert await database.ensure_partitions() == len(PARENTS)
    for parent in PARENTS:
        new, old = f"{parent}_{month(3):%Y_%m}", f"{parent}_{month(1):%Y_%m}"
        assert shape(admin, new) == shape(admin, old)
        assert shape(admin, new)[0][:2] == (True, True)
        assert len([row for row in shape(admin, new) if row[0] == "p"]) == 1


async def test_many_at_once_make_each_partition_once(database: Database, admin: Admin) -> None:
    missing = drop_last(admin)
    made = await asyncio.gather(*(database.ensure_partitions() for _ in range(5)))
    assert sum(made) == missing
    assert await database.ensure_partitions() == 0


async def test_a_long_reader_stalls_neither_the_making_nor_the_writers(
    writer: Writer, database: Database, database_url: str, tenant: UUID, admin: Admin
) -> None:
    await writer.write(entry_at(tenant, first_id(month(1))))
    drop_last(admin)
    with psycopg.connect(database_url, options="-c search_path=interlock") as reader:
        for parent in PARENTS:
            reader.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(parent)))  # and its locks stay
        async with asyncio.timeout(5):
            making = asyncio.create_task(database.ensure_partitions())
            for _ in range(20):
                assert await writer.write(entry_at(tenant, database.clock.new_id())) is None
            assert await making == len(PARENTS)
        assert reader.info.transaction_status.name == "INTRANS"

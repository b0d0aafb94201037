"""Levels on the real database: counted by each process, judged once, known by all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from interlock.contracts import Contract, parse_contract
from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.errors import DatabaseUnavailable
from interlock.levels.judge import judge_levels, measure_levels
from interlock.levels.store import ADD_TALLIES, STANDING_LEVELS, State
from interlock.levels.watch import DataLevels
from interlock.node import gates

Admin = psycopg.Connection[tuple[Any, ...]]
Start = Callable[..., Any]
FILE = """\
apiVersion: v3.1.0
kind: DataContract
id: reading
name: reading
version: {version}
status: active
team: {{members: [{{username: owner@example.com, role: owner}}]}}
slaProperties: [{levels}]
schema:
  - name: reading
    logicalType: object
    properties:
      - {{name: at, logicalType: timestamp}}
      - {{name: note, logicalType: string}}
"""
LATENCY = "{property: latency, value: 1, unit: h, element: reading.at}"
FREQUENCY = "{property: frequency, value: 1, unit: s}"
FILLED = "{property: completeness, value: 90, unit: percent, element: note}"
ERRORS = "{property: errorRate, value: 10, unit: percent}"
PATIENCE_S = 10.0


def contract(*levels: str, version: str = "1.0.0") -> Contract:
    return parse_contract(FILE.format(levels=", ".join(levels), version=version).encode(), "reading.odcs.yaml")


def moment(age: timedelta = timedelta()) -> str:
    return (datetime.now(UTC) - age).isoformat()


class Process:
    """One process with its levels, whose contracts can be exchanged."""

    def __init__(self, levels: DataLevels, contracts: list[Contract], writer: Writer) -> None:
        self.levels = levels
        self.contracts = contracts
        self.writer = writer


@pytest.fixture
async def start(database_url: str, database: Database) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def begin(*contracts: Contract, every_s: float = 0.1) -> Process:
            known = list(contracts)
            notifier = await stack.enter_async_context(Notifier(database_url))
            writer = await stack.enter_async_context(Writer(database_url, database.clock, gates(), notifier))
            lines = frozenset(one.line for one in contracts)
            levels = DataLevels(database, writer, notifier, lambda _tenant: known, lines, every_s=every_s)
            await stack.enter_async_context(levels)
            return Process(levels, known, writer)

        yield begin


async def until(holds: Callable[[], object], *, patience_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(patience_s):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in several processes
            await asyncio.sleep(0.02)


def entries(admin: Admin) -> list[str]:
    rows = admin.execute("select kind from ledger_entry where kind like 'data.%' order by id").fetchall()
    return [str(row[0]) for row in rows]


async def test_stale_data_break_their_level_on_every_process_and_fresh_ones_restore_it(
    start: Start, tenant: UUID, admin: Admin
) -> None:
    known = contract(LATENCY)
    one, other = await start(known), await start(known)
    one.levels.note(tenant, known, {"at": moment(timedelta(hours=2))})
    await until(lambda: one.levels.broken(tenant, known) and other.levels.broken(tenant, known))
    said = other.levels.broken(tenant, known)
    assert said is not None
    assert "reading@1: latency of /at at most 1 h, and the newest moment is 2 h" in said
    assert one.levels.broken(UUID(int=5), known) is None
    other.levels.note(tenant, known, {"at": moment()})
    await until(lambda: not one.levels.broken(tenant, known) and not other.levels.broken(tenant, known))
    assert entries(admin) == ["data.level_broken", "data.level_restored"]


async def test_that_nothing_arrives_is_noticed(start: Start, tenant: UUID) -> None:
    known = contract(FREQUENCY)
    process = await start(known)
    process.levels.note(tenant, known, {})
    await until(lambda: process.levels.broken(tenant, known))
    assert "the last record is" in (process.levels.broken(tenant, known) or "")


async def test_what_was_stale_before_a_restart_is_known_before_anything_is_decided(start: Start, tenant: UUID) -> None:
    known = contract(LATENCY)
    before = await start(known)
    before.levels.note(tenant, known, {"at": moment(timedelta(hours=2))})
    await until(lambda: before.levels.broken(tenant, known))
    after = await start(known, every_s=60)
    assert after.levels.broken(tenant, known)


async def test_shares_are_of_all_processes_together(start: Start, tenant: UUID) -> None:
    known = contract(FILLED, ERRORS)
    one, other = await start(known), await start(known)
    for _ in range(15):
        one.levels.note(tenant, known, {"note": "x"})
        other.levels.note(tenant, known, {})
    one.levels.refused(tenant, known, 2)
    await until(lambda: other.levels.broken(tenant, known))
    said = other.levels.broken(tenant, known) or ""
    assert "completeness of /note" in said
    assert "errorRate" not in said
    other.levels.refused(tenant, known, 2)
    await until(lambda: "errorRate" in (one.levels.broken(tenant, known) or ""))


async def test_a_contract_that_refuses_everything_is_noticed(start: Start, tenant: UUID) -> None:
    known = contract(ERRORS)
    process = await start(known)
    process.levels.refused(tenant, known, 20)
    await until(lambda: process.levels.broken(tenant, known))


@pytest.mark.parametrize("promised", [(FREQUENCY.replace("1, unit: s", "1, unit: d"),), ()], ids=["another", "none"])
async def test_a_level_that_is_no_longer_promised_is_restored(
    start: Start, tenant: UUID, admin: Admin, promised: tuple[str, ...]
) -> None:
    old, new = contract(LATENCY), contract(*promised, version="1.1.0")
    process = await start(old)
    process.levels.note(tenant, old, {"at": moment(timedelta(hours=2))})
    await until(lambda: process.levels.broken(tenant, old))
    process.contracts[:] = [new]
    await until(lambda: not process.levels.broken(tenant, old))
    (row,) = admin.execute("select what from data_level where state = 'kept'").fetchall()
    assert row == ("it is no longer promised",)


async def test_of_many_judges_one_records_each_change(
    start: Start, database: Database, tenant: UUID, admin: Admin
) -> None:
    known = contract(LATENCY)
    process = await start(known, every_s=60)
    process.levels.note(tenant, known, {"at": moment(timedelta(hours=2))})
    await process.levels.flush()
    turns = await asyncio.gather(
        *(judge_levels(database, process.writer, [known.line], lambda _: [known]) for _ in range(6))
    )
    assert sum(turns) == 1
    assert entries(admin) == ["data.level_broken"]
    async with database.tenant(tenant) as connection:
        (standing,) = await STANDING_LEVELS.all(connection, {"lines": [known.line]})
    assert (standing.state, standing.turn, standing.owner) == (State.BROKEN, 1, "owner@example.com")


async def test_what_could_not_be_written_down_is_kept_for_the_next_time(
    start: Start, database: Database, tenant: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = contract(FILLED)
    process = await start(known, every_s=60)
    process.levels.note(tenant, known, {"note": "x"})

    async def fails(*_: object) -> int:
        raise DatabaseUnavailable("the database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(type(ADD_TALLIES), "run", fails)
        with pytest.raises(DatabaseUnavailable):
            await process.levels.flush()
    process.levels.note(tenant, known, {})
    await process.levels.flush()
    async with database.tenant(tenant) as connection:
        (one,) = await measure_levels(connection, [known])
    assert (one.seen.records, one.seen.filled) == (2, 1)


async def test_what_is_counted_when_a_process_ends_is_written_down(
    database_url: str, database: Database, tenant: UUID
) -> None:
    known = contract(FILLED)
    async with Notifier(database_url) as notifier, Writer(database_url, database.clock, gates(), notifier) as writer:
        async with DataLevels(database, writer, notifier, lambda _: [known], frozenset({known.line})) as levels:
            levels.note(tenant, known, {"note": "x"})
        async with database.tenant(tenant) as connection:
            (one,) = await measure_levels(connection, [known])
    assert one.seen.records == 1


async def test_old_minutes_are_dropped(start: Start, tenant: UUID, admin: Admin) -> None:
    known = contract(FILLED)
    admin.execute("insert into data_tally values (%s, 'reading@1', '', now() - interval '40 days', 1, 0, 0)", (tenant,))
    process = await start(known, every_s=60)
    process.levels.note(tenant, known, {})
    await process.levels.flush()
    assert admin.execute("select count(*) from data_tally where slot < now() - interval '1 day'").fetchone() == (0,)

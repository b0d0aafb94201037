"""Units a second: group commit, one commit a unit, and a floor of bare inserts, on one embedded server.

A unit is what a decision costs at the least: a key taken and a ledger entry written, under row security. All three
write the same bytes. The last line is JSON for machines.
"""

from __future__ import annotations

import asyncio
import json
import platform
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import psycopg

from interlock.clock import Clock
from interlock.db import writer as module
from interlock.db.database import Database, connect_service
from interlock.db.embedded import EmbeddedPostgres
from interlock.db.gates import TAKE_KEYS, CaseGate, KeyGate, KeyRow, TakesKey, short_digest
from interlock.db.migrate import migrate
from interlock.db.queries import encode_rows
from interlock.db.signals import Notifier
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.ledger.ledger import ADD_ENTRIES, Entry, first_entry

CALLERS = 128
SECONDS = 3.0
TURNS = 3
FLOOR_BATCH = 100
GOAL = 5.0
NOTE = "x" * 200


def a_unit(tenant: UUID, number: int) -> Unit:
    """A key and an entry."""

    def build(stamp: Stamp) -> list[Write]:
        return [first_entry(stamp, tenant, "bench.done", subject=stamp.entry, amount="31.00 EUR", note=NOTE)]

    return Unit(tenant, build, (TakesKey(short_digest(tenant.bytes, number.to_bytes(8, "big")), UUID(int=1)),))


class Numbers:
    """Numbers that no run repeats."""

    def __init__(self) -> None:
        self.last = 0

    def take(self) -> int:
        """The next one."""
        self.last += 1
        return self.last


async def through_the_writer(url: str, tenant: UUID, numbers: Numbers, most_units: int) -> tuple[float, float]:
    """Units a second, and the median wait of a caller in milliseconds, with so many units a commit."""
    module.MOST_UNITS = most_units
    waits: list[float] = []
    end = time.perf_counter() + SECONDS

    async def caller(writer: Writer) -> None:
        while (asked := time.perf_counter()) < end:
            refusal = await writer.write(a_unit(tenant, numbers.take()))
            if refusal:
                raise SystemExit(f"a unit was refused: {refusal}")
            waits.append(time.perf_counter() - asked)

    async with Notifier(url) as notifier, Writer(url, Clock(), [CaseGate(), KeyGate()], notifier) as writer:
        began = time.perf_counter()
        await asyncio.gather(*(caller(writer) for _ in range(CALLERS)))
        return len(waits) / (time.perf_counter() - began), median(waits) * 1000


async def connections_of_their_own(url: str, tenant: UUID, numbers: Numbers) -> float:
    """Units a second where callers share eight connections and each unit is its own transaction, as a pool does it."""
    end = time.perf_counter() + SECONDS
    written = 0
    clock = Clock()

    async def connection_s_callers() -> None:
        nonlocal written
        connection = await connect_service(url)
        async with connection:
            while time.perf_counter() < end:
                keys, entries = rows(tenant, clock, numbers, 1)
                await insert(connection, tenant, keys, entries)
                written += 1

    began = time.perf_counter()
    await asyncio.gather(*(connection_s_callers() for _ in range(8)))
    return written / (time.perf_counter() - began)


async def bare_inserts(url: str, tenant: UUID, numbers: Numbers, *, row_security: bool = True) -> float:
    """Units a second of the same rows in batches, without conditions, answers or callers: the floor of the cost."""
    connection = await connect_service(url)
    clock, written = Clock(), 0
    async with connection:
        if not row_security:
            await connection.execute("set role none")  # the administrator, whom row security does not bind
        began = time.perf_counter()
        while (took := time.perf_counter() - began) < SECONDS:
            keys, entries = rows(tenant, clock, numbers, FLOOR_BATCH)
            await insert(connection, tenant, keys, entries)
            written += FLOOR_BATCH
    return written / took


def rows(tenant: UUID, clock: Clock, numbers: Numbers, number: int) -> tuple[list[KeyRow], list[Entry]]:
    """The rows of so many units."""
    units = [a_unit(tenant, numbers.take()) for _ in range(number)]
    for unit in units:
        unit.prepare(clock)
    keys = [
        KeyRow(condition.digest, tenant, unit.id, condition.payload)
        for unit in units
        for condition in unit.conditions
        if isinstance(condition, TakesKey)
    ]
    entries = [write.row for unit in units for write in unit.writes if isinstance(write.row, Entry)]
    return keys, entries


async def insert(
    connection: psycopg.AsyncConnection[Any], tenant: UUID, keys: list[KeyRow], entries: list[Entry]
) -> None:
    """One transaction in one flush."""
    async with connection.pipeline():
        await connection.execute("begin")
        await connection.execute("select set_config('app.tenant', %s, true)", (str(tenant),))
        await connection.execute(TAKE_KEYS.text, {"rows": encode_rows(keys)})
        await connection.execute(ADD_ENTRIES.text, {"rows": encode_rows(entries)})
        await connection.execute("commit")


async def measure(url: str) -> dict[str, float]:
    """All figures, each the median of turns that alternate, so that a slow moment of the machine hits all alike."""
    await migrate(url)
    numbers = Numbers()
    async with Database(url) as database:
        tenant = await database.ensure_tenant("bench")
    found: dict[str, list[float]] = {}

    async def note(name: str, run: Callable[[], Awaitable[float]]) -> None:
        found.setdefault(name, []).append(await run())
        print(f"{name:>28}: {found[name][-1]:10,.0f}")

    async def grouped() -> float:
        rate, wait = await through_the_writer(url, tenant, numbers, 128)
        found.setdefault("grouped_wait_ms", []).append(wait)
        return rate

    async def one_each() -> float:
        return (await through_the_writer(url, tenant, numbers, 1))[0]

    for _ in range(TURNS):
        await note("grouped_per_s", grouped)
        await note("one_commit_each_per_s", one_each)
        await note("eight_connections_per_s", lambda: connections_of_their_own(url, tenant, numbers))
        await note("floor_per_s", lambda: bare_inserts(url, tenant, numbers))
        await note("unprotected_floor_per_s", lambda: bare_inserts(url, tenant, numbers, row_security=False))
    return {name: round(median(values), 1) for name, values in found.items()}


def main() -> None:
    """Measure and report."""
    with (
        tempfile.TemporaryDirectory(prefix="interlock-bench-") as folder,
        EmbeddedPostgres(Path(folder) / "server", linger=0) as server,
    ):
        figures: dict[str, float | str] = dict(asyncio.run(measure(server.url)))
        server.stop(wait=20)
    ratio = round(float(figures["grouped_per_s"]) / float(figures["one_commit_each_per_s"]), 1)
    figures["share_of_floor"] = round(float(figures["grouped_per_s"]) / float(figures["floor_per_s"]), 2)
    figures["callers"] = CALLERS
    figures["python"] = platform.python_version()
    goal = {"name": "times one commit each", "value": ratio, "goal": GOAL, "met": ratio >= GOAL}
    print(json.dumps({"bench": "writer", "figures": figures, "goals": [goal]}))


if __name__ == "__main__":
    main()

"""Certificates under crashes: each change is on record once, whatever connection or process is lost at it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
from tests.dying import dying
from tests.pg.deciding import Made, known_truth, place, put, terms
from writes.cut import Cut, Moment

from interlock.autonomy.issuing.duty import derive_now, keep_once
from interlock.autonomy.issuing.issue import issue, stands_at, withdraw
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.store import AutonomyState
from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.node import gates

Admin = psycopg.Connection[tuple[Any, ...]]
OVER = "update autonomy set valid_until = now() - interval '1 second'"
"""What counts is over."""


@pytest.fixture
async def writer(database_url: str, database: Database, notifier: Notifier) -> AsyncIterator[Writer]:
    """A writer with every gate."""
    async with Writer(database_url, database.clock, gates(), notifier) as writer:
        yield writer


async def certified(url: str, database: Database, writer: Writer, it: Place) -> None:
    """A certificate that counts decisions of the last five minutes as its own."""
    put(url, it, known_truth(datetime.now(UTC) - timedelta(minutes=4), 1500, wrong=0.0))
    await issue(writer, it, await derive_now(database, it, None, who="olga"), None)
    execute(url, "update certificate_monitor set counted_to = now() - interval '5 minutes'")


def bad(minutes: float) -> list[Made]:
    """Half a minute's decisions, of which every third is wrong."""
    begun = datetime.now(UTC) - timedelta(minutes=minutes)
    return [Made(at=begun + timedelta(seconds=at / 10), right=at % 3 != 0) for at in range(300)]


def told(url: str) -> tuple[list[str], list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The entries, what counts, and how far the monitor is."""
    with psycopg.connect(url, autocommit=True, options="-c search_path=interlock") as admin:
        kinds = admin.execute("select kind from ledger_entry where kind like 'certificate.%' order by id").fetchall()
        counts = admin.execute("select state::text, turn from autonomy").fetchall()
        monitor = admin.execute("select counted, lost_minor from certificate_monitor").fetchall()
    return [kind for (kind,) in kinds], counts, monitor


@pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.name.lower())
async def test_each_change_is_made_once(
    database_url: str, database: Database, writer: Writer, tenant: UUID, moment: Moment
) -> None:
    it = place(tenant)
    with Cut("certificate.issued", moment) as cut:
        await certified(database_url, database, writer, it)
    assert cut.struck
    assert (await stands_at(database, tenant, it.workflow, it.point)) is not None
    put(database_url, it, bad(4.5))
    with Cut("certificate.narrowed", moment) as cut:
        for _ in range(2):
            await keep_once(database, writer, lambda _: ())
    assert cut.struck
    assert told(database_url) == (
        ["certificate.issued", "certificate.narrowed"], [("withdrawn", 2)], [(300, 100 * 2000)]
    )  # fmt: skip


async def test_processes_that_are_killed_count_each_decision_once_and_narrow_once(
    database_url: str, database: Database, writer: Writer, tenant: UUID
) -> None:
    it = place(tenant, terms())
    await certified(database_url, database, writer, it)
    script = str(Path(__file__).with_name("certificate_process.py"))
    running = [
        await asyncio.create_subprocess_exec(
            *dying(sys.executable, script, database_url), stdout=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]
    try:
        for one in running:
            assert one.stdout is not None
            assert await asyncio.wait_for(one.stdout.readline(), 30) == b"begun\n"
        put(database_url, it, bad(4.5))
        for one in running[:1]:  # in the middle of whatever they do
            await asyncio.sleep(0.02)
            one.send_signal(signal.SIGKILL)
        async with asyncio.timeout(20):
            while told(database_url)[1] != [("withdrawn", 2)]:  # noqa: ASYNC110 - another process's
                await asyncio.sleep(0.05)
        put(database_url, it, bad(3.5))
        async with asyncio.timeout(20):
            while told(database_url)[2] != [(600, 200 * 2000)]:  # noqa: ASYNC110 - another process's
                await asyncio.sleep(0.05)
    finally:
        for one in running:
            if one.returncode is None:
                one.kill()
            await one.wait()
    assert told(database_url)[0] == ["certificate.issued", "certificate.narrowed", "certificate.crossed"]


async def test_one_that_dies_between_reading_and_committing_leaves_one_crossing(
    database_url: str, database: Database, writer: Writer, tenant: UUID
) -> None:
    """What it had read is lost with it, or committed although nobody is told: the other finds which, and acts once."""
    it = place(tenant, terms())
    await certified(database_url, database, writer, it)
    script = str(Path(__file__).with_name("certificate_process.py"))
    running: list[asyncio.subprocess.Process] = []
    try:
        with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
            admin.execute("select from autonomy for update")
            put(database_url, it, bad(4.5))
            for number in (1, 2):
                running.append(await asyncio.create_subprocess_exec(*dying(sys.executable, script, database_url)))
                async with asyncio.timeout(20):
                    while waiting(database_url) < 1:  # noqa: ASYNC110 - another process's
                        await asyncio.sleep(0.02)
                if number == 1:  # it has read, and cannot commit
                    assert told(database_url)[0] == ["certificate.issued"]
                    running[0].kill()
                    await running[0].wait()
        async with asyncio.timeout(20):
            while told(database_url)[1] != [("withdrawn", 2)]:  # noqa: ASYNC110 - another process's
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)
    finally:
        for one in running:
            if one.returncode is None:
                one.kill()
            await one.wait()
    assert told(database_url) == (
        ["certificate.issued", "certificate.narrowed"], [("withdrawn", 2)], [(300, 100 * 2000)]
    )  # fmt: skip


@pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.name.lower())
async def test_each_end_is_on_record_once(
    database_url: str, database: Database, writer: Writer, tenant: UUID, moment: Moment
) -> None:
    it = place(tenant)
    await certified(database_url, database, writer, it)
    execute(database_url, OVER)
    with Cut("certificate.expired", moment) as cut:
        for _ in range(2):
            await keep_once(database, writer, lambda _: ())
    assert cut.struck
    stands = await stands_at(database, tenant, it.workflow, it.point)
    assert stands is not None
    assert stands.ended_at is not None
    await issue(writer, it, await derive_now(database, it, stands, who="olga"), stands)
    stands = await stands_at(database, tenant, it.workflow, it.point)
    with Cut("certificate.withdrawn", moment) as cut:
        assert not await withdraw(database, writer, tenant, stands, who="olga", why="the supplier changed")
    assert cut.struck
    assert told(database_url)[:2] == (
        ["certificate.issued", "certificate.expired", "certificate.issued", "certificate.withdrawn"],
        [("withdrawn", 3)],
    )


@pytest.mark.parametrize("end", ["expired", "withdrawn"])
async def test_one_that_is_killed_while_it_commits_an_end_leaves_it_whole_or_to_another(
    database_url: str, database: Database, writer: Writer, tenant: UUID, end: str
) -> None:
    """What it sent may still be committed although nobody is told: whoever comes next finds which."""
    it = place(tenant)
    await certified(database_url, database, writer, it)
    if end == "expired":
        execute(database_url, OVER)
    script, more = str(Path(__file__).with_name("certificate_process.py")), [str(tenant)] * (end == "withdrawn")
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        admin.execute("select from certificate_monitor for update")  # of both ends a row that is written last
        running = await asyncio.create_subprocess_exec(*dying(sys.executable, script, database_url, *more))
        try:
            async with asyncio.timeout(20):
                while waiting(database_url) < 1:  # noqa: ASYNC110 - another process's
                    await asyncio.sleep(0.02)
            assert told(database_url)[0] == ["certificate.issued"]
        finally:
            running.kill()
            await running.wait()
    async with asyncio.timeout(20):
        while waiting(database_url):  # noqa: ASYNC110 - what was sent is done, or given up
            await asyncio.sleep(0.02)
    stands = await stands_at(database, tenant, it.workflow, it.point)
    assert stands is not None
    if end == "withdrawn" and stands.state is AutonomyState.CERTIFIED:
        await withdraw(database, writer, tenant, stands, who="olga", why="the supplier changed")
    for _ in range(2):
        await keep_once(database, writer, lambda _: ())
    kinds, counts, _ = told(database_url)
    assert kinds == ["certificate.issued", f"certificate.{end}"]
    assert counts == [("withdrawn", 2) if end == "withdrawn" else ("certified", 1)]


def execute(url: str, statement: LiteralString) -> None:
    """Change something by SQL, beside the product."""
    with psycopg.connect(url, autocommit=True, options="-c search_path=interlock") as admin:
        admin.execute(statement)


def waiting(url: str) -> int:
    """How many of this database's connections wait for a row."""
    with psycopg.connect(url, autocommit=True) as admin:
        found = admin.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        ).fetchone()
    return int(found[0]) if found else 0

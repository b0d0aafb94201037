"""Stops on workers in processes of their own: in force within a second, also while every worker stands still."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import quote, urlencode
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.fault.test_liveness import Crew, a_crew

from interlock.actions.action import ActionState
from interlock.actions.under_way import CallUnderWay, calls_under_way
from interlock.cases.store import CaseState
from interlock.guards.stops import resume, stop
from interlock.sim import FaultKind, FaultPlan, FaultRule, SimulatedProvider

WORKERS = 3


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book") as provider:
        yield provider


@pytest.fixture
async def crew(database_url: str, provider: SimulatedProvider, tmp_path: Path) -> AsyncIterator[Crew]:
    provider.set_faults(FaultPlan())
    async with AsyncExitStack() as stack:
        yield await a_crew(stack, database_url, provider, tmp_path)


def as_url(conninfo: str) -> str:
    parts = {name: str(value) for name, value in conninfo_to_dict(conninfo).items()}
    who = quote(parts.pop("user", "postgres"))
    secret = f":{quote(parts.pop('password'), safe='')}" if "password" in parts else ""
    return f"postgresql://{who}{secret}@/{parts.pop('dbname')}?{urlencode(parts)}"


async def command(crew: Crew, *arguments: str) -> tuple[int, str, float]:
    """Run the real command line; its exit code, what it said, and how long it took."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
    begun = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from interlock.cli import main; main()", *arguments,
        cwd=crew.folder, env={**kept, "INTERLOCK_DATABASE_URL": as_url(crew.url)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(30):
        said, _ = await process.communicate()
    return process.returncode or 0, said.decode(), time.monotonic() - begun


def sent_after(crew: Crew, moment: object) -> int:
    with psycopg.connect(crew.url, options="-c search_path=interlock") as admin:
        row = admin.execute("select count(*) from attempt where sent_at > %s", (moment,)).fetchone()
        return int(row[0]) if row else 0


async def waiting_for_stop(crew: Crew, cases: list[UUID]) -> int:
    records = [await crew.on.record(case_id) for case_id in cases]
    return sum("was stopped by rosa" in (record.case.waiting_for or "") for record in records)


async def test_three_workers_obey_within_a_second_and_go_on_within_one(crew: Crew) -> None:
    for _ in range(WORKERS):
        await crew.start()
    cases = [
        await crew.on.submit("holding", key=f"case-{n}", days_since_purchase=n % 3) for n in range(48)
    ]  # they pay at once, after one second, and after two
    await crew.until(lambda: len(crew.provider.book()) >= 8)
    node = crew.on.node
    begun = time.monotonic()
    stopped = await stop(
        node.database, node.writer, node.tenant, scope="connector:payments", who="rosa", why="double payments"
    )
    assert time.monotonic() - begun < 1
    assert stopped.unanswered == 0
    now = node.database.clock.now()
    await asyncio.sleep(2.5)
    assert sent_after(crew, now) == 0
    states = [(await crew.on.record(case_id)).case.state for case_id in cases]
    assert set(states) == {CaseState.DONE, CaseState.WAITING}
    assert await waiting_for_stop(crew, cases) == states.count(CaseState.WAITING) >= 10
    assert await calls_under_way(node.database, node.tenant, "connector:payments") == []
    await resume(node.writer, node.tenant, stopped.id, who="rosa", why="it was a report's fault")
    lifted = time.monotonic()
    while await waiting_for_stop(crew, cases):
        assert time.monotonic() - lifted < 2
    for case_id in cases:
        assert (await crew.on.until(case_id, patience_s=20)).conclusion == "paid"
    assert len({entry.key for entry in crew.provider.book()}) == len(cases)


async def test_a_stop_needs_no_worker_to_answer(crew: Crew) -> None:
    started = [await crew.start() for _ in range(WORKERS)]
    for n in range(30):
        await crew.on.submit("holding", key=f"frozen-{n}", days_since_purchase=n % 2)
    await crew.until(lambda: len(crew.held()) >= 15)
    for process in started:  # wherever they are: in a transaction, between commit and sending, anywhere
        os.killpg(process.pid, signal.SIGSTOP)
    try:
        code, said, took = await command(crew, "stop", "everything", "--why", "three in the morning", "--as", "rosa")
        assert code == 0, said
        assert "everything is stopped by rosa" in said
        assert took < 12
        now = crew.on.node.database.clock.now()
        code, said, _ = await command(crew, "stops")
        assert (code, "three in the morning" in said) == (0, True)
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGCONT)
    await asyncio.sleep(2)
    assert sent_after(crew, now) == 0
    code, said, _ = await command(crew, "resume", "everything", "--why", "it was nothing", "--as", "rosa")
    assert code == 0, said
    give_up = time.monotonic() + 40
    while len({entry.key for entry in crew.provider.book() if "frozen" in entry.key}) < 30:
        assert time.monotonic() < give_up
        await asyncio.sleep(0.1)


async def test_calls_that_are_under_way_are_listed_until_they_are_settled(crew: Crew) -> None:
    rule = FaultRule(kind=FaultKind.SLOW_AFTER, seconds=1.5, attempts=(1,))
    crew.provider.set_faults(FaultPlan(rules=(rule,)))
    await crew.start()
    node = crew.on.node
    case_id = await crew.on.submit("holding", key="slow", days_since_purchase=0)

    async def calls() -> list[CallUnderWay]:
        return await calls_under_way(node.database, node.tenant, "everything")

    give_up = time.monotonic() + 10
    while not await calls():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.01)
    stopped = await stop(node.database, node.writer, node.tenant, scope="everything", who="rosa", why="look")
    (call,) = await calls()
    assert (call.case_id, call.attempt, call.connector) == (case_id, 1, "payments")
    assert call.state in (ActionState.DISPATCHING, ActionState.IN_DOUBT)
    assert call.since is not None
    assert call.deadline is not None
    assert call.since < stopped.stop.created_at < call.deadline
    assert (await crew.on.until(case_id)).conclusion == "paid"  # settled, not abandoned
    assert await calls() == []
    code, said, _ = await command(crew, "stops", str(stopped.id))
    assert (code, "No call is under way" in said) == (0, True)

"""Workers in processes of their own are killed, paused and blocked: their cases go on, and nothing is doubled."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.dying import dying
from tests.pg.stage import Stage, stage

from interlock.cases.store import CaseState
from interlock.db.embedded import EmbeddedPostgres
from interlock.db.migrate import migrate
from interlock.sim import SimulatedProvider

SCRIPT = Path(__file__).with_name("liveness_process.py")
PATIENCE_S = 90.0
LONG_LEASE_S = 60.0


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book") as provider:
        yield provider


@dataclass
class Crew:
    """Workers in processes of their own.

    Attributes:
        url: The database.
        provider: Where they pay.
        folder: Their workflows' files and their notes.
        on: A node without workers, to submit and to look.
    """

    url: str
    provider: SimulatedProvider
    folder: Path
    on: Stage
    started: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    async def start(self, lease_s: float = 15.0) -> subprocess.Popen[bytes]:
        """Start one, in a process group of its own, and wait until it works."""
        command = dying(sys.executable, str(SCRIPT), self.url, self.provider.url, str(self.folder), str(lease_s))
        environ = {**os.environ, "INTERLOCK_TEST_LOG": str(self.folder / "log")}
        process = subprocess.Popen(command, env=environ, start_new_session=True)  # noqa: ASYNC220 - returns at once
        self.started.append(process)
        await self.until(lambda: self.numbers(process.pid) != [])
        return process

    def notes(self) -> list[tuple[int, str, str]]:
        """What the workers wrote down: process, what, about what."""
        path = self.folder / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(pid), what, about) for pid, what, about in (line.split() for line in lines)]

    def numbers(self, pid: int) -> list[str]:
        """The numbers under which a process came to work first; later ones are in the database."""
        return [about for who, what, about in self.notes() if who == pid and what == "worker"]

    def held(self, what: str = "hold") -> Counter[str]:
        """How often each case's step was begun, or ended."""
        return Counter(about for _, noted, about in self.notes() if noted == what)

    async def until(self, holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Wait until something holds."""
        give_up = time.monotonic() + patience_s
        while not holds():
            assert time.monotonic() < give_up, f"it never came: {self.notes()}"
            await asyncio.sleep(0.01)

    def end(self) -> None:
        """Kill all that were started."""
        for process in self.started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def flows(folder: Path) -> list[Any]:
    spec = importlib.util.spec_from_file_location("liveness_process", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["liveness_process"] = module
    spec.loader.exec_module(module)
    return module.flows(folder)


async def a_crew(stack: AsyncExitStack, url: str, provider: SimulatedProvider, folder: Path) -> Crew:
    on = await stack.enter_async_context(stage(url, flows(folder), workers=0))
    crew = Crew(url, provider, folder, on)
    stack.callback(crew.end)
    return crew


@pytest.fixture
async def crew(database_url: str, provider: SimulatedProvider, tmp_path: Path) -> AsyncIterator[Crew]:
    async with AsyncExitStack() as stack:
        yield await a_crew(stack, database_url, provider, tmp_path)


def paid(crew: Crew, key: str) -> int:
    return sum(entry.key.endswith(f"/{key}") for entry in crew.provider.book())


async def ended_once(crew: Crew, case_id: UUID, key: str) -> int:
    """The case is done, once, with one payment. The fence that it ended under."""
    case = await crew.on.until(case_id, patience_s=PATIENCE_S)
    assert (case.state, case.conclusion) == (CaseState.DONE, "paid")
    record = await crew.on.record(case_id)
    kinds = Counter(entry.kind for entry in record.entries)
    assert kinds["case.done"] == 1
    assert kinds["action.intended"] == 1
    assert kinds["action.done"] == 1
    assert paid(crew, key) == 1
    return case.fence


async def test_a_killed_worker_s_cases_go_on_within_a_second(
    crew: Crew, record_property: Callable[[str, object], None]
) -> None:
    first = await crew.start(LONG_LEASE_S)
    ids = {f"kill-{n}": await crew.on.submit("holding", key=f"kill-{n}", days_since_purchase=2) for n in range(5)}
    await crew.until(lambda: len(crew.held()) == len(ids))
    heart = psutil.Process(first.pid).children()
    assert len(heart) == 1
    second = await crew.start(LONG_LEASE_S)
    killed = time.monotonic()
    first.kill()
    await crew.until(lambda: sum(pid == second.pid and what == "hold" for pid, what, _ in crew.notes()) == len(ids))
    took = time.monotonic() - killed
    record_property("take_over_s", round(took, 3))
    print(f"taken over {took:.3f} s after the kill")  # noqa: T201 - the measurement
    assert took < LONG_LEASE_S / 3  # by its death, not by its silence; as a rule in less than a second
    assert psutil.wait_procs(heart, timeout=PATIENCE_S)[1] == []  # the heartbeat ends with its parent
    for key, case_id in ids.items():
        assert await ended_once(crew, case_id, key) == 2
    assert set(crew.held("held").values()) == {1}


@pytest.mark.parametrize("name", ["blocking", "matching", "computing"])
async def test_a_worker_behind_one_long_call_keeps_its_case(crew: Crew, name: str) -> None:
    await crew.start(lease_s=2)
    key = f"long-{name}"
    case_id = await crew.on.submit(name, key=key, days_since_purchase=12 if name == "computing" else 3)
    await crew.until(lambda: crew.held()[key] == 1)
    begun = time.monotonic()
    await crew.start(lease_s=2)
    assert await ended_once(crew, case_id, key) == 1
    assert crew.held() == {key: 1}
    assert name == "computing" or time.monotonic() - begun > 2  # longer than the lease


async def test_a_worker_on_a_starved_machine_keeps_its_case(crew: Crew) -> None:
    """Many processes for each processor, for longer than the lease: late signs of life are signs of life."""
    await crew.start(lease_s=2)
    await crew.start(lease_s=2)
    case_id = await crew.on.submit("holding", key="starved", days_since_purchase=5)
    await crew.until(lambda: crew.held()["starved"] == 1)
    spinning = dying(sys.executable, "-c", "while True: pass")
    busy = [subprocess.Popen(spinning) for _ in range(8 * (os.cpu_count() or 1))]  # noqa: ASYNC220 - returns at once
    try:
        assert await ended_once(crew, case_id, "starved") == 1
    finally:
        for process in busy:
            process.kill()
        for process in busy:
            process.wait()
    assert crew.held() == {"starved": 1}


async def test_a_paused_worker_loses_its_case_and_when_it_goes_on_it_begins_anew(crew: Crew, database_url: str) -> None:
    first = await crew.start(lease_s=1.5)
    case_id = await crew.on.submit("holding", key="paused", days_since_purchase=3)
    await crew.until(lambda: crew.held()["paused"] == 1)
    os.killpg(first.pid, signal.SIGSTOP)  # the worker and its heartbeat, as a frozen container
    second = await crew.start(lease_s=15)
    await crew.until(lambda: any(pid == second.pid and what == "hold" for pid, what, _ in crew.notes()))
    os.killpg(first.pid, signal.SIGCONT)
    assert await ended_once(crew, case_id, "paused") == 2
    with psycopg.connect(database_url, autocommit=True) as admin:
        query = "select number, ended_at is null from interlock.worker where name like %s order by number"

        def lives() -> list[tuple[Any, ...]]:
            return admin.execute(query, (f"%:{first.pid}",)).fetchall()

        await crew.until(lambda: len(lives()) == 2)
        assert [alive for _, alive in lives()] == [False, True]
    # the old one may come to the end of its step before it learns of its loss; what it writes then is refused
    assert second.pid in {pid for pid, what, _ in crew.notes() if what == "held"}
    # It works again: with its peer gone, it takes new cases.
    second.kill()
    again = await crew.on.submit("holding", key="anew", days_since_purchase=0)
    assert await ended_once(crew, again, "anew") == 1


async def test_a_worker_whose_heartbeat_is_killed_gives_its_cases_up_and_goes_on(crew: Crew) -> None:
    first = await crew.start()
    case_id = await crew.on.submit("holding", key="heartless", days_since_purchase=2)
    await crew.until(lambda: crew.held()["heartless"] == 1)
    (heart,) = psutil.Process(first.pid).children()
    heart.kill()
    assert await ended_once(crew, case_id, "heartless") >= 2
    assert first.poll() is None


async def test_a_restart_of_postgres_takes_no_case_away_for_good(provider: SimulatedProvider, tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "pg") as server:
        await migrate(server.url)
        async with AsyncExitStack() as stack:
            crew = await a_crew(stack, server.url, provider, tmp_path)
            first = await crew.start()
            await crew.start()
            ids = {
                f"restart-{n}": await crew.on.submit("holding", key=f"restart-{n}", days_since_purchase=n % 3)
                for n in range(12)
            }
            await crew.until(lambda: len(crew.held()) == len(ids))
            postmaster = int(next(server.folder.rglob("postmaster.pid")).read_text().splitlines()[0])
            os.kill(postmaster, signal.SIGINT)  # a fast shutdown: every connection is cut; the supervisor restarts it
            for key, case_id in ids.items():
                give_up = time.monotonic() + PATIENCE_S
                while True:
                    with suppress(Exception):
                        if (await crew.on.record(case_id)).case.state is CaseState.DONE:
                            break
                    assert time.monotonic() < give_up, key
                    await asyncio.sleep(0.05)
                await ended_once(crew, case_id, key)
            assert first.poll() is None

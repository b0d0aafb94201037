"""Statements come in pieces, in any order and twice, while kill -9 hits intake, rounds, workers and the books.

In the end the matches that stand, what is open, and the balances of the books are those of a calm run in one piece.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
from reconciliation_process import PAYMENTS, ROLES, playing, whole
from tests.dying import dying
from tests.pg.reconciliation.outcome import outcome

from interlock.sim import SimulatedBooks

SCRIPT = Path(__file__).with_name("reconciliation_process.py")
BOOKS = "books"
VICTIMS = (*ROLES, BOOKS)


@dataclass(frozen=True)
class Course:
    """One run.

    Attributes:
        name: Of the reconciliation; it says of which data: see ``reconciliation_process``.
        seed: Of orders, victims and moments.
        kills: How many SIGKILLs there are, at each role in turn.
        pause: The shortest and the longest time before one, in seconds.
        patience_s: For how long the rest may take.
        matches: How many must stand in the end, at least.
    """

    name: str
    seed: int
    kills: int
    pause: tuple[float, float]
    patience_s: float
    matches: int


class Crew:
    """The processes of one reconciliation, started again whenever they are gone.

    Args:
        url: The database.
        books: The books.
        course: What is to happen.
    """

    def __init__(self, url: str, books: SimulatedBooks, course: Course) -> None:
        self._arguments = (url, books.url, course.name)
        self._books = books
        self._course = course
        self._random = Random(course.seed)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.killed: Counter[str] = Counter()

    def revive(self) -> None:
        """Start who is gone; an intake that has ended has handed everything in."""
        self._books.start()
        for role in ROLES:
            process = self._running.get(role)
            ended = process is not None and process.poll() is not None
            if ended and process:
                assert process.returncode in ({0} if role == "intake" else set[int]()), (role, process.returncode)
            if process is None:
                seed = str(self._random.randrange(1, 1000))
                command = dying(sys.executable, str(SCRIPT), role, *self._arguments, seed)
                self._running[role] = subprocess.Popen(command, start_new_session=True)

    def kill(self, victim: str) -> None:
        """Kill -9 one of them, with all that it has started."""
        self.killed[victim] += 1
        if victim == BOOKS:
            self._books.kill()
        else:
            self._kill_process(victim)

    def _kill_process(self, role: str) -> None:
        process = self._running.pop(role)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def go_through(self) -> None:
        """Kill so often, everybody in turn, then let the intake end."""
        for number in range(self._course.kills):
            self.revive()
            time.sleep(self._random.uniform(*self._course.pause))
            self.kill(VICTIMS[number % len(VICTIMS)])
        self.revive()
        assert self._running["intake"].wait(self._course.patience_s) == 0

    def end(self) -> None:
        """Kill all that were started."""
        for role in list(self._running):
            self._kill_process(role)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedBooks]:
    with SimulatedBooks(tmp_path_factory.mktemp("books") / "ledger") as found:
        yield found


async def seen(url: str, books: SimulatedBooks, course: Course, name: str, *, calm: bool) -> dict[str, Any]:
    """How a reconciliation ends; a calm one is handed in here, in one piece."""
    async with playing(url, books.url, name) as on:
        on.books = books
        for _ in range(2):
            await on.on.work()
        async with on.on:
            for side, one in whole(name) if calm else ():
                await on.take(side, one)
            found = await outcome(on, course.patience_s)
    counts = {what: len(rows) for what, rows in found.items()}
    sys.stdout.write(f"{name}: {counts} {found['books']}\n")
    return found


@pytest.mark.parametrize(
    "course",
    [
        pytest.param(Course("torn", 1, 6, (0.6, 1.6), 60.0, 15), id="short"),
        pytest.param(Course("torn2", 2, 80, (0.1, 2.5), 120.0, 15), id="long", marks=pytest.mark.long),
        pytest.param(Course(PAYMENTS, 3, 24, (4.0, 20.0), 1200.0, 15_000), id="payments", marks=pytest.mark.long),
    ],
)
async def test_whatever_is_killed_the_same_matches_stand_and_the_books_are_the_same(
    course: Course,
    database_url: str,
    books: SimulatedBooks,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if course.name == PAYMENTS:
        monkeypatch.setenv("INTERLOCK_TEST_PAYMENTS", str(request.getfixturevalue("shared_data") / "payments"))
    crew = Crew(database_url, books, course)
    try:
        await asyncio.to_thread(crew.go_through)
    finally:
        crew.end()
    books.start()
    found = await seen(database_url, books, course, course.name, calm=False)
    expected = await seen(database_url, books, course, f"{course.name}_calm", calm=True)
    assert min(crew.killed[victim] for victim in VICTIMS) >= course.kills // len(VICTIMS)
    assert len(expected["matches"]) > course.matches
    assert found == expected

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
from pathlib import Path
from random import Random
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
from reconciliation_process import ROLES, pieces
from tests.pg.reconciliation.matched import Matching, matching

from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.store import entries_in_force
from interlock.sim import SimulatedBooks
from interlock.sim.general_ledger import PostingState

SCRIPT = Path(__file__).with_name("reconciliation_process.py")
BOOKS = "books"
VICTIMS = (*ROLES, BOOKS)
_PAUSE_S = (0.6, 1.6)
_HANDED_IN_S = 60.0


class Crew:
    """The processes of one reconciliation, started again whenever they are gone.

    Args:
        url: The database.
        books: The books.
        name: The reconciliation.
        seed: Of orders, victims and moments.
    """

    def __init__(self, url: str, books: SimulatedBooks, name: str, seed: int) -> None:
        self._arguments = (url, books.url, name)
        self._books = books
        self._random = Random(seed)
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
                command = [sys.executable, str(SCRIPT), role, *self._arguments, str(self._random.randrange(1, 1000))]
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

    def go_through(self, kills: int) -> None:
        """Kill so often, everybody in turn, then let the intake end."""
        for number in range(kills):
            self.revive()
            time.sleep(self._random.uniform(*_PAUSE_S))
            self.kill(VICTIMS[number % len(VICTIMS)])
        self.revive()
        assert self._running["intake"].wait(_HANDED_IN_S) == 0

    def end(self) -> None:
        """Kill all that were started."""
        for role in list(self._running):
            self._kill_process(role)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedBooks]:
    with SimulatedBooks(tmp_path_factory.mktemp("books") / "ledger") as found:
        yield found


async def outcome(on: Matching) -> dict[str, Any]:
    """All that must not depend on what happened on the way."""
    matches = await on.settle()
    node, entries = on.on.node, dict[str, str]()
    async with node.database.tenant(node.tenant) as connection:
        for side in Side:
            frame = await entries_in_force(connection, on.terms.name, side)
            entries |= dict(frame.select("id", "identity").iter_rows())
        told = await connection.execute(
            "select m.state, m.form, m.currency, m.expected_minor, m.actual_minor, array_agg(e.entry::text) "
            "from recon_match m join recon_member e on e.match = m.id where m.alive and e.alive "
            "and m.reconciliation = %s group by m.id",
            (on.terms.name,),
        )
        standing = [(*row[:5], tuple(sorted(entries[one] for one in row[5]))) for row in await told.fetchall()]
    held = {one for row in standing for one in row[5]}
    assert len({one.key for one in matches}) == len(matches)
    return {
        "matches": sorted(standing),
        "open": sorted(set(entries.values()) - held),
        "books": balances(on),
    }


def balances(on: Matching) -> dict[str, str]:
    """Those other than zero, of books that balance."""
    assert on.books.summary().unbalanced == ()
    return on.balances()


def standing_postings(on: Matching) -> int:
    """How many postings of this reconciliation are in the books and not taken back."""
    return sum(
        posting.state is PostingState.POSTED and not posting.reverses
        for posting in on.books.postings()
        if any(line.account.startswith(f"{on.terms.name}:") for line in posting.lines)
    )


@pytest.mark.parametrize(
    ("seed", "kills"), [pytest.param(1, 6, id="short"), pytest.param(2, 80, id="long", marks=pytest.mark.long)]
)
async def test_whatever_is_killed_the_same_matches_stand_and_the_books_are_the_same(
    database_url: str, books: SimulatedBooks, seed: int, kills: int
) -> None:
    torn, calm = f"torn{seed}", f"calm{seed}"
    crew = Crew(database_url, books, torn, seed)
    try:
        await asyncio.to_thread(crew.go_through, kills)
    finally:
        crew.end()
    async with matching(database_url, books, name=torn) as on:
        found = await outcome(on)
        assert standing_postings(on) == len(found["matches"])
        again = await outcome(on)
        ways = Counter(one.state for one in await on.matches())
    async with matching(database_url, books, name=calm) as on:
        for side, one in pieces():
            await on.take(side, one)
        expected = await outcome(on)
        assert standing_postings(on) == len(expected["matches"])
    assert min(crew.killed[victim] for victim in VICTIMS) >= kills // len(VICTIMS)
    assert len(expected["matches"]) > 15
    assert len(expected["open"]) > 3
    assert found == again == expected
    sys.stdout.write(f"{crew.killed}: {ways}\n")

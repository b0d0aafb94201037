"""One process of a reconciliation, to be killed: what hands statements in, what runs rounds, or what books.

Run as a script by the tests: ROLE URL BOOKS NAME SEED. Statements follow from nothing but this file; the seed says in
which order they come.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pg.reconciliation.matched import SURE, Matching, books_settings, statement, steered, terms_named
from tests.pg.stage import Stage, settings_for

from interlock.cases.registry import Registry
from interlock.cases.worker import Worker
from interlock.errors import StateConflict
from interlock.node import open_node
from interlock.packs.reconciliation.entry import Side, Statement
from interlock.sim import SimulatedBooks

Piece = tuple[Side, Statement]
Row = tuple[str, str, int]
PAYMENTS = 24
_EVERY = 6
_LONGEST_PAUSE_S = 0.15


def pieces() -> list[Piece]:
    """Both sides in pieces: they overlap, some correct others, and some payments come in parts or never."""
    expected: list[Row] = [(f"R{n}", SURE, 1000 + 7 * n) for n in range(PAYMENTS)]
    actual: list[Row] = []
    for n in range(PAYMENTS):
        whole = 1000 + 7 * n
        parts = {0: [], 1: [whole - 30], 2: [400, whole - 400]}.get(n % _EVERY, [whole])
        actual += [(f"R{n}", "", part) for part in parts]
    third = len(actual) // 3
    wrong = [(reference, code, minor - 1 if at % 2 else minor) for at, (reference, code, minor) in enumerate(actual)]
    yen = [("Y1", SURE, -5000), ("Y2", SURE, 800)]
    return [
        (Side.EXPECTED, statement("e1", *expected[: PAYMENTS // 2])),
        (Side.EXPECTED, statement("e2", *expected[PAYMENTS // 3 :])),
        (Side.EXPECTED, statement("e3", *yen, currency="JPY")),
        (Side.ACTUAL, statement("a1", *wrong[: 2 * third])),
        (Side.ACTUAL, statement("a1", *actual[: 2 * third], made=1)),
        (Side.ACTUAL, statement("a2", *actual[third:], made=2)),
        (Side.ACTUAL, statement("a3", ("Y1", "", -5000), ("R3", "", 9_999_999), currency="JPY")),
        (Side.ACTUAL, statement("a4", ("R0", "", 1), ("R1", "", 2))),
        (Side.ACTUAL, statement("a4", ("R2", "", 3), made=5)),
    ]


def in_any_order(seed: int) -> list[Piece]:
    """Every piece, some of them twice."""
    random, found = Random(seed), pieces()
    found += random.sample(found, 3)
    random.shuffle(found)
    return found


async def hand_in(on: Matching, seed: int) -> None:
    """Hand every piece in, with pauses, then stop."""
    random = Random(seed)
    for side, one in in_any_order(seed):
        await on.take(side, one)
        await asyncio.sleep(random.uniform(0, _LONGEST_PAUSE_S))


async def go_round(on: Matching, seed: int) -> None:
    """Run rounds without end."""
    rounds = on.rounds()
    while seed:
        with suppress(StateConflict):  # the lock of one who was killed is there for a moment still
            await rounds.run(patience_s=0.5)
        await asyncio.sleep(0.05)


async def book(on: Matching, seed: int) -> None:
    """Work on cases without end."""
    node = on.on.node
    worker = Worker(node.url, node.tools, node.registry, node.notifier, probe_s=0.2, poll_s=0.1)
    async with worker:
        await asyncio.Event().wait() if seed else None


ROLES: dict[str, Callable[[Matching, int], Awaitable[None]]] = {"intake": hand_in, "rounds": go_round, "worker": book}


async def main(role: str, url: str, books: str, name: str, seed: int) -> None:
    """Play one role."""
    settings = settings_for(url, {"books": books_settings(books)})
    async with open_node(settings, registry=Registry([steered()])) as node:
        found = Matching(Stage(node), terms_named(name), SimulatedBooks(Path(os.devnull)))
        await ROLES[role](found, seed)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])))

"""One process of a reconciliation, to be killed: what hands statements in, what runs rounds, or what books.

Run as a script by the tests: ROLE URL BOOKS NAME SEED. Statements follow from nothing but this file and the data; the
seed says in which order they come.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import date
from pathlib import Path
from random import Random

import msgspec

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pg.reconciliation.matched import SURE, Matching, books_settings, statement, steered, terms_named
from tests.pg.stage import Stage, settings_for

from interlock.cases.registry import Registry, register
from interlock.cases.worker import Worker
from interlock.errors import StateConflict
from interlock.node import open_node
from interlock.packs.reconciliation.entry import Side, Statement
from interlock.packs.reconciliation.workflow import reconciliation
from interlock.sim import SimulatedBooks

Piece = tuple[Side, Statement]
Row = tuple[str, str, int]
PAYMENTS = "payments"
"""A reconciliation whose name begins so is of the real data, with the trained scorer; any other is of a few entries."""
LATER = date(2026, 3, 31)
_FEW = 24
_EVERY = 6
_LONGEST_PAUSE_S = 0.15


def entries() -> tuple[list[Row], list[Row]]:
    """The few entries of both sides: some are paid in parts, with a fee, or never."""
    expected: list[Row] = [(f"R{n}", SURE, 1000 + 7 * n) for n in range(_FEW)]
    actual: list[Row] = []
    for n in range(_FEW):
        whole = 1000 + 7 * n
        parts = {0: [], 1: [whole - 30], 2: [400, whole - 400]}.get(n % _EVERY, [whole])
        actual += [(f"R{n}", "", part) for part in parts]
    return expected, actual


def pieces(name: str) -> list[Piece]:
    """Both sides in pieces: they overlap, and some correct others."""
    if name.startswith(PAYMENTS):
        from reconciliation_payments import sliced  # the scorer's libraries take longer to import than all else

        return [(side, one) for side in Side for one in sliced(side)]
    expected, actual = entries()
    third = len(actual) // 3
    wrong = [(reference, code, minor - 1 if at % 2 else minor) for at, (reference, code, minor) in enumerate(actual)]
    return [
        *foreign(),
        (Side.EXPECTED, statement("e1", *expected[: _FEW // 2])),
        (Side.EXPECTED, statement("e2", *expected[_FEW // 3 :])),
        (Side.ACTUAL, statement("a1", *wrong[: 2 * third])),
        (Side.ACTUAL, statement("a1", *actual[: 2 * third], made=1)),
        (Side.ACTUAL, statement("a2", *actual[third:], made=2)),
        (Side.ACTUAL, statement("a4", ("R0", "", 1), ("R1", "", 2))),
        (Side.ACTUAL, statement("a4", ("R2", "", 3), made=5)),
    ]


def whole(name: str) -> list[Piece]:
    """The same entries in one piece a side and currency."""
    if name.startswith(PAYMENTS):
        from reconciliation_payments import at_once

        return [(side, at_once(side)) for side in Side]
    expected, actual = entries()
    joined = statement("a", *actual, ("R2", "", 3), made=9)
    return [*foreign(), (Side.EXPECTED, statement("e", *expected, made=9)), (Side.ACTUAL, joined)]


def covering(day: date, number: str, currency: str) -> Statement:
    """A statement without entries: nothing that it does not state will come up to this day."""
    return msgspec.structs.replace(statement(number, currency=currency), first_day=day, last_day=day)


def foreign() -> list[Piece]:
    """What is of another currency, and the days after which what nothing matches is a break."""
    return [
        *((side, covering(LATER, f"z{currency}", currency)) for side in Side for currency in ("EUR", "JPY")),
        (Side.EXPECTED, statement("e3", ("Y1", SURE, -5000), ("Y2", SURE, 800), currency="JPY")),
        (Side.ACTUAL, statement("a3", ("Y1", "", -5000), ("R3", "", 9_999_999), currency="JPY")),
    ]


@asynccontextmanager
async def playing(url: str, books: str, name: str) -> AsyncGenerator[Matching]:
    """A node on the reconciliation, without workers."""
    real = name.startswith(PAYMENTS)
    settings = settings_for(url, {"books": books_settings(books)})
    registered = register(reconciliation) if real else steered()
    async with open_node(settings, registry=Registry([registered])) as node:
        found = Matching(Stage(node), terms_named(name), SimulatedBooks(Path(os.devnull)))
        if real:
            from reconciliation_payments import scored

            found.terms, found.solve = scored(found.terms)
        yield found


def in_any_order(name: str, seed: int) -> list[Piece]:
    """Every piece, some of them twice."""
    random, found = Random(seed), pieces(name)
    found += random.sample(found, 3)
    random.shuffle(found)
    return found


async def hand_in(on: Matching, seed: int) -> None:
    """Hand every piece in, with pauses, then stop."""
    random = Random(seed)
    for side, one in in_any_order(on.terms.name, seed):
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
    async with playing(url, books, name) as found:
        await ROLES[role](found, seed)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])))

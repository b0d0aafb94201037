"""Taking a statement back with all that rests on it: what that is, and the rounds that undo it and decide anew.

Nothing here is kept: what rests on a statement follows from the rows, before it is recalled and after. So whoever is
killed starts again with the same statement, and goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from interlock.db.database import Database
from interlock.errors import StateConflict
from interlock.packs.reconciliation.rounds.round import Figures, Rounds
from interlock.packs.reconciliation.rounds.store import REST_ON_STATEMENT, Resting

PATIENCE_S = 2.0
"""For how long one round waits for undos, before it is said how far they are."""
AGAIN_S = 0.5
STUCK_S = 10.0
"""How long nothing may happen before the rest is left to those that run: longer than an undo takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """The money of one kind in one state.

    Attributes:
        kind: ``match`` or ``break``.
        state: As of ``Resting``.
        currency: The currency.
        count: How many.
        minor: The money in them, in minor units; a sum may be more than one amount can be.
    """

    kind: str
    state: str
    currency: str
    count: int
    minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """How far it came.

    Attributes:
        left: What is not taken back yet.
        figures: The last round's; None: rounds are another process's just now.
    """

    left: tuple[Resting, ...]
    figures: Figures | None

    @property
    def done(self) -> bool:
        """Whether nothing rests on the statement any more, and what it left is decided anew."""
        return not self.left and self.figures is not None and self.figures.settled


async def rest_on(database: Database, tenant: UUID, statement: UUID) -> tuple[Resting, ...]:
    """What is alive and rests on entries that count by this statement alone: matches first, the largest first."""
    async with database.tenant(tenant) as connection:
        return tuple(await REST_ON_STATEMENT.all(connection, {"statement": statement}))


def affected(resting: Sequence[Resting]) -> tuple[Affected, ...]:
    """The money in it, by kind, state and currency. Pure."""
    counts: Counter[tuple[str, str, str]] = Counter()
    money: Counter[tuple[str, str, str]] = Counter()
    for one in resting:
        counts[one.kind, one.state, one.currency] += 1
        money[one.kind, one.state, one.currency] += one.minor
    return tuple(
        Affected(kind=kind, state=state, currency=currency, count=count, minor=money[kind, state, currency])
        for (kind, state, currency), count in sorted(counts.items(), reverse=True)
    )


async def take_back(
    database: Database, tenant: UUID, statement: UUID, rounds: Rounds, *, wait_s: float, say: Callable[[str], None]
) -> TakenBack:
    """Go through rounds until nothing rests on a recalled statement, or nothing moves any more. Workers undo.

    Args:
        database: Connections.
        tenant: Whose.
        statement: The statement, which is recalled.
        rounds: Of its reconciliation.
        wait_s: For how long at most.
        say: Told how far it is, whenever that changes.
    """
    began = moved = time.monotonic()
    said, figures = "", None
    while True:
        try:
            figures = await rounds.run(patience_s=min(PATIENCE_S, wait_s))
        except StateConflict:  # `interlock up` is at it: what it does counts just as well
            figures = None
            await asyncio.sleep(AGAIN_S)
        left = await rest_on(database, tenant, statement)
        now = time.monotonic()
        found = TakenBack(left=left, figures=figures)
        what = f"{len(left)} are being taken back" if left else "all is taken back"
        if what != said:
            say(what)
            said, moved = what, now
        if found.done or now - began >= wait_s or now - moved >= STUCK_S:
            return found

"""A process that draws from what went by itself when it is told to, and asks about it when it is told again."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parents[3]))

from interlock.autonomy.audit import draw as drawing
from interlock.autonomy.audit.asking import ask
from interlock.autonomy.audit.points import AuditedPoint
from interlock.autonomy.audit.store import drawing_gate
from interlock.autonomy.terms import AuditTerms, AutonomyTerms, LossBudget, LossTerms, OutcomeTerms, Source
from interlock.db.database import Database
from interlock.db.gates import KeyGate
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.money import Money

AUDIT = AuditTerms(surely_from=2000)
POINT = AuditedPoint(
    workflow="approve",
    name="approve",
    terms=AutonomyTerms(
        review_cost=Money("3.20", "EUR"),
        budget=LossBudget(written=Money("0.40", "EUR")),
        cap=Money("1000.00", "EUR"),
        wrong=LossTerms(),
        outcome=OutcomeTerms(after=timedelta(days=30), source=Source.AUDIT, fields=("approved",)),
        audit=AUDIT,
    ),
    audit=AUDIT,
    queue="few",
    capacity=10,
    due=timedelta(hours=1),
    team=None,
    output="refund-decision@1",
)
"""What the file of the tests declares; of what they ask everything is drawn: 20.00 EUR are at stake."""


async def take_part(url: str, tenant: UUID) -> None:
    """Draw, with no more gates than that takes; a page at a time, so that two meet."""
    drawing.MOST_LOOKED_AT = 2
    async with (
        Database(url) as database,
        Notifier(url) as notifier,
        Writer(url, database.clock, (drawing_gate, KeyGate()), notifier) as writer,
    ):
        later = database.clock.now() + timedelta(minutes=1)
        print("ready", flush=True)  # noqa: T201 - the test reads it
        await asyncio.to_thread(sys.stdin.readline)
        drawn = 0
        for _ in range(20):
            drawn += await drawing.draw(database, writer, tenant, POINT, later)
        print(drawn, flush=True)  # noqa: T201 - the test reads it
        await asyncio.to_thread(sys.stdin.readline)
        print(await ask(database, writer, tenant, POINT, later), flush=True)  # noqa: T201 - the test reads it


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(take_part(sys.argv[1], UUID(sys.argv[2])), 60))

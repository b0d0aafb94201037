"""Another process that draws second looks: it prints what it draws from, a few at a time, until nothing is left."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.oversight.capacity.told import QueueTold
from interlock.oversight.quality import compare
from interlock.oversight.quality.store import DRAW_FROM, Drawable, draw_gate

TOLD = {"few": QueueTold(name="few", capacity=500, due=timedelta(hours=1), second_looks="0.5")}


class Slowly:
    """What there is to be drawn from, told and long enough on its way that another process reads it, too."""

    def __init__(self) -> None:
        self.ended = False

    async def all(self, connection: AsyncConnection[Any], asked: dict[str, object]) -> Sequence[Drawable]:
        """As the statement in its place."""
        found = await DRAW_FROM.all(connection, asked)
        self.ended = not found
        print(*(one.id for one in found), flush=True)  # noqa: T201 - the test reads it
        await asyncio.sleep(0.03)
        return found


async def draw(url: str, tenant: UUID) -> None:
    """Draw, with no more gates than that of a draw."""
    async with (
        Database(url) as database,
        Notifier(url) as notifier,
        Writer(url, database.clock, (draw_gate,), notifier) as writer,
    ):
        print("ready", flush=True)  # noqa: T201 - the test reads it
        await asyncio.to_thread(sys.stdin.readline)
        slowly = Slowly()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compare, "MOST_DRAWN_FROM", 2)
            patch.setattr(compare, "DRAW_FROM", slowly)
            while not slowly.ended:
                await compare.draw_second_looks(database, writer, tenant, TOLD, database.clock.now())
                await asyncio.sleep(0.005)


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(draw(sys.argv[1], UUID(sys.argv[2])), 30))

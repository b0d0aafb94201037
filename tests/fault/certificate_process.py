"""A process that does nothing but look after certificates, until it is killed: ``URL``. It says when it has begun.

With a tenant as well it withdraws what counts at the point ``approve.approve`` instead, once.
"""

from __future__ import annotations

import asyncio
import sys
from uuid import UUID

from interlock.autonomy.issuing.duty import keep_once
from interlock.autonomy.issuing.issue import stands_at, withdraw
from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.node import gates


async def main(url: str, withdrawn_of: str = "") -> None:
    """Look again and again, or withdraw."""
    async with (
        Database(url) as database,
        Notifier(url) as notifier,
        Writer(url, database.clock, gates(), notifier) as writer,
    ):
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        if withdrawn_of:
            stands = await stands_at(database, UUID(withdrawn_of), "approve", "approve")
            await withdraw(database, writer, UUID(withdrawn_of), stands, who="olga", why="the supplier changed")
            return
        while True:
            await keep_once(database, writer, lambda _: ())
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

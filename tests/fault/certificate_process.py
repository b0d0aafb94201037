"""A process that does nothing but look after certificates, until it is killed: ``URL``. It says when it has begun."""

from __future__ import annotations

import asyncio
import sys

from interlock.autonomy.issuing.duty import keep_once
from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.node import gates


async def main(url: str) -> None:
    """Look again and again."""
    async with (
        Database(url) as database,
        Notifier(url) as notifier,
        Writer(url, database.clock, gates(), notifier) as writer,
    ):
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        while True:
            await keep_once(database, writer, lambda _: ())
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

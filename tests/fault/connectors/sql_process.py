"""Processes for the tests of the SQL connector to kill and to stop: a sender, and a worker.

``send URL KEY OPERATION SECONDS`` asks for one payout in another database and prints the answer's kind and code.
``work URL FOLDER ROLE`` works on the cases of a database whose shop pays within Interlock's own transactions.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.connectors.conftest import ask, terms
from tests.pg.connectors.till import pay, till_settings
from tests.pg.stage import declared, stage

from interlock.connectors.sql import make


async def send(url: str, key: str, operation: str, seconds: str) -> None:
    """Ask once."""
    connector = make("shop", terms(url), lambda: datetime.now(UTC))
    sent = await connector.send(ask(key, operation=operation, seconds=float(seconds)))
    await connector.close()
    print(type(sent).__name__, getattr(sent, "code", ""), flush=True)  # noqa: T201 - it is how the test hears of it


async def work(url: str, folder: str, role: str) -> None:
    """Work until somebody ends it."""
    async with stage(url, [declared(pay, Path(folder), timeout="20s")], connectors=[till_settings(role)]):
        print("at work", flush=True)  # noqa: T201 - the same
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run({"send": send, "work": work}[sys.argv[1]](*sys.argv[2:]))

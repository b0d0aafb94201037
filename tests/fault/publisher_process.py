"""Publishes versions of some rules, one after the other, until it is killed; says each before it begins."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pg.publications.versions import refund_rules

from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.node import gates
from interlock.publications.publish import publish
from interlock.publications.reading import draft_rules


async def work(url: str, first: int, last: int) -> None:
    """Publish 1.FIRST to 1.LAST."""
    async with Database(url) as database, Notifier(url) as notifier:
        tenant = await database.ensure_tenant("default")
        async with Writer(url, database.clock, gates(), notifier) as writer:
            for number in range(first, last + 1):
                draft, _ = draft_rules(refund_rules(f"1.{number}", days=number), "x.rules.json")
                print(number, flush=True)  # noqa: T201 - the test reads it
                await publish(database, writer, tenant, draft, who="ana", why=f"number {number}")


asyncio.run(work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))

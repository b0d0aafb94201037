"""Cases that a stop held go on by themselves: within a second of its end, whoever or whatever ended it."""

from __future__ import annotations

import asyncio
import logging

import psycopg

from interlock.cases.store import WAKE_FREED_CASES
from interlock.db.database import Database
from interlock.db.signals import Notifier, news_within
from interlock.errors import DatabaseUnavailable
from interlock.guards.stops import CHANNEL

log = logging.getLogger("interlock.stops")


async def wake_freed(database: Database) -> int:
    """Make the cases ready whose stop was lifted, has ended, or was a term that is authorized again; how many."""
    async with database.installation() as connection:
        return await WAKE_FREED_CASES.one(connection) or 0


async def wake_freed_forever(database: Database, notifier: Notifier, poll_s: float) -> None:
    """Look at each news of stops, and every ``poll_s`` seconds: a stop that ends by its time sends no news."""
    news = asyncio.Event()
    notifier.listen(CHANNEL, news.set)
    while (task := asyncio.current_task()) and not task.cancelling():
        try:
            if await wake_freed(database):
                notifier.wake("cases")
        except (DatabaseUnavailable, psycopg.Error):
            log.warning("held cases cannot be looked at now; looking again")
        await news_within(news, poll_s)

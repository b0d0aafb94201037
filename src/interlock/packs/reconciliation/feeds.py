"""All sources of a reconciliation, looked at while a process runs; one that is in trouble holds up no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import psycopg

from interlock.errors import InterlockError
from interlock.packs.reconciliation.configured import source_of
from interlock.packs.reconciliation.folder import WatchedFolder
from interlock.packs.reconciliation.intake import Intake, Source
from interlock.packs.reconciliation.snapshot import take_query
from interlock.reconciliation_settings import ReconciliationSettings, SourceSettings

FOLDER_EVERY = timedelta(seconds=1)
SETTLE = timedelta(seconds=5)
"""For so long a file must stand still, where a source does not say it."""
QUERY_EVERY = timedelta(minutes=1)
log = logging.getLogger("interlock.reconciliation")

Look = Callable[[], Awaitable[int]]
"""Looks once; how many files were new."""


def looks(
    intake: Intake, settings: ReconciliationSettings, environ: Mapping[str, str]
) -> dict[str, tuple[Look, timedelta]]:
    """What looks at each source, by ``SIDE.NAME``, and how often.

    Args:
        intake: Takes in what comes.
        settings: The sources.
        environ: Where the URLs of queries may stand.

    Raises:
        ConfigInvalid: a format or a dialect is none, or a URL is not where the settings say.
    """
    found: dict[str, tuple[Look, timedelta]] = {}
    for told in settings.sources:
        source = source_of(settings, told)
        look = _look(intake, told, source, environ)
        found[f"{told.side}.{told.name}"] = (look, told.every or (FOLDER_EVERY if told.folder else QUERY_EVERY))
    return found


async def run_feeds(feeds: Mapping[str, tuple[Look, timedelta]], ended: asyncio.Event) -> None:
    """Look at every source again and again until ``ended`` is set; trouble with one is told and waited out.

    Args:
        feeds: As ``looks`` gives them.
        ended: Ends it, between two looks.
    """
    async with asyncio.TaskGroup() as tasks:
        for name, (look, every) in feeds.items():
            tasks.create_task(_run(name, look, every, ended), name=f"interlock-feed-{name}")


async def _run(name: str, look: Look, every: timedelta, ended: asyncio.Event) -> None:
    said = ""
    while not ended.is_set():
        try:
            if new := await look():
                log.info("%s: %d taken", name, new)
            said = ""
        except Exception as cause:
            # whatever befalls one source, the others and the rounds go on
            what = str(cause) if isinstance(cause, (InterlockError, psycopg.Error, OSError)) else repr(cause)
            if what != said:
                unforeseen = None if isinstance(cause, (InterlockError, psycopg.Error, OSError)) else cause
                log.warning("%s could not be looked at, trying again: %s", name, what, exc_info=unforeseen)
            said = what
        try:
            async with asyncio.timeout(every.total_seconds()):
                await ended.wait()
        except TimeoutError:
            continue


def _look(intake: Intake, told: SourceSettings, source: Source, environ: Mapping[str, str]) -> Look:
    if told.folder is not None:
        settle_s = (told.settle or SETTLE).total_seconds()
        return WatchedFolder(intake, source, told.folder, done=told.done, refused=told.refused, settle_s=settle_s).look
    secret, dialect = told.url, source.dialect
    if secret is None or dialect is None:
        raise AssertionError("the settings are checked: a query has a url and a dialect")

    async def look() -> int:
        taken = await take_query(intake, source, dialect, secret.resolve(environ), told.query)
        return int(taken is not None)

    return look

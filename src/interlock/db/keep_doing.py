"""Doing something again and again while a process runs, so that no person has to be awake for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import psycopg

from interlock.errors import InterlockError

log = logging.getLogger("interlock.duties")


async def keep_doing(what: str, do: Callable[[], Awaitable[object]], every_s: float, *, part: int = 0) -> None:
    """Do something again and again, whatever becomes of it, until this is cancelled.

    What goes wrong is logged when it begins, and anew when something of another kind goes wrong; not in every round: a
    database that is away for an hour would fill the log. That it goes on is logged, too.

    Args:
        what: Its name for the log, in the plural: ``verdicts``.
        do: It.
        every_s: Seconds before the first time, and between two.
        part: It takes no more than one part in so many of the time; 0: as much as it takes.
    """
    took, failing = 0.0, None
    # The pool waits by wait_for, which in Python 3.11 can swallow a cancellation; the request for it still counts.
    while (task := asyncio.current_task()) and not task.cancelling():
        await asyncio.sleep(max(every_s, took * part))
        began, failed = time.monotonic(), None
        try:
            await do()
        except Exception as cause:  # whatever is wrong with one, it is tried again, and the others go on
            failed = type(cause)
            if failed is not failing:
                foreseen = isinstance(cause, (InterlockError, psycopg.Error))
                log.warning("%s have to wait, trying again: %s", what, cause, exc_info=None if foreseen else cause)
        if failing and not failed:
            log.warning("%s go on", what)
        failing, took = failed, time.monotonic() - began

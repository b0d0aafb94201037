"""An answer by the time that its caller stated, while what was begun goes on: nothing that may be recorded is cut."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from interlock.api.admission import Ticket
from interlock.errors import DecisionLate

T = TypeVar("T")
log = logging.getLogger("interlock.api")

_going_on: set[asyncio.Task[Any]] = set()
"""What goes on without its caller; the event loop itself holds tasks only weakly."""


async def answered_by(until: float, work: Coroutine[Any, Any, T], ticket: Ticket | None = None) -> T:
    """What a piece of work gives, by a deadline.

    INVARIANT: the work is never cut, whether its caller is answered late or is gone: its commit may be under way, and
    the same key finds what becomes of it. It keeps its place among those under way, so that what a slow database holds
    up does not grow without a bound.

    Args:
        until: The deadline on the event loop's clock.
        work: The work; the stages before the commit keep the deadline by themselves.
        ticket: Its place among those under way.

    Raises:
        DecisionLate: the deadline is over; the work goes on.
    """
    task, limit = asyncio.create_task(work), asyncio.timeout_at(until)
    try:
        async with limit:
            return await asyncio.shield(task)
    except TimeoutError:
        if not limit.expired():
            raise
        if task.done():
            return task.result()
        what = "the time that was stated is over; it may have been decided"
        raise DecisionLate(what, todo="ask again with the same key") from None
    finally:
        if not task.done():
            _going_on.add(task)
            task.add_done_callback(_ended)
            if ticket is not None:
                ticket.stay_for(task)


def _ended(task: asyncio.Task[Any]) -> None:
    _going_on.discard(task)
    if not task.cancelled() and (cause := task.exception()):
        log.warning("a decision whose caller was told that it is late came to nothing: %s", cause)

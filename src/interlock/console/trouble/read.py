"""Exceptions with what is known of their cases, read for their pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from interlock.cases.scene import scene_of
from interlock.cases.ways import Scene
from interlock.clock import first_id
from interlock.console.trouble.store import ARRIVALS
from interlock.console.trouble.trend import DAY, DAYS, HOUR, HOURS, NONE, Trend, trends
from interlock.console.visit import Visit
from interlock.errors import NotFound
from interlock.oversight.exception import CaseException, CauseGroup, grouped
from interlock.oversight.store import EXCEPTIONS_OF_GROUP, FIND_EXCEPTION, LIST_EXCEPTION_GROUPS

MOST_GROUPS = 200
MOST_MEMBERS = 100
"""Members of a group that its page lists."""
MOST_TRIED = 25
"""Members against which a way is held before a group is resolved."""


async def read_groups(visit: Visit) -> tuple[CauseGroup, ...]:
    """The open exceptions by cause, the highest priority first."""
    async with visit.node.database.tenant(visit.tenant) as connection:
        return grouped(await LIST_EXCEPTION_GROUPS.all(connection, {"most": MOST_GROUPS}))


async def read_trends(visit: Visit, causes: Sequence[UUID]) -> Mapping[UUID, tuple[Trend, Trend]]:
    """How often each cause arrives: by day for a week, by hour for a day."""
    async with visit.node.database.tenant(visit.tenant) as connection:
        days = await _arrived(connection, visit, causes, DAY, DAYS)
        hours = await _arrived(connection, visit, causes, HOUR, HOURS)
    by_day, by_hour = trends(days, DAYS, "day"), trends(hours, HOURS, "hour")
    return {cause: (by_day.get(cause, NONE["day"]), by_hour.get(cause, NONE["hour"])) for cause in causes}


async def read_members(visit: Visit, fingerprint: UUID, most: int = MOST_MEMBERS) -> list[CaseException]:
    """The open exceptions of one cause, the oldest first."""
    async with visit.node.database.tenant(visit.tenant) as connection:
        return await EXCEPTIONS_OF_GROUP.all(connection, {"fingerprint": fingerprint, "most": most})


async def find_exception(visit: Visit, exception_id: UUID) -> CaseException:
    """One exception.

    Raises:
        NotFound: their tenant has none of that id.
    """
    async with visit.node.database.tenant(visit.tenant) as connection:
        found = await FIND_EXCEPTION.one(connection, {"id": exception_id})
    if found is None:
        raise NotFound(f"there is no exception {exception_id}", todo="the page of exceptions lists the open ones")
    return found


async def read_scene(visit: Visit, found: CaseException) -> Scene | None:
    """All that is known of an exception's case; None: it has none."""
    return next(iter(await read_scenes(visit, [found])), None)


async def read_scenes(visit: Visit, found: Sequence[CaseException]) -> list[Scene]:
    """The same of several; without those that have no case."""
    async with visit.node.database.tenant(visit.tenant) as connection:
        scenes = [await scene_of(connection, one, one.case_id) for one in found if one.case_id is not None]
    return [one for one in scenes if one is not None]


async def _arrived(
    connection: AsyncConnection[Any], visit: Visit, causes: Sequence[UUID], step: timedelta, steps: int
) -> list[Any]:
    since = visit.node.database.clock.now() - step * steps
    asked = {"fingerprints": list(causes), "since": since, "first": first_id(since), "step": step.total_seconds()}
    return await ARRIVALS.all(connection, asked)

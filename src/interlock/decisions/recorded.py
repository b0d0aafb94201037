"""Recorded decisions of one point as a stream of pages, newest first: memory does not grow with their number."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from uuid import UUID

from interlock.clock import first_id
from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.decisions.rules_diff import Recorded

PAGE = 500
RECORDED_DECISIONS = load_queries(__file__).rows("recorded_decisions", Recorded)


async def recorded_decisions(
    database: Database, tenant: UUID, *, workflow: str, point: str, since: datetime, limit: int
) -> AsyncGenerator[list[Recorded]]:
    """The decisions of a point since a moment, in pages; at most so many, the newest first.

    No transaction is held between two pages.
    """
    before, left = UUID(int=2**128 - 1), limit
    while left > 0:
        wanted = {
            "workflow": workflow,
            "point": point,
            "since": first_id(since),
            "before": before,
            "most": min(PAGE, left),
        }
        async with database.tenant(tenant) as connection:
            page = await RECORDED_DECISIONS.all(connection, wanted)
        if not page:
            return
        yield page
        before, left = page[-1].id, left - len(page)

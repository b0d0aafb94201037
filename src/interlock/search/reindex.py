"""Makes the decisions of a point findable that were taken before, in batches of a commit each.

A run that ends early, for whatever reason, has done whole batches: the next one goes on from its cursor, or begins
again and passes over what is done.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple
from uuid import UUID

from interlock.db.database import Database
from interlock.search.entry import SearchField
from interlock.search.index import renewed
from interlock.search.store import DECISIONS_TO_INDEX, SET_SEARCHABLE
from interlock.search.wanted import LAST_ID

BATCH = 1000


class Progress(NamedTuple):
    """How far one run is.

    Attributes:
        looked: How many decisions were looked at.
        written: How many of them have a new row.
        cursor: All from this one on are done.
    """

    looked: int
    written: int
    cursor: UUID


async def reindex(
    database: Database, tenant: UUID, point: str, fields: Sequence[SearchField], *, before: UUID = LAST_ID
) -> AsyncIterator[Progress]:
    """Look at each decision of a point, the newest first, and write its row anew where it is not as it should be.

    Args:
        database: Where they are.
        tenant: Whose.
        point: As ``workflow.point``.
        fields: The point's, as its contracts declare them now.
        before: The cursor of an earlier run.

    Yields:
        How far it is, after each batch.
    """
    workflow, _, name = point.rpartition(".")
    given = {"workflow": workflow, "point": name, "since": UUID(int=0), "most": BATCH}
    looked = written = 0
    while True:
        async with database.tenant(tenant) as connection:
            decisions = await DECISIONS_TO_INDEX.all(connection, {**given, "before": before})
            rows = [row for one in decisions if (row := renewed(tenant, one, fields)) is not None]
            if rows:
                await SET_SEARCHABLE.run(connection, rows)
        looked, written = looked + len(decisions), written + len(rows)
        if not decisions:
            return
        before = decisions[-1].id
        yield Progress(looked, written, before)
        if len(decisions) < BATCH:
            return

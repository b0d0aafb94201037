"""Reading all that is known of an exception and its case."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from interlock.actions.store import ACTIONS_OF_CASE
from interlock.cases.store import FIND_CASE, JOURNAL_OF_CASE, OPEN_ACTIONS
from interlock.cases.ways import Scene
from interlock.oversight.exception import CaseException


async def scene_of(connection: AsyncConnection[Any], found: CaseException, case_id: UUID) -> Scene | None:
    """What is known of an exception and its case; None: there is no such case.

    Args:
        connection: In the tenant's transaction.
        found: The exception.
        case_id: Its case.
    """
    mine = {"case_id": case_id}
    case = await FIND_CASE.one(connection, {"id": case_id})
    if case is None:
        return None
    return Scene(
        exception=found,
        case=case,
        journal=await JOURNAL_OF_CASE.all(connection, {**mine, "run": case.run}),
        actions=await ACTIONS_OF_CASE.all(connection, mine),
        unended=await OPEN_ACTIONS.all(connection, mine),
    )

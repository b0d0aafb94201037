"""An exception as the policies see it before somebody resolves it."""

from __future__ import annotations

from uuid import UUID

from interlock.authority.judge import Resource
from interlock.cases.ways import Scene, Way
from interlock.db.database import Database
from interlock.oversight.handed_in import find_hands
from interlock.oversight.task import task_resource


async def judged_as(database: Database, tenant: UUID, scene: Scene, way: Way) -> Resource:
    """What policies may ask of an exception and of one way out of it: an answer in the place of a decision is one.

    Args:
        database: To read through whose hands the case went.
        tenant: Whose.
        scene: What is known of the exception.
        way: How somebody would resolve it.
    """
    found, step = scene.exception, scene.answerable if way is Way.ANSWER else None
    hands = await find_hands(database, tenant, found)
    return task_resource(
        tenant, found, handed_in_by=hands.handed_in_by, written_by=hands.written_by, team=found.team or "", way=way,
        answers=step.kind if step else None,
    )  # fmt: skip

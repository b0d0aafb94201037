"""An exception as the policies see it before somebody resolves it."""

from __future__ import annotations

from uuid import UUID

from interlock.authority.judge import Resource
from interlock.cases.journal import StepKind
from interlock.cases.practice_asked import practice_demands
from interlock.cases.registry import Registry
from interlock.cases.ways import Scene, Way
from interlock.db.database import Database
from interlock.oversight.handed_in import find_hands
from interlock.oversight.practice.qualified import practised_at
from interlock.oversight.task import task_resource


async def judged_as(database: Database, tenant: UUID, scene: Scene, way: Way, registry: Registry | None) -> Resource:
    """What policies may ask of an exception and of one way out of it: an answer in the place of a decision is one.

    Args:
        database: To read through whose hands the case went.
        tenant: Whose.
        scene: What is known of the exception.
        way: How somebody would resolve it.
        registry: The workflows that this process carries, whose files say where somebody must have practised.
    """
    found, step = scene.exception, scene.answerable if way is Way.ANSWER else None
    hands = await find_hands(database, tenant, found)
    practised_by = None
    if step is not None and step.kind is StepKind.DECIDE:
        demands = practice_demands(registry if registry is not None else Registry(()))
        practised_by = await practised_at(
            database, tenant, found.workflow, demands(found.workflow, step.name, ""), step.name
        )
    return task_resource(
        tenant, found, handed_in_by=hands.handed_in_by, written_by=hands.written_by, team=found.team or "", way=way,
        answers=step.kind if step else None, practised_by=practised_by,
    )  # fmt: skip

"""What the files of a process's workflows ask for in practice. Pure."""

from __future__ import annotations

from interlock.cases.queues import sharing
from interlock.cases.registry import Registry
from interlock.oversight.practice.qualified import Asked, Demands
from interlock.oversight.practice.read import Demanded


def practice_demands(registry: Registry) -> Demands:
    """What the files of these workflows ask for.

    A question that workflow code asks has no point of its own: all that share its queue count.
    """

    def demands(workflow: str, point: str, queue: str) -> Asked | None:
        registered = registry.find(workflow)
        if registered is None:
            return None
        declared = registered.declaration.decisions.get(point)
        points = (declared,) if declared is not None else sharing(registered.declaration, queue)
        return {one.name: one.queue.practice for one in points if one.queue.practice is not None}

    return demands


def practice_demanded(registry: Registry) -> Demanded:
    """What every decision point of these workflows asks for, of those that ask for practice."""
    return {
        (entry.workflow.name, point.name): point.queue.practice
        for entry in registry.all
        for point in entry.declaration.decisions.values()
        if point.queue.practice is not None
    }

"""The points of which a sample of what went by itself is audited, as the workflows' files declare them."""

from __future__ import annotations

from interlock.autonomy.audit.points import AuditedPoint
from interlock.cases.queues import queues_told
from interlock.cases.registry import Registry


def audited_points(registry: Registry) -> tuple[AuditedPoint, ...]:
    """Every point that declares an audit sample; of a queue that several share, the strictest word holds."""
    told = queues_told(entry.declaration for entry in registry.all)
    return tuple(
        AuditedPoint(
            workflow=entry.workflow.name,
            name=point.name,
            terms=point.autonomy,
            audit=point.autonomy.audit,
            queue=point.queue.name,
            capacity=told[point.queue.name].capacity,
            due=told[point.queue.name].due,
            team=point.queue.team or None,
            output=point.output,
        )
        for entry in registry.all
        for point in entry.declaration.decisions.values()
        if point.autonomy is not None and point.autonomy.audit is not None
    )

"""What the workflows' files say of points, as outcomes need it."""

from __future__ import annotations

import functools
from uuid import UUID

from interlock.autonomy.outcomes.line import OutcomePoint
from interlock.autonomy.outcomes.plan import Points
from interlock.cases.registry import Registry


def outcome_points(registry: Registry, tenant: UUID) -> Points:
    """What is known here of each point. One that no file here declares: whether it was right can be said of it alone.

    Args:
        registry: The workflows.
        tenant: Whose contracts.
    """

    @functools.cache
    def point_of(workflow: str, point: str) -> OutcomePoint:
        registered = registry.find(workflow)
        declared = registered.declaration.decisions.get(point) if registered else None
        if registered is None or declared is None:
            return OutcomePoint()
        output = registered.library.for_tenant(tenant).contract(declared.output)
        return OutcomePoint(output=output, purpose=declared.purpose, terms=declared.autonomy)

    return point_of

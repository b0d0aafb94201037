"""Two versions of rules over what was decided: at which points, and what both say of their recorded decisions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from interlock.cases.fits import uses
from interlock.cases.registry import Registry
from interlock.components.rules import Rules
from interlock.db.database import Database
from interlock.decisions.diff_unsaid import unsaid
from interlock.decisions.library import Library
from interlock.decisions.point import DecisionPoint
from interlock.decisions.recorded import recorded_decisions
from interlock.decisions.rules_diff import Comparison, Diff, Recorded

Opened = Callable[[DecisionPoint, Recorded], Awaitable[Recorded | None]]
"""Gives a personal decision in clear, for the purpose of its point; None: its person is erased."""


class PointOfRules(NamedTuple):
    """A decision point at which rules are asked."""

    workflow: str
    point: DecisionPoint
    library: Library

    @property
    def name(self) -> str:
        """Its full name."""
        return f"{self.workflow}.{self.point.name}"


def points_known(registry: Registry) -> list[PointOfRules]:
    """Every decision point that this process carries."""
    return [
        PointOfRules(entry.workflow.name, point, entry.library)
        for entry in registry.all
        for point in entry.declaration.decisions.values()
    ]


def points_using(registry: Registry, versions: tuple[Rules, Rules]) -> list[PointOfRules]:
    """The points that name the line of one of the versions."""
    return [
        one for one in points_known(registry) if any(any(uses(one.point, v.ref.name, v.ref.version)) for v in versions)
    ]


async def try_rules(
    database: Database,
    tenant: UUID,
    one: PointOfRules,
    versions: tuple[Rules, Rules],
    *,
    span: timedelta,
    limit: int,
    opened: Opened,
) -> Diff:
    """Run two versions over the decisions of a point; nothing is changed, and memory does not grow with their number.

    Args:
        database: Where they are.
        tenant: Whose.
        one: The point.
        versions: The old and the new one.
        span: How far back.
        limit: The most decisions, the newest first.
        opened: Opens personal decisions; what is told of them then names no value.
    """
    comparison = Comparison(one.point, *versions, one.library.for_tenant(tenant))
    pages = recorded_decisions(
        database, tenant, workflow=one.workflow, point=one.point.name, since=database.clock.now() - span, limit=limit
    )
    async for page in pages:
        clear = [await opened(one.point, recorded) for recorded in page] if one.point.purpose else page
        await asyncio.to_thread(_add, comparison, clear)  # rules may be long, and others wait for this process
    result = comparison.result()
    return unsaid(result) if one.point.purpose else result


def _add(comparison: Comparison, page: Sequence[Recorded | None]) -> None:
    for recorded in page:
        if recorded is not None:
            comparison.add(recorded)

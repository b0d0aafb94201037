"""Who has practised enough to decide something: a fact that policies ask for on every path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

from interlock.db.database import Database
from interlock.oversight.practice.store import QUALIFIED_AT
from interlock.oversight.practice.terms import PracticeTerms
from interlock.oversight.review import Review

UNPRACTISED = "nobody-decides-where-they-have-not-practised"
"""The id of the shipped policy that asks for practice."""

Asked = Mapping[str, PracticeTerms]
"""The points at which somebody must be qualified, all of them, with their terms; empty: none."""
Demands = Callable[[str, str, str], Asked | None]
"""Gives what a workflow, a point and its queue ask for; None: this process does not carry the workflow."""


def not_carried(_workflow: str, _point: str, _queue: str) -> Asked | None:
    """What is known of practice where no file is: nothing, so that what was given before counts."""
    return None


async def find_practised(database: Database, tenant: UUID, review: Review, demands: Demands) -> tuple[str, ...] | None:
    """Who may decide a review by what they practised; None: it asks for no practice."""
    asked = demands(review.workflow, review.point, review.queue)
    return await practised_at(database, tenant, review.workflow, asked, review.point)


async def practised_at(
    database: Database, tenant: UUID, workflow: str, asked: Asked | None, point: str
) -> tuple[str, ...] | None:
    """Who is qualified now at all that is asked for; None: nothing is.

    Where the file is not known, a point at which anybody ever had to qualify still asks for it: what a process does not
    carry gives nobody a way around it.

    Args:
        database: Where qualifications stand.
        tenant: Whose.
        workflow: Of the points.
        asked: What its file asks for; None: it is not known here.
        point: The point, where it is not.
    """
    if asked is not None and not asked:
        return None
    points = list(asked) if asked is not None else [point]
    async with database.tenant(tenant) as connection:
        found = await QUALIFIED_AT.all(connection, {"workflow": workflow, "points": points})
    if asked is None and not found:
        return None
    now = database.clock.now()
    held: dict[str, set[str]] = {}
    for one in found:
        until = one.until if asked is None else min(one.until, one.given_at + asked[one.point].lasts)
        if one.taken_at is None and until > now:
            held.setdefault(one.person, set()).add(one.point)
    return tuple(sorted(person for person, at in held.items() if at.issuperset(points)))

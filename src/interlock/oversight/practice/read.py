"""Reading how somebody stands in practice: their own at any time; of others only who may decide, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from interlock.authority.actor import known_as
from interlock.db.database import Database
from interlock.oversight.practice.store import HAS_MATERIAL, LESSONS, PRACTISED, QUALIFIED, Lesson, Qualification
from interlock.oversight.practice.terms import PracticeTerms

Demanded = Mapping[tuple[str, str], PracticeTerms]
"""What each decision point, by workflow and name, asks for."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How somebody stands at a decision point.

    Attributes:
        workflow: Of the point.
        point: Its name.
        terms: What it asks for; None: nothing, practice is for its own sake.
        items: How many items there are to practise on.
        left: How many of them they have not seen, so that they count.
        answered: How many of the last answers count, as many as are asked for at most.
        right: How many of these were right.
        until: Until when they may decide there; None: they may not, or nothing is asked for.
    """

    workflow: str
    point: str
    terms: PracticeTerms | None
    items: int
    left: int
    answered: int
    right: int
    until: datetime | None


class Everybody(msgspec.Struct, frozen=True, kw_only=True):
    """What leads see.

    Attributes:
        qualified: Who may decide where.
        lessons: What is practised on, beside known cases.
    """

    qualified: tuple[Qualification, ...]
    lessons: tuple[Lesson, ...]


async def read_standing(database: Database, tenant: UUID, who: str, demanded: Demanded) -> tuple[Standing, ...]:
    """How somebody stands wherever there is something to practise on, or practice is asked for."""
    person, now = known_as(who), database.clock.now()
    longest = max((one.lasts for one in demanded.values()), default=None)
    since = now - longest if longest else now
    async with database.tenant(tenant) as connection:
        material = {(one.workflow, one.point): one for one in await HAS_MATERIAL.all(connection, {"person": person})}
        held = await QUALIFIED.all(connection, {"now": now, "person": person})
        said = await PRACTISED.all(connection, {"person": person, "since": since, "workflow": None, "point": None})
    found: list[Standing] = []
    for workflow, point in sorted({*material, *demanded}):
        terms, there = demanded.get((workflow, point)), material.get((workflow, point))
        rights = [one.was_right for one in said if (one.workflow, one.point) == (workflow, point)]
        rights = rights[: terms.of] if terms else []
        ends = [min(one.until, one.given_at + terms.lasts) for one in held if terms and _is_at(one, workflow, point)]
        found.append(
            Standing(
                workflow=workflow,
                point=point,
                terms=terms,
                items=there.items if there else 0,
                left=there.left if there else 0,
                answered=len(rights),
                right=sum(rights),
                until=max((one for one in ends if one > now), default=None),
            )
        )
    return tuple(found)


async def read_everybody(database: Database, tenant: UUID) -> Everybody:
    """Who may decide where practice is asked for, and what is practised on."""
    async with database.tenant(tenant) as connection:
        qualified = await QUALIFIED.all(connection, {"now": database.clock.now(), "person": None})
        lessons = await LESSONS.all(connection)
    return Everybody(qualified=tuple(qualified), lessons=tuple(lessons))


def _is_at(one: Qualification, workflow: str, point: str) -> bool:
    return (one.workflow, one.point) == (workflow, point)

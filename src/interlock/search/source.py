"""Where the decisions for which one condition holds are read from: an index, the newest first.

Every condition that has an index is a source. The one that holds fewest leads, and what it gives is held against all
the others. Which one that is, is not guessed from statistics: each is asked for its newest thousand, and the one that
has no thousand, or reaches furthest back with it, leads.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from interlock.db.database import MaybeId
from interlock.db.gates import FIND_KEYS, key_digest
from interlock.db.queries import Rows
from interlock.search.store import (
    IDS_OF_CALLER,
    IDS_OF_CASES,
    IDS_OF_COMPONENT,
    IDS_OF_CONTRACT,
    IDS_OF_EXPOSURES,
    IDS_OF_PERSON,
    IDS_OF_POINTS,
    IDS_OF_REJECTED,
    IDS_OF_REVIEWED,
    IDS_OF_SPANS,
    IDS_OF_TERMS,
    POINTS_OF_TENANT,
    PointOfTenant,
)
from interlock.search.wanted import Wanted

FIRST = 1000
"""So many each source is asked for at first."""
_NAMED = {
    "by": IDS_OF_PERSON,
    "caller": IDS_OF_CALLER,
    "component": IDS_OF_COMPONENT,
    "contract": IDS_OF_CONTRACT,
}
_ROUTES = {"review": IDS_OF_REVIEWED, "reject": IDS_OF_REJECTED}
MOST_OF_A_RANGE = 20_000
"""So many decisions of a range are put in order; a range that holds more cannot lead."""


class Source:
    """The decisions for which one condition holds, the newest first.

    Args:
        statement: Gives the ids before one, the newest first, at most so many.
        given: The statement's own parameters.
        wanted: From which id on.
    """

    def __init__(self, statement: Rows[UUID], given: Mapping[str, Any], wanted: Wanted) -> None:
        self._statement = statement
        self._given = {**given, "since": wanted.since}
        self.first: list[UUID] = []
        self.whole = False

    async def look(self, connection: AsyncConnection[Any], before: UUID) -> bool:
        """Read the newest; whether this source can lead."""
        self.first = await self.read(connection, before, FIRST)
        self.whole = len(self.first) < FIRST
        return True

    async def read(self, connection: AsyncConnection[Any], before: UUID, most: int) -> list[UUID]:
        """The newest ids before one."""
        return await self._statement.all(connection, {**self._given, "before": before, "most": most})

    @property
    def rank(self) -> tuple[bool, int]:
        """The least leads: one whose ids are all known, with the fewest; else that which reaches furthest back."""
        return (not self.whole, len(self.first) if self.whole else self.first[-1].int)


class Range:
    """The decisions within a range of values: few enough to be put in order, or no source at all.

    Args:
        statement: Gives all ids, or a null where there are too many.
        given: The statement's own parameters.
        wanted: From which id on.
    """

    def __init__(self, statement: Rows[MaybeId], given: Mapping[str, Any], wanted: Wanted) -> None:
        self._statement = statement
        self._given = {**given, "since": wanted.since, "most": MOST_OF_A_RANGE}
        self.first: list[UUID] = []
        self.whole = True

    async def look(self, connection: AsyncConnection[Any], before: UUID) -> bool:
        """Read all of them; whether there are few enough."""
        found = await self._statement.all(connection, {**self._given, "before": before})
        self.first = sorted({one.id for one in found if one.id is not None}, reverse=True)
        return not any(one.id is None for one in found)

    async def read(self, connection: AsyncConnection[Any], before: UUID, most: int) -> list[UUID]:  # noqa: ARG002 - as Source
        """The newest ids before one."""
        return [one for one in self.first if one < before][:most]

    @property
    def rank(self) -> tuple[bool, int]:
        """As a source's whose ids are all known."""
        return False, len(self.first)


async def lead(
    connection: AsyncConnection[Any], wanted: Wanted, holders: list[UUID] | None, before: UUID
) -> Source | Range:
    """The source to read from.

    Args:
        connection: Of the tenant.
        wanted: What must hold.
        holders: Whom the wanted key belongs to; None where none is wanted.
        before: Only what is before this id.
    """
    able = [source async for source in _sources(connection, wanted, holders) if await source.look(connection, before)]
    if not able:
        able = [await _points(connection, wanted)]
        await able[0].look(connection, before)
    return min(able, key=lambda source: source.rank)


async def _sources(
    connection: AsyncConnection[Any], wanted: Wanted, holders: list[UUID] | None
) -> AsyncIterator[Source | Range]:
    """Those of all conditions that have an index of their own."""
    if holders is not None:
        yield Source(IDS_OF_CASES, {"cases": holders}, wanted)
    if wanted.case is not None:
        yield Source(IDS_OF_CASES, {"cases": [wanted.case]}, wanted)
    for field in wanted.fields:
        if field.exact:
            yield Source(IDS_OF_TERMS, {"terms": [span.low for span in field.spans]}, wanted)
        else:
            ends = {"lows": [span.low for span in field.spans], "highs": [span.high for span in field.spans]}
            yield Range(IDS_OF_SPANS, ends, wanted)
    for name, statement in _NAMED.items():
        value: str | None = getattr(wanted, name)
        if value is not None:
            yield Source(statement, {name: value}, wanted)
    if wanted.exposure is not None:
        low, high = wanted.exposure
        yield Range(IDS_OF_EXPOSURES, {"currency": wanted.currency, "low": low, "high": high}, wanted)
    if wanted.workflow is not None or wanted.route in _ROUTES:
        yield await _points(connection, wanted)


async def _points(connection: AsyncConnection[Any], wanted: Wanted) -> Source:
    """All decisions of the points that are looked at; of those that a person saw or that were rejected, these alone."""
    points = await _points_of(connection, wanted)
    given = {"workflows": [one.workflow for one in points], "points": [one.point for one in points]}
    return Source(_ROUTES.get(wanted.route or "", IDS_OF_POINTS), given, wanted)


async def _points_of(connection: AsyncConnection[Any], wanted: Wanted) -> list[PointOfTenant]:
    if wanted.workflow is not None and wanted.point is not None:
        return [PointOfTenant(wanted.workflow, wanted.point)]
    found = await POINTS_OF_TENANT.all(connection)
    return [one for one in found if wanted.workflow in (None, one.workflow)]


async def holders_of(connection: AsyncConnection[Any], tenant: UUID, wanted: Wanted) -> list[UUID] | None:
    """Whom the wanted key belongs to, decisions and cases, wherever it can have come.

    Returns:
        None where no key is wanted.
    """
    key = wanted.key
    if key is None:
        return None
    points = await _points_of(connection, wanted)
    purposes = {f"decision:{one.workflow}.{one.point}" for one in points} | {f"case:{one.workflow}" for one in points}
    held = await FIND_KEYS.all(connection, {"digests": [key_digest(tenant, one, key) for one in purposes]})
    return [one.holder for one in held]

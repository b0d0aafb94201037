"""Finding decisions: the newest first, a page at a time, in bounded time.

A page ends when it is full, when nothing is left, or after two thirds of a second, whichever comes first. What it says
is then true of all that lies after its cursor, and ``complete`` says whether anything can lie before it: a search for
what no index knows, and which hardly any decision is, goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from interlock.db.database import Database
from interlock.errors import Refused
from interlock.search.source import FIRST, Range, Source, holders_of, lead
from interlock.search.store import BY_ORDER_OF_INDEXES, FOUND_DECISIONS, FoundDecision
from interlock.search.wanted import LAST_ID, Wanted

MOST = 1000
"""The most decisions of a page."""
LONGEST_S = 0.65
"""After so long a page ends with what it has."""
_SMALLEST, _LARGEST = 100, 4000
"""So many decisions are held against the other conditions at once: few at first, since few are often enough."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        decisions: The newest first.
        complete: Whether there are no others.
        next: Where the next page begins; None if it is complete.
    """

    decisions: tuple[FoundDecision, ...]
    complete: bool
    next: UUID | None


def read_cursor(text: str | None) -> UUID:
    """The cursor of an earlier page; none: the beginning.

    Raises:
        Refused: it is none.
    """
    if text is None:
        return LAST_ID
    try:
        return UUID(text)
    except ValueError as cause:
        raise Refused(
            f"{text[:60]!r} is no cursor", where="cursor", todo="give the `next` of an earlier page as it was"
        ) from cause


async def find_decisions(
    database: Database,
    tenant: UUID,
    wanted: Wanted,
    *,
    limit: int = 50,
    before: UUID = LAST_ID,
    longest_s: float = LONGEST_S,
) -> Page:
    """The newest decisions for which all that is wanted holds.

    Args:
        database: Where they are.
        tenant: Whose.
        wanted: What must hold.
        limit: How many at most.
        before: The cursor: only those before this one.
        longest_s: After so long the page ends with what it has.
    """
    ends = time.monotonic() + longest_s
    limit, before = min(limit, MOST), min(before, wanted.before)
    found: list[FoundDecision] = []
    async with database.tenant(tenant) as connection:
        await BY_ORDER_OF_INDEXES.all(connection)
        holders = await holders_of(connection, tenant, wanted)
        source = await lead(connection, wanted, holders, before)
        ids, size = source.first, max(_SMALLEST, limit)
        while ids:
            held, ids = ids[:size], ids[size:]
            found += await _holding(connection, held, wanted, holders)
            before = held[-1]
            if len(found) > limit:
                break
            if not ids and not source.whole:
                ids = await _further(source, connection, before, size)
            if ids and time.monotonic() > ends:
                return _page(found, found[limit - 1].id if len(found) >= limit else before)
            size = min(size * 2, _LARGEST)
    if len(found) > limit:
        return _page(found[:limit], found[limit - 1].id)
    return _page(found, None)


async def _further(source: Source | Range, connection: AsyncConnection[Any], before: UUID, size: int) -> list[UUID]:
    return await source.read(connection, before, max(size, FIRST))


async def _holding(
    connection: AsyncConnection[Any], ids: Sequence[UUID], wanted: Wanted, holders: list[UUID] | None
) -> list[FoundDecision]:
    """Those of some decisions for which everything holds."""
    spans = [(place, span) for place, field in enumerate(wanted.fields) for span in field.spans]
    sure, surest = wanted.confidence or (None, None)
    low, high = wanted.exposure or (None, None)
    given = {
        "ids": list(ids),
        "greatest": ids[0],
        "least": ids[-1],
        "workflow": wanted.workflow,
        "point": wanted.point,
        "component": wanted.component,
        "contract": wanted.contract,
        "caller": wanted.caller,
        "case_id": wanted.case,
        "holders": holders,
        "route": wanted.route,
        "sure": sure,
        "surest": surest,
        "currency": wanted.currency,
        "low": low,
        "high": high,
        "by": wanted.by,
        "fields": len(wanted.fields),
        "numbers": [place for place, _ in spans],
        "lows": [span.low for _, span in spans],
        "highs": [span.high for _, span in spans],
    }
    return await FOUND_DECISIONS.all(connection, given)


def _page(found: Sequence[FoundDecision], further: UUID | None) -> Page:
    return Page(decisions=tuple(found), complete=further is None, next=further)

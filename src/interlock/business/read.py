"""Reading the business view: sums of tallies, and what is behind a figure."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from interlock.autonomy.terms import Source
from interlock.business.compared import MOST_CASES, Compared, compare
from interlock.business.figures import Look
from interlock.business.losses import MOST_KNOWN
from interlock.business.report import Report, report_of
from interlock.business.store import (
    BEHIND_CASES,
    BEHIND_CONTROL,
    BEHIND_COSTS,
    BEHIND_EXCEPTIONS,
    BEHIND_LOSSES,
    BEHIND_PEOPLE,
    COUNTING_STANDS,
    DRAWN_CASES,
    DRAWN_LOSSES,
    DRAWN_OF,
    LOSSES_OF,
    OUTCOMES_KNOWN,
    STUCK_NOW,
    TALLIES_OF,
    Behind,
)
from interlock.business.tally import Beside, Sort, Tallies
from interlock.business.terms import BusinessTerms
from interlock.clock import first_id
from interlock.db.database import Database
from interlock.db.queries import Rows
from interlock.errors import Refused
from interlock.money import LARGEST_MINOR

LONGEST = timedelta(days=366)
NEWEST = 20_000
"""Of so many of the newest at each point the dearest, or the slowest, are sought."""
MOST_BEHIND = 200

_BEHIND: Mapping[Look, Rows[Behind]] = MappingProxyType(
    {
        Look.LOSSES: BEHIND_LOSSES,
        Look.COSTS: BEHIND_COSTS,
        Look.PEOPLE: BEHIND_PEOPLE,
        Look.EXCEPTIONS: BEHIND_EXCEPTIONS,
        Look.CASES: BEHIND_CASES,
        Look.STRAIGHT: BEHIND_CASES,
        Look.SLOWEST: BEHIND_CASES,
        Look.CONTROL: BEHIND_CONTROL,
    }
)


async def read_business(database: Database, tenant: UUID, terms: BusinessTerms, since: timedelta) -> Report:
    """The view of one workflow over whole hours, up to what is counted.

    Args:
        database: Where it is.
        tenant: Whose.
        terms: What is declared of the workflow.
        since: How far back; at most a year.

    Raises:
        Refused: no time at all, or more than a year.
    """
    begin = _begin(database, since)
    async with database.tenant(tenant) as connection:
        stands = await COUNTING_STANDS.one(connection)
        until = stands.counted_to if stands else begin
        begin = max(begin, stands.began_at) if stands else begin
        asked: dict[str, Any] = {"workflow": terms.workflow, "since": begin, "until": until}
        tallies = Tallies(await TALLIES_OF.all(connection, asked))
        bounds = {"workflow": terms.workflow, "since": first_id(begin), "until": first_id(until)}
        losses = await LOSSES_OF.all(connection, bounds | {"most": MOST_KNOWN, "compared": _compared(terms)})
        beside = await _beside(connection, terms, tallies, begin, until, database.clock.now())
    known = sum(one.known for one in beside.points)
    return report_of(tallies, losses, known, terms, begin, until, beside)


async def _beside(
    connection: AsyncConnection[object], terms: BusinessTerms, tallies: Tallies, begin: datetime, until: datetime,
    now: datetime,
) -> Beside:  # fmt: skip
    """What is known at every point that decided, whether or not the file still names it."""
    points = sorted({*terms.points, *(one.part for one in tallies.of(Sort.DECIDED))})
    due = {name: _hour(now - one.outcome.after) for name, one in terms.autonomy.items()}
    sampled = [name for name, one in terms.autonomy.items() if one.outcome.source is Source.AUDIT]
    every = {name: at for name, at in due.items() if name not in sampled}
    bounds: dict[str, Any] = {"workflow": terms.workflow, "since": first_id(begin), "until": first_id(until)}
    asked = bounds | {
        "since_at": begin, "until_at": until, "most": MOST_KNOWN, "points": points,
        "due_at": [every.get(one) for one in points],
        "due": [first_id(every[one]) if one in every else None for one in points],
        "sampled": [one in sampled for one in points],
    }  # fmt: skip
    drawn = bounds | {
        "points": sampled, "due": [first_id(due[one]) for one in sampled], "compared": _compared(terms),
    }  # fmt: skip
    return Beside(
        points=tuple(await OUTCOMES_KNOWN.all(connection, asked)),
        drawn=tuple(await DRAWN_OF.all(connection, drawn)) if sampled else (),
        stuck=await STUCK_NOW.one(connection, {"workflow": terms.workflow, "most": MOST_KNOWN}) or 0,
    )


async def read_compared(database: Database, tenant: UUID, terms: BusinessTerms, since: timedelta) -> Compared | None:
    """The control group of one workflow beside its other cases; None: its file declares none.

    They began in a time as long as is asked for, which ends so long ago that they should have ended since.

    Raises:
        Refused: no time at all, or more than a year.
    """
    if terms.control is None:
        return None
    begin = _begin(database, since) - terms.control.settles
    until = database.clock.now() - terms.control.settles
    sampled = [name for name, one in terms.autonomy.items() if one.outcome.source is Source.AUDIT]
    asked = {
        "workflow": terms.workflow, "since": first_id(begin), "until": first_id(until), "most": MOST_CASES,
        "sampled": sampled,
    }  # fmt: skip
    async with database.tenant(tenant) as connection:
        cases = await DRAWN_CASES.all(connection, asked)
        losses = await DRAWN_LOSSES.all(connection, asked | {"compared": _compared(terms)})
    return await asyncio.to_thread(compare, cases, losses, terms, begin, until)  # some tenths of a second


async def read_whole(database: Database, tenant: UUID, terms: BusinessTerms, since: timedelta) -> Report:
    """The view of one workflow with its control group beside the other cases: see both."""
    report = await read_business(database, tenant, terms, since)
    return msgspec.structs.replace(report, control=await read_compared(database, tenant, terms, since))


async def read_behind(
    database: Database, tenant: UUID, terms: BusinessTerms, look: Look, since: timedelta, take: int
) -> list[Behind]:
    """The decisions behind a figure: the greatest losses, the dearest or the slowest of the newest, else the newest.

    Raises:
        Refused: no time at all, more than a year, or too many.
    """
    if not 0 < take <= MOST_BEHIND:
        raise Refused(f"{take} rows cannot be shown", where="take", todo=f"ask for 1 to {MOST_BEHIND}")
    begin = _begin(database, since)
    async with database.tenant(tenant) as connection:
        stands = await COUNTING_STANDS.one(connection)
    begin, until = (max(begin, stands.began_at), stands.counted_to) if stands else (begin, begin)
    given: dict[str, Any] = {
        "workflow": terms.workflow, "since": first_id(begin), "until": first_id(until), "since_at": begin,
        "until_at": until, "take": take, "points": list(terms.points), "newest": NEWEST,
        "slowest": look is Look.SLOWEST, "straight": look is Look.STRAIGHT, "came": first_id(begin - LONGEST),
    }  # fmt: skip
    if look is Look.LOSSES:
        given |= _declared(terms) | {"compared": _compared(terms)}
    if look is Look.CONTROL:  # the newest, too, before they are compared
        given |= {"until": first_id(database.clock.now())}
    query = _BEHIND[look]
    async with database.tenant(tenant) as connection:
        return await query.all(connection, {name: given[name] for name in query.parameters})


def _declared(terms: BusinessTerms) -> dict[str, list[Any]]:
    """What points declare that a wrong decision loses, in columns."""
    stated = [(point, currency, one) for point, (one, currency) in sorted(terms.losses.items())]
    return {
        "points": [point for point, _, _ in stated],
        "currencies": [currency for _, currency, _ in stated],
        "parts": [one.share.numerator for _, _, one in stated],
        "wholes": [one.share.denominator for _, _, one in stated],
        "plus": [one.plus for _, _, one in stated],
        "at_most": [LARGEST_MINOR if one.at_most is None else one.at_most for _, _, one in stated],
    }


def _compared(terms: BusinessTerms) -> str:
    """Which fields of an answer are compared at each point, as JSON: by these a no that was demanded is judged."""
    return msgspec.json.encode({name: one.outcome.fields for name, one in terms.autonomy.items()}).decode()


def _begin(database: Database, since: timedelta) -> datetime:
    if not timedelta(0) < since <= LONGEST:
        raise Refused(f"{since} is no span to look at", where="since", todo="write a length up to 366d, as in 30d")
    return _hour(database.clock.now() - since)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)

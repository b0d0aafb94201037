"""Measuring the figures of points beside the work, so that who looks at them waits for nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from interlock.autonomy.audit.read import sample_of
from interlock.autonomy.figures.bands import band_edges
from interlock.autonomy.figures.figures import Group, PointFigures
from interlock.autonomy.figures.groups import counts_of, groups_of
from interlock.autonomy.figures.store import (
    EXPOSURE_BANDS,
    KEEP_FIGURES,
    NEWEST_OF_POINT,
    TAKE_FIGURES,
    TENANTS_MEASURED,
    VERSIONS_SEEN,
    figures_of,
)
from interlock.autonomy.issuing.evidence import due_before, gather
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.spared import Spared, spared_by
from interlock.autonomy.outcomes.read import due_without_outcome
from interlock.clock import first_id, id_time
from interlock.db.database import Database
from interlock.db.keep_doing import keep_doing

LATELY = timedelta(days=30)
"""What came of late: the money by exposure, the sample and the outcomes that are shown."""
MOST_READ = 50_000
"""So many of the newest decisions are read, of each sort of figures."""
MOST_VERSIONS = 8
ANEW = timedelta(minutes=1)
"""So old figures become, or so many times as old as it took to measure them:"""
REST = 30
_GONE = timedelta(minutes=10)
"""Who has not ended measuring after that is held for gone."""
_EVERY_S = 20.0
_PART = 10
_SHOWN_MISSING = 10
Places = Callable[[UUID], Sequence[Place]]
log = logging.getLogger("interlock.figures")


async def measure(database: Database, place: Place) -> PointFigures:
    """The figures of a point as they are now; nothing is written.

    Args:
        database: Where it is.
        place: The point.
    """
    now, terms = database.clock.now(), place.terms
    until = due_before(terms, now)
    since = await _reach(database, place, now - terms.window, until)
    groups, spared = await _groups(database, place, now, since, until)
    edges, lately = band_edges(terms.highest, terms.currency), now - min(LATELY, terms.window)
    asked: dict[str, Any] = {"workflow": place.workflow, "point": place.point, "since": first_id(now - LATELY)}
    asked |= {"edges": list(edges), "currency": terms.currency, "most": MOST_READ}
    async with database.tenant(place.tenant) as connection:
        bands = await EXPOSURE_BANDS.all(connection, asked)
    due_to = now - terms.outcome.after
    reach = await _reach(database, place, lately - terms.outcome.after, due_to)
    back = msgspec.structs.replace(terms, window=due_to - reach)
    due = await due_without_outcome(
        database, place.tenant, place.workflow, place.point, back, now=now, most=_SHOWN_MISSING
    )
    sample = None
    if terms.audit is not None:
        sample = await sample_of(database, place.tenant, place.workflow, place.point, terms, since=reach, until=now)
    return PointFigures(
        measured_at=now, since=since, until=until, most=MOST_READ, groups=groups, edges=edges, bands=tuple(bands),
        lately_since=now - LATELY, outcomes_since=reach, tally=due.tally, missing=tuple(due.missing),
        sample=counts_of(sample) if sample else None, spared=spared,
    )  # fmt: skip


async def measure_and_keep(database: Database, place: Place) -> PointFigures:
    """Measure the figures of a point now, and keep them."""
    began = time.monotonic()
    found = await measure(database, place)
    took = timedelta(seconds=time.monotonic() - began)
    kept = {
        "tenant": place.tenant, "workflow": place.workflow, "point": place.point, "measured_at": found.measured_at,
        "due_at": database.clock.now() + max(ANEW, took * REST), "content": msgspec.json.encode(found),
    }  # fmt: skip
    async with database.tenant(place.tenant) as connection:
        await KEEP_FIGURES.run(connection, kept)
    return found


async def figures_now(database: Database, place: Place) -> PointFigures:
    """The figures of a point as they were measured last; if they never were, as they are now."""
    kept = await figures_of(database, place.tenant, place.workflow, place.point)
    return kept if kept is not None else await measure(database, place)


async def measure_due(database: Database, places: Places) -> None:
    """Measure what is due of all tenants; what another process is measuring is left to it.

    Args:
        database: Where it is.
        places: The points of a tenant that declare their autonomy.
    """
    async with database.installation() as connection:
        tenants = await TENANTS_MEASURED.all(connection)
    for tenant in tenants:
        for place in places(tenant):
            try:
                if await _take(database, place):
                    await measure_and_keep(database, place)
            except Exception:  # whatever is wrong with one point, the others are measured
                log.exception("the figures of %s could not be measured", place.name)


async def keep_measuring(database: Database, places: Places) -> None:
    """Do it while the process runs."""

    async def once() -> None:
        await measure_due(database, places)

    await keep_doing("figures", once, _EVERY_S, part=_PART)


async def _take(database: Database, place: Place) -> bool:
    now = database.clock.now()
    asked = {
        "tenant": place.tenant, "workflow": place.workflow, "point": place.point, "now": now, "until": now + _GONE,
    }  # fmt: skip
    async with database.tenant(place.tenant) as connection:
        return bool(await TAKE_FIGURES.one(connection, asked))


async def _groups(
    database: Database, place: Place, now: datetime, since: datetime, until: datetime
) -> tuple[tuple[Group, ...], Spared | None]:
    """By every version that answered, whatever files said of the point then: that changes no confidence.

    Where some were compared also what the cascade saves, of the versions and the files that count now alone.
    """
    asked: dict[str, Any] = {"workflow": place.workflow, "point": place.point, "most": MOST_VERSIONS}
    asked |= {"since": first_id(since), "until": first_id(max(since, until))}
    async with database.tenant(place.tenant) as connection:
        seen = await VERSIONS_SEEN.all(connection, asked)
    names = {one.digest.hex(): one.component for one in seen} | dict(place.components)
    all_of_them = msgspec.structs.replace(place, components=names, alike=None)
    evidence = await gather(database, all_of_them, now, since=since, until=until)
    groups = await asyncio.to_thread(groups_of, evidence, names, place.components.keys())
    if all(one.compared is None for one in evidence.courses):
        return groups, None
    of_now = await gather(database, place, now, since=since, until=until)
    return groups, await asyncio.to_thread(spared_by, of_now)


async def _reach(database: Database, place: Place, since: datetime, until: datetime) -> datetime:
    """How far back is looked: so long, or so many decisions, whichever is less."""
    asked = {"workflow": place.workflow, "point": place.point, "since": first_id(since), "until": first_id(until)}
    async with database.tenant(place.tenant) as connection:
        found = await NEWEST_OF_POINT.one(connection, {**asked, "most": MOST_READ})
    return id_time(found) if found else since

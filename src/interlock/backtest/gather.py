"""Which decisions a backtest is of, with what is known of each: ids, outcomes, the audit sample."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from interlock.autonomy.audit.store import FIND_DRAWING, SAMPLED, Drawing, SampledRow, drawing_id
from interlock.autonomy.outcomes.store import SAID_OF, SaidOf
from interlock.backtest.store import NEXT_BACKTEST, SAMPLED_BACKTEST
from interlock.clock import first_id
from interlock.db.database import Database
from interlock.decisions.decision import Decision
from interlock.decisions.store import FIND_DECISIONS
from interlock.errors import Refused

MOST_TAKEN = 1_000_000
_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which decisions.

    Attributes:
        workflow: Whose point.
        point: The decision point.
        since: From when on, UTC.
        until: Until when, UTC; not itself.
        take: How many at most, each with the same chance; None: all.
        seed: What the choice depends on.
    """

    workflow: str
    point: str
    since: datetime
    until: datetime
    take: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.take is not None and not 1 <= self.take <= MOST_TAKEN:
            raise Refused(f"1 to {MOST_TAKEN:,} decisions can be taken", where="--take", todo="take fewer")

    @property
    def name(self) -> str:
        """The point's full name."""
        return f"{self.workflow}.{self.point}"

    @property
    def sampling(self) -> str:
        """How they are chosen, in words."""
        if self.take is None:
            return "all decisions of the time"
        return f"at most {self.take:,} of the time, each with the same chance (seed {self.seed})"


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit sample of a point.

    Attributes:
        drawing: How far it is drawn; None: it never was.
        drawn: What was drawn, by decision.
    """

    drawing: Drawing | None
    drawn: dict[UUID, SampledRow]

    def covers(self, decision: Decision) -> bool:
        """Whether a decision that no person took was among those of which the sample was drawn."""
        drawing = self.drawing
        return drawing is not None and drawing.begun < decision.id <= drawing.drawn_to


async def audit_of(database: Database, tenant: UUID, wanted: Wanted) -> Audit:
    """The audit sample of the time."""
    span = {
        "workflow": wanted.workflow,
        "point": wanted.point,
        "since": first_id(wanted.since),
        "until": first_id(wanted.until),
    }
    async with database.tenant(tenant) as connection:
        drawing = await FIND_DRAWING.one(connection, {"id": drawing_id(tenant, wanted.workflow, wanted.point)})
        drawn = await SAMPLED.all(connection, span)
    return Audit(drawing, {one.decision: one for one in drawn})


async def decisions_of(
    database: Database, tenant: UUID, wanted: Wanted
) -> AsyncIterator[tuple[Decision, SaidOf | None]]:
    """The decisions with what the rows say of each; no transaction is held between two pages."""
    async for ids in _ids(database, tenant, wanted):
        ends = {"ids": ids, "least": min(ids), "greatest": max(ids)}
        async with database.tenant(tenant) as connection:
            found = {one.id: one for one in await FIND_DECISIONS.all(connection, ends)}
            said = {one.decision: one for one in await SAID_OF.all(connection, ends)}
        for one in ids:
            if one in found:
                yield found[one], said.get(one)


async def _ids(database: Database, tenant: UUID, wanted: Wanted) -> AsyncIterator[list[UUID]]:
    span = {
        "since": first_id(wanted.since),
        "until": first_id(wanted.until),
        "workflow": wanted.workflow,
        "point": wanted.point,
    }
    if wanted.take is not None:
        async with database.tenant(tenant) as connection:
            chosen = await SAMPLED_BACKTEST.all(connection, {**span, "seed": wanted.seed, "most": wanted.take})
        chosen.sort()
        for start in range(0, len(chosen), _PAGE):
            yield chosen[start : start + _PAGE]
        return
    after = UUID(int=0)
    while True:
        async with database.tenant(tenant) as connection:
            page = await NEXT_BACKTEST.all(connection, {**span, "after": after, "most": _PAGE})
        if page:
            yield page
        if len(page) < _PAGE:
            return
        after = page[-1]

"""The gate of the stops: first of all locks. Read in SQL in the very commit that dispatches, so nothing can pass it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from interlock.db.batch import Ask, Batch
from interlock.db.queries import load_queries
from interlock.db.work import Condition, Refusal, Unit
from interlock.guards.scope import EVERYTHING, holds


class StopKind(StrEnum):
    """What makes something stand still.

    ``stop``: somebody stopped it in this tenant; ``installation``: an operator stopped it in every tenant, or this
    tenant as a whole; ``lapsed``: nobody authorized it in time (see ``dead_man``).
    """

    STOP = "stop"
    INSTALLATION = "installation"
    LAPSED = "lapsed"


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """A stop in force.

    Attributes:
        id: Its id; of a lapsed term, the term's.
        scope: What it stops: ``everything`` or ``kind:name``.
        who: Who stopped it; of a lapsed term, who authorized it last.
        why: The reason they gave; of a lapsed term, why there is one.
        until: When it ends by itself, if it does.
        created_at: Since when.
        kind: What kind of stop it is.
    """

    id: UUID
    scope: str
    who: str
    why: str
    until: datetime | None
    created_at: datetime
    kind: StopKind = StopKind.STOP

    @property
    def said(self) -> str:
        """Who stopped what and why, in a sentence."""
        if self.kind is StopKind.LAPSED:
            since = f"{self.created_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
            return f"{self.scope} stopped by itself at {since}, since nobody authorized it after {self.who}: {self.why}"
        what = self.scope
        if self.kind is StopKind.INSTALLATION and not what.startswith("tenant:"):
            what = "the whole installation" if what == EVERYTHING else f"{what}, in every tenant,"
        return f"{what} was stopped by {self.who}: {self.why}"


_SQL = load_queries(__file__)
HOLD_OFF_STOPS = _SQL.rows("hold_off_stops", str)
STOPS_IN_FORCE = _SQL.rows("stops_in_force", Stop)


class NotStopped(Condition, frozen=True):
    """None of these scopes is stopped, at this very commit."""

    scopes: tuple[str, ...]


class StopGate:
    """Reads the stops in force, under a lock by which ``stop`` knows who may not have seen it yet.

    INVARIANT: they are read by a statement after the one that takes the lock, so that what was committed before the
    lock was taken is seen.
    """

    def foresee(self, batch: Batch) -> list[Ask]:
        """The lock is taken and the stops are read for all units."""
        wanted = batch.conditions(NotStopped)
        return [Ask(HOLD_OFF_STOPS, _tenants(wanted)), Ask(STOPS_IN_FORCE, _scopes(wanted))] if wanted else []

    async def admit(self, batch: Batch) -> None:
        """Refuse the units whose scopes are stopped, naming who stopped them and why."""
        wanted = batch.conditions(NotStopped)
        if not wanted:
            return
        await batch.ask(HOLD_OFF_STOPS, _tenants(wanted))
        for tenant, stops in (await batch.ask(STOPS_IN_FORCE, _scopes(wanted))).items():
            for unit, condition in wanted[tenant] if stops else ():
                stop = next((stop for stop in stops if holds(stop.scope, condition.scopes)), None)
                if stop:
                    batch.refuse(unit, Refusal("stopped", stop.said, holder=stop.id, until=stop.until))

    async def retract(self, batch: Batch) -> None:
        """It writes nothing."""


_Wanted = Mapping[UUID, Sequence[tuple[Unit, NotStopped]]]


def _tenants(wanted: _Wanted) -> dict[UUID, dict[str, str]]:
    return {tenant: {"tenant": str(tenant)} for tenant in wanted}


def _scopes(wanted: _Wanted) -> dict[UUID, dict[str, list[str]]]:
    return {
        tenant: {"scopes": sorted({scope for _, condition in pairs for scope in condition.scopes})}
        for tenant, pairs in wanted.items()
    }

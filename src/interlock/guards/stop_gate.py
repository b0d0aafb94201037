"""The gate of the stops: first of all locks. Read in SQL in the very commit that dispatches, so nothing can pass it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.batch import Batch
from interlock.db.queries import load_queries
from interlock.db.work import Condition, Refusal


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """A stop in force.

    Attributes:
        id: Its id.
        scope: What it stops: ``everything`` or ``kind:name``.
        who: Who stopped it.
        why: The reason they gave.
        until: When it ends by itself, if it does.
        created_at: Since when.
    """

    id: UUID
    scope: str
    who: str
    why: str
    until: datetime | None
    created_at: datetime


_SQL = load_queries(__file__)
HOLD_OFF_STOPS = _SQL.rows("hold_off_stops", str)
STOPS_IN_FORCE = _SQL.rows("stops_in_force", Stop)


@dataclass(frozen=True, slots=True)
class NotStopped(Condition):
    """None of these scopes is stopped, at this very commit."""

    scopes: tuple[str, ...]


class StopGate:
    """Reads the stops in force, under a lock that holds new ones off until the commit."""

    async def admit(self, batch: Batch) -> None:
        """Refuse the units whose scopes are stopped, naming who stopped them and why."""
        wanted = batch.conditions(NotStopped)
        if not wanted:
            return
        await batch.ask(HOLD_OFF_STOPS, {tenant: {"tenant": str(tenant)} for tenant in wanted})
        scopes = {
            tenant: {"scopes": sorted({scope for _, condition in pairs for scope in condition.scopes})}
            for tenant, pairs in wanted.items()
        }
        for tenant, stops in (await batch.ask(STOPS_IN_FORCE, scopes)).items():
            for unit, condition in wanted[tenant] if stops else ():
                stop = next((stop for stop in stops if stop.scope in condition.scopes), None)
                if stop:
                    what = f"{stop.scope} was stopped by {stop.who}: {stop.why}"
                    batch.refuse(unit, Refusal("stopped", what, holder=stop.id, until=stop.until))

    async def retract(self, batch: Batch) -> None:
        """It writes nothing."""

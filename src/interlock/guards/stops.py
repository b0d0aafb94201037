"""Stopping and resuming. Both need a reason; both are in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.database import Database
from interlock.db.gates import IsInState, StateGate, StateRow
from interlock.db.queries import load_queries
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import NotFound, Refused
from interlock.guards.stop_gate import Stop
from interlock.ledger.ledger import first_entry

SCOPES = ("everything", "workflow", "point", "component", "connector", "action")
CHANNEL = "stops"


class NewStop(msgspec.Struct, frozen=True, kw_only=True):
    """A stop on its way in: the fields of ``Stop``, and its tenant."""

    id: UUID
    tenant: UUID
    scope: str
    who: str
    why: str
    until: datetime | None
    created_at: datetime


class LiftedStop(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a stop."""

    id: UUID
    lifted_at: datetime
    lifted_by: str
    lifted_why: str


_SQL = load_queries(__file__)
LIST_STOPS = _SQL.rows("list_stops", Stop)
ADD_STOPS = _SQL.bulk("add_stops", NewStop, distinct=("id",))
LIFT_STOPS = _SQL.bulk("lift_stops", LiftedStop, distinct=("id",))
WAIT_FOR_DISPATCHES = _SQL.rows("wait_for_dispatches", str)
stop_state_gate = StateGate("stop", _SQL.rows("lock_stops", StateRow))


def check_scope(scope: str) -> str:
    """A scope that can be stopped: ``everything`` or ``kind:name``.

    Raises:
        Refused: no such kind, or no name.
    """
    kind, _, name = scope.partition(":")
    if kind not in SCOPES or (kind != "everything") != bool(name):
        raise Refused(
            f"{scope!r} is nothing that can be stopped",
            todo="write everything, workflow:NAME, point:WORKFLOW.POINT, component:REF, connector:NAME or "
            "action:WORKFLOW.NAME",
        )
    return scope


async def stop(
    database: Database, writer: Writer, tenant: UUID, *, scope: str, who: str, why: str, until: datetime | None = None
) -> UUID:
    """Stop a scope; when this returns, nothing in it is dispatched any more, on any worker. The stop's id.

    What was dispatched before may still be under way, up to its timeout. Whether anything bears that name is for the
    caller to say, who knows the workflows.

    Raises:
        Refused: no such scope, or no reason.
    """
    check_scope(scope)
    _say_why(why)

    def build(stamp: Stamp) -> Sequence[Write]:
        row = NewStop(id=stamp.entry, tenant=tenant, scope=scope, who=who, why=why, until=until, created_at=stamp.now)
        entry = first_entry(stamp, tenant, "guard.stopped", subject=stamp.entry, scope=scope, who=who, until=until)
        return [Write(ADD_STOPS, row), entry]

    unit = Unit(tenant, build, wakes=(CHANNEL,))
    await writer.write(unit)
    async with database.tenant(tenant) as connection:
        await WAIT_FOR_DISPATCHES.all(connection, {"tenant": str(tenant)})
    return unit.id


async def resume(writer: Writer, tenant: UUID, stop_id: UUID, *, who: str, why: str) -> None:
    """Lift a stop.

    Raises:
        NotFound: no such stop is in force.
        Refused: no reason.
    """
    _say_why(why)

    def build(stamp: Stamp) -> Sequence[Write]:
        row = LiftedStop(id=stop_id, lifted_at=stamp.now, lifted_by=who, lifted_why=why)
        return [
            Write(LIFT_STOPS, row),
            first_entry(stamp, tenant, "guard.resumed", subject=stop_id, who=who, why=why),
        ]

    refusal = await writer.write(
        Unit(tenant, build, (IsInState("stop", stop_id, ("in force",)),), wakes=(CHANNEL, "cases"))
    )
    if refusal:
        raise NotFound(f"no stop {stop_id} is in force", todo="`interlock stops` lists those that are")


async def list_stops(database: Database, tenant: UUID) -> list[Stop]:
    """The stops in force, oldest first."""
    async with database.tenant(tenant) as connection:
        return await LIST_STOPS.all(connection)


def _say_why(why: str) -> None:
    if not why.strip():
        raise Refused("a reason is needed", todo="say why, for whoever reads the ledger")

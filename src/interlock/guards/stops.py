"""Stopping and resuming. Both need a reason; both are in the ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from interlock.authority.judge import Verdict, verdict_facts
from interlock.db.database import Database
from interlock.db.gates import IsInState, StateGate, StateRow
from interlock.db.queries import load_queries
from interlock.db.work import Condition, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import NotFound, Refused, StateConflict
from interlock.guards.scope import EVERYTHING, INSTALLATION, TENANT, check_scope, is_of_the_installation
from interlock.guards.stop_gate import Stop, StopKind
from interlock.ledger.ledger import first_entry

CHANNEL = "stops"
ANSWER_S = 3.0
"""How long ``stop`` waits for dispatches that may not have seen it."""
_LOOK_S = 0.02
_MOST_SHOWN = 10_000


class NewStop(msgspec.Struct, frozen=True, kw_only=True):
    """A stop on its way in: the fields of ``Stop``, and its tenant."""

    id: UUID
    tenant: UUID
    scope: str
    who: str
    why: str
    until: datetime | None
    created_at: datetime


class NewInstallationStop(msgspec.Struct, frozen=True, kw_only=True):
    """A stop of every tenant, or of one as a whole, on its way in."""

    id: UUID
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


class StopRecord(Stop, frozen=True, kw_only=True):
    """A stop, in force or not.

    Attributes:
        lifted_at: When it was lifted.
        lifted_by: Who lifted it.
        lifted_why: Why.
    """

    lifted_at: datetime | None
    lifted_by: str | None
    lifted_why: str | None

    def is_in_force(self, now: datetime) -> bool:
        """Whether it holds anything at this moment."""
        return self.lifted_at is None and (self.until is None or self.until > now)


_SQL = load_queries(__file__)
LIST_STOPS = _SQL.rows("list_stops", Stop)
LIST_INSTALLATION_STOPS = _SQL.rows("list_installation_stops", Stop)
FIND_STOP = _SQL.rows("find_stop", StopRecord)
ADD_STOPS = _SQL.bulk("add_stops", NewStop, distinct=("id",))
ADD_INSTALLATION_STOPS = _SQL.bulk("add_installation_stops", NewInstallationStop, distinct=("id",))
LIFT_STOPS = _SQL.bulk("lift_stops", LiftedStop, distinct=("id",))
LIFT_INSTALLATION_STOPS = _SQL.bulk("lift_installation_stops", LiftedStop, distinct=("id",))
DISPATCHES_UNDER_WAY = _SQL.rows("dispatches_under_way", str)
SHOW_STOP_TO_CASES = _SQL.rows("show_stop_to_cases", int)
stop_state_gate = StateGate("stop", _SQL.rows("lock_stops", StateRow))
installation_stop_gate = StateGate("installation stop", _SQL.rows("lock_installation_stops", StateRow))


@dataclass(frozen=True, slots=True)
class Stopped:
    """A stop that was made.

    Attributes:
        stop: It.
        unanswered: How many transactions may not have seen it and had not ended after ``ANSWER_S``: of processes that
            stand still, or whose network is cut. The server ends each within ten seconds; what it has not committed by
            then is not dispatched.
    """

    stop: Stop
    unanswered: int

    @property
    def id(self) -> UUID:
        """The stop's id."""
        return self.stop.id


async def stop(
    database: Database,
    writer: Writer,
    tenant: UUID,
    *,
    scope: str,
    who: str,
    why: str,
    until: datetime | None = None,
    everywhere: bool = False,
    verdict: Verdict | None = None,
    conditions: tuple[Condition, ...] = (),
    beside: Callable[[Stamp, UUID], Sequence[Write]] = lambda _stamp, _stop: (),
) -> Stopped:
    """Stop a scope. It is in force for every dispatch that begins after this returns, on any worker.

    Unless ``unanswered`` says otherwise, every dispatch that began before has ended too. What was dispatched before may
    still be under way, up to its timeout. Whether anything bears that name is for the caller to say, who knows the
    workflows; so is whether ``who`` may stop other tenants.

    Args:
        database: To see who has not answered.
        writer: For the commit.
        tenant: Whose scope; and in whose ledger it is recorded.
        scope: See ``check_scope``; also ``installation`` and ``tenant:NAME``, which reach beyond the tenant.
        who: Who stops it.
        why: The reason.
        until: When it ends by itself.
        everywhere: In every tenant of the installation.
        verdict: What the policies said; None: the program stops it by itself.
        conditions: What must hold in that commit.
        beside: What else it writes, by the stop's id.

    Raises:
        Refused: no such scope, or no reason.
        NotFound: there is no such tenant.
        StateConflict: a condition does not hold; nothing is stopped.
    """
    everywhere = everywhere or is_of_the_installation(scope)
    scope = await _checked(database, scope)
    check_why(why)
    made: list[Stop] = []

    def build(stamp: Stamp) -> Sequence[Write]:
        kind = StopKind.INSTALLATION if everywhere else StopKind.STOP
        it = Stop(id=stamp.entry, scope=scope, who=who, why=why, until=until, created_at=stamp.now, kind=kind)
        made.append(it)
        entry = first_entry(
            stamp, tenant, "guard.stopped", subject=it.id, scope=scope, who=who, why=why, until=until, reach=kind,
            **verdict_facts(verdict),
        )  # fmt: skip
        new = {name: getattr(it, name) for name in NewInstallationStop.__struct_fields__}
        if everywhere:
            return [Write(ADD_INSTALLATION_STOPS, NewInstallationStop(**new)), entry, *beside(stamp, it.id)]
        return [Write(ADD_STOPS, NewStop(tenant=tenant, **new)), entry, *beside(stamp, it.id)]

    refusal = await writer.write(Unit(tenant, build, conditions, wakes=(CHANNEL,)))
    if refusal:
        raise StateConflict(refusal.what, todo="look at it again: somebody was faster")
    unanswered = await wait_for_dispatches(database, None if everywhere else tenant)
    await _show(database, made[0], None if everywhere and not scope.startswith(f"{TENANT}:") else tenant)
    return Stopped(made[0], unanswered)


async def resume(
    writer: Writer,
    tenant: UUID,
    stop_id: UUID,
    *,
    who: str,
    why: str,
    everywhere: bool = False,
    verdict: Verdict | None = None,
) -> None:
    """Lift a stop. What it held goes on by itself within a second, unless something else holds it.

    Args:
        writer: For the commit.
        tenant: Whose stop; and in whose ledger it is recorded.
        stop_id: Which.
        who: Who lifts it.
        why: The reason.
        everywhere: Whether it is a stop of the installation; whether ``who`` may lift one is for the caller to say.
        verdict: What the policies said.

    Raises:
        NotFound: no such stop is in force.
        Refused: no reason.
    """
    check_why(why)

    def build(stamp: Stamp) -> Sequence[Write]:
        row = LiftedStop(id=stop_id, lifted_at=stamp.now, lifted_by=who, lifted_why=why)
        return [
            Write(LIFT_INSTALLATION_STOPS if everywhere else LIFT_STOPS, row),
            first_entry(stamp, tenant, "guard.resumed", subject=stop_id, who=who, why=why, **verdict_facts(verdict)),
        ]

    kind = installation_stop_gate.kind if everywhere else stop_state_gate.kind
    refusal = await writer.write(
        Unit(tenant, build, (IsInState(kind, stop_id, ("in force",)),), wakes=(CHANNEL, "cases"))
    )
    if refusal:
        raise NotFound(f"no stop {stop_id} is in force", todo="`interlock stops` lists those that are")


async def list_stops(database: Database, tenant: UUID) -> list[Stop]:
    """All that holds something of this tenant, oldest first: its stops, the installation's, lapsed terms."""
    async with database.tenant(tenant) as connection:
        return await LIST_STOPS.all(connection)


async def list_installation_stops(database: Database) -> list[Stop]:
    """The installation's stops in force, oldest first: those of other tenants as a whole, too."""
    async with database.installation() as connection:
        return await LIST_INSTALLATION_STOPS.all(connection)


async def find_stop(database: Database, tenant: UUID, stop_id: UUID) -> StopRecord:
    """A stop of this tenant or of the installation, in force or not.

    Raises:
        NotFound: there is none of that id.
    """
    async with database.tenant(tenant) as connection:
        found = await FIND_STOP.one(connection, {"id": stop_id})
    if found is None:
        raise NotFound(f"there is no stop {stop_id}", todo="`interlock stops` lists those in force")
    return found


async def find_in_force(database: Database, tenant: UUID, scope: str, *, everywhere: bool = False) -> list[Stop]:
    """The stops in force that name just this scope, which ``resume`` lifts.

    Raises:
        NotFound: none does.
    """
    everywhere = everywhere or is_of_the_installation(scope)
    wanted = EVERYTHING if scope == INSTALLATION else scope
    kind = StopKind.INSTALLATION if everywhere else StopKind.STOP
    stops = await (list_installation_stops(database) if everywhere else list_stops(database, tenant))
    found = [one for one in stops if one.scope == wanted and one.kind is kind]
    if not found:
        others = sorted({one.scope for one in stops})
        raise NotFound(
            f"no stop of {scope[:80]} is in force",
            todo=f"these are: {', '.join(others[:10])}" if others else "nothing is stopped",
        )
    return found


async def _checked(database: Database, scope: str) -> str:
    """The scope as it is stored."""
    if scope == INSTALLATION:
        return EVERYTHING
    if not is_of_the_installation(scope):
        return check_scope(scope)
    name = scope.partition(":")[2]
    if await database.find_tenant(name) is None:
        raise NotFound(f"there is no tenant {name[:80]!r}; nothing is stopped", todo="`interlock tenants list`")
    return scope


async def wait_for_dispatches(database: Database, tenant: UUID | None) -> int:
    """Wait until the transactions that may not have seen the stop have ended; how many have not after ``ANSWER_S``.

    Nobody waits for this one: a lock taken here would hold up every dispatch behind a process that stands still.
    """
    whose = {"whose": str(tenant) if tenant else INSTALLATION}
    give_up = time.monotonic() + ANSWER_S
    async with database.installation() as connection:
        earlier = set(await DISPATCHES_UNDER_WAY.all(connection, whose))
        while earlier and time.monotonic() < give_up:
            await asyncio.sleep(_LOOK_S)
            earlier &= set(await DISPATCHES_UNDER_WAY.all(connection, whose))
    return len(earlier)


async def _show(database: Database, it: Stop, tenant: UUID | None) -> None:
    """Let the cases that wait for a retry say what they wait for now."""
    if it.scope.startswith(f"{TENANT}:"):
        tenant = await database.find_tenant(it.scope.partition(":")[2])
    async with database.installation() as connection:
        told = {"stop": it.id, "scope": it.scope, "what": it.said[:500], "tenant": tenant, "most": _MOST_SHOWN}
        await SHOW_STOP_TO_CASES.all(connection, told)


def check_why(why: str) -> None:
    """See that there is a reason.

    Raises:
        Refused: there is none.
    """
    if not why.strip():
        raise Refused("a reason is needed", todo="say why, for whoever reads the ledger")

"""One batch of units on its way through one transaction, and the gates that it passes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, cast, runtime_checkable
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row, tuple_row

from interlock.db.database import READ_CLOCK, SET_TENANT
from interlock.db.queries import Bulk, Parameters, Rows, encode_rows
from interlock.db.work import Condition, Refusal, Unit

Row = TypeVar("Row")
Kind = TypeVar("Kind", bound=Condition)


@dataclass(frozen=True, slots=True)
class Ask:
    """A statement that a gate will run in any case, with its parameters by tenant.

    Attributes:
        statement: What it runs.
        parameters: With what, by tenant.
        rows: How many rows it sends in all, where it wants to know whether all of them were written.
    """

    statement: Rows[Any] | Bulk[Any]
    parameters: Mapping[UUID, Parameters]
    rows: int | None = None


class Batch:
    """The units of one transaction. Lives as long as the transaction does.

    Attributes:
        connection: Inside the transaction.
        units: All of them, in order of arrival.
        refused: Why a unit will not be written.
        found: Units that an earlier run of this batch wrote, though its answer was lost.
        again: Whether this batch ran before and its answer was lost.
        now: The database's time; set by ``begin`` and taken anew by ``look_at_clock`` once locks are held.
    """

    def __init__(self, connection: AsyncConnection[Any], units: Sequence[Unit], *, again: bool) -> None:
        self.connection = connection
        self.units = tuple(units)
        self.refused: dict[UUID, Refusal] = {}
        self.found: set[UUID] = set()
        self.again = again
        self.now = datetime.min.replace(tzinfo=UTC)
        self._tenant: UUID | None = None
        self._foreseen: dict[str, dict[UUID, list[Any]]] = {}
        self._missing: dict[str, int] = {}
        # Thirteen gates ask, some of them three times: each finds its own without going through all the others'.
        self._wanted: dict[type[Condition], list[tuple[Unit, Condition]]] = {}
        for unit in self.units:
            for condition in unit.conditions:
                self._wanted.setdefault(type(condition), []).append((unit, condition))
        self._first: list[tuple[UUID, Bulk[Any], Sequence[Any]]] = []

    @property
    def admitted(self) -> list[Unit]:
        """The units that no gate has refused and that are not yet written, in order."""
        if not self.refused and not self.found:
            return list(self.units)
        return [unit for unit in self.units if unit.id not in self.refused and unit.id not in self.found]

    def refuse(self, unit: Unit, refusal: Refusal) -> None:
        """Leave a unit out; its caller learns why."""
        self.refused.setdefault(unit.id, refusal)

    def conditions(self, kind: type[Kind]) -> dict[UUID, list[tuple[Unit, Kind]]]:
        """The admitted units' conditions of one kind, by tenant; tenants in order, units in order of arrival."""
        found: dict[UUID, list[tuple[Unit, Kind]]] = {}
        all_stand = not self.refused and not self.found
        for unit, condition in self._wanted.get(kind, ()):
            if all_stand or (unit.id not in self.refused and unit.id not in self.found):
                found.setdefault(unit.tenant, []).append((unit, cast("Kind", condition)))
        return dict(sorted(found.items())) if len(found) > 1 else found

    async def find(self, statement: Rows[UUID]) -> None:
        """Mark the units that are written already.

        Valid for a unit once its locks are held: then the earlier run, whose answer was lost, has ended one way or the
        other. A refusal of such a unit is the echo of its own success.
        """
        ids: dict[UUID, list[UUID]] = {}
        for unit in self.units:
            ids.setdefault(unit.tenant, []).append(unit.id)
        found = await self.ask(
            statement,
            {tenant: {"ids": mine, "least": min(mine), "greatest": max(mine)} for tenant, mine in ids.items()},
        )
        self.found |= {unit for units in found.values() for unit in units}
        self.refused = {unit: why for unit, why in self.refused.items() if unit not in self.found}

    async def begin(self, foresight: Iterable[Ask] = ()) -> None:
        """Open the transaction, take the database's time, and ask at once what the gates will ask for sure.

        One flush for all of it: the server runs the statements one after the other, in the order of the gates, each
        with a snapshot of its own, as if they had been sent one by one; only nobody waits in between. What is asked for
        units that a gate then refuses is locked, or taken and given back, for nothing.
        """
        async with self.connection.pipeline():
            await self.connection.execute("begin")
            clock = await self.connection.execute(READ_CLOCK.text)
            asked = await self._send_all(foresight)
            row = await clock.fetchone()
            self.now = row[0] if row else self.now
        await self._know(asked)

    async def ask_ahead(self, foresight: Iterable[Ask]) -> None:
        """Ask several things in one flush, in order; ``ask`` then gives each its rows."""
        async with self.connection.pipeline():
            asked = await self._send_all(foresight)
        await self._know(asked)

    async def _send_all(self, foresight: Iterable[Ask]) -> list[tuple[Rows[Any] | Bulk[Any], UUID, Any]]:
        asks = tuple(foresight)
        self._missing |= {one.statement.name: one.rows for one in asks if one.rows is not None}
        return [
            (one.statement, tenant, await self._send(one.statement, tenant, one.parameters[tenant]))
            for one in asks
            for tenant in sorted(one.parameters)
        ]

    async def _know(self, asked: Iterable[tuple[Rows[Any] | Bulk[Any], UUID, Any]]) -> None:
        for statement, tenant, cursor in asked:
            read = statement.read if isinstance(statement, Rows) else None
            rows = [read(row) for row in await cursor.fetchall()] if read else []
            if statement.name in self._missing:
                self._missing[statement.name] -= cursor.rowcount
            self._foreseen.setdefault(statement.name, {})[tenant] = rows

    async def _send(self, statement: Rows[Any] | Bulk[Any], tenant: UUID, parameters: Parameters) -> Any:
        await self.use(tenant)
        single = isinstance(statement, Rows) and statement.single
        cursor = self.connection.cursor(row_factory=tuple_row if single else dict_row)
        await cursor.execute(statement.text, parameters)
        return cursor

    def was_foreseen(self, statement: Bulk[Any]) -> bool:
        """Whether ``begin`` has written these rows already."""
        return statement.name in self._foreseen

    def wrote_all(self, statement: Bulk[Any]) -> bool:
        """Whether ``begin`` has written every row of a statement that said how many it sends: none stood in its way."""
        return self._missing.get(statement.name) == 0

    async def look_at_clock(self) -> datetime:
        """The database's time now: for rates and limits it is taken after the lock, and never goes back."""
        read = await READ_CLOCK.one(self.connection)
        self.now = max(self.now, read) if read else self.now
        return self.now

    async def use(self, tenant: UUID) -> None:
        """Name the tenant of the statements that follow."""
        if tenant != self._tenant:
            await self.connection.execute(SET_TENANT.text, {"tenant": str(tenant)})
            self._tenant = tenant

    async def ask(self, statement: Rows[Row], parameters: Mapping[UUID, Parameters]) -> dict[UUID, list[Row]]:
        """Run one statement for each tenant in one flush; the rows by tenant.

        Where ``begin`` has asked already, the rows are those for all units of the batch, refused ones too.
        """
        known = self._foreseen.pop(statement.name, None)
        if known is not None:
            return {tenant: known[tenant] for tenant in sorted(parameters)}
        cursors: dict[UUID, Any] = {}
        async with self.connection.pipeline():
            for tenant in sorted(parameters):
                cursors[tenant] = await self._send(statement, tenant, parameters[tenant])
        return {tenant: [statement.read(row) for row in await cursor.fetchall()] for tenant, cursor in cursors.items()}

    def write_first(self, tenant: UUID, statement: Bulk[Any], rows: Sequence[Any]) -> None:
        """Let a gate's own rows travel with the writes of the units, before them."""
        if rows:
            self._first.append((tenant, statement, rows))

    async def write(self, units: Sequence[Unit]) -> None:
        """Send every write of these units and the commit in one flush: a statement a tenant and table, no more."""
        rows: dict[tuple[UUID, int], tuple[Bulk[Any], list[Any]]] = {}
        places: dict[str, int] = {}
        for unit in units:
            for write in unit.writes:
                place = places.setdefault(write.statement.name, len(places))
                rows.setdefault((unit.tenant, place), (write.statement, []))[1].append(write.row)
        async with self.connection.pipeline():
            for tenant, statement, sent in self._first:
                await self.use(tenant)
                await self.connection.execute(statement.text, {"rows": encode_rows(sent)})
            for (tenant, _), (statement, sent) in sorted(rows.items(), key=lambda item: item[0]):
                await self.use(tenant)
                await self.connection.execute(statement.text, {"rows": encode_rows(sent)})
            await self.connection.execute("commit")


class Gate(Protocol):
    """What checks one kind of condition.

    A batch passes the gates in one global order, so that locks never cross: stops, then cases, then what belongs to
    cases, then keys, guards last.
    """

    async def admit(self, batch: Batch) -> None:
        """Lock what the conditions name, in order of ids, and refuse the units whose condition does not hold."""
        ...

    async def retract(self, batch: Batch) -> None:
        """Take back what this gate wrote for units that a later gate refused."""
        ...


@runtime_checkable
class Foresees(Protocol):
    """A gate that can say before any answer what it will ask of the database."""

    def foresee(self, batch: Batch) -> Iterable[Ask]:
        """Its statements for all units of the batch, in the order in which it runs them."""
        ...

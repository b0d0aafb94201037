"""The SQL connector in Interlock's own database: an effect is a part of the transaction that records it.

INVARIANT: its statements run as a role of their own, which has no right on the schema ``interlock``; that is looked at
in each transaction, so a grant that comes later is noticed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection

from interlock.actions.connector import (
    Abilities,
    Done,
    LookedUp,
    Permanent,
    Read,
    Request,
    Sent,
    Transient,
    Unknown,
    Voidance,
)
from interlock.connector_settings import ConnectorSettings
from interlock.connectors.sql.answer import read_one, run
from interlock.connectors.sql.failure import judge_error, said
from interlock.connectors.sql.tables import Tables
from interlock.db.database import connect_service
from interlock.db.queries import load_queries
from interlock.db.spare import Spares
from interlock.errors import InterlockError, MalformedJson, Refused
from interlock.spelling import meant

MOST_READERS = 4
"""Connections for facts, at once."""
_ROOM_TO_ANSWER_S = 0.5


class RoleFault(msgspec.Struct, frozen=True):
    """Why a role may not carry effects out, if anything speaks against it."""

    fault: str | None


_SQL = load_queries(__file__)
ROLE_FAULT = _SQL.rows("role_fault", RoleFault)
TAKE_ROLE = _SQL.command("take_role")
IS_ROLE = _SQL.rows("is_role", bool)
LEAVE_ROLE = _SQL.command("leave_role")


class RoleUnfit(Refused):
    """The role of the settings may not carry effects out."""

    code = "role-unfit"


class InsideSql:
    """Takes effects inside Interlock's own transactions: see ``interlock.actions.connector.Transactional``.

    Args:
        name: Its name in the settings.
        terms: Its settings.
        tables: The same, read.
        now: The database's time, UTC.
    """

    def __init__(self, name: str, terms: ConnectorSettings, tables: Tables, *, now: Callable[[], datetime]) -> None:
        self._name = name
        self._terms = terms
        self._tables = tables
        self._now = now
        self._url = ""
        self._readers = Spares(self._connect, most=MOST_READERS)

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._name

    @property
    def abilities(self) -> Abilities:
        """None: no answer of it can be lost, so nothing is ever looked up, sent again under a key or voided."""
        return Abilities(simulated=self._terms.simulated)

    def join(self, url: str) -> None:
        """Learn where Interlock's own database is, as the service's login."""
        self._url = url

    async def take_effect(self, connection: AsyncConnection[Any], request: Request) -> Done | Transient | Permanent:
        """Carry a statement out inside a transaction, as the role of the settings; unless done, it is rolled back."""
        statement = self._tables.operations.get(request.operation)
        if statement is None:
            known = meant(request.operation, self._tables.operations)
            return Permanent(f"{self._place} has no operation {request.operation!r}; {known}", code="unknown-operation")
        try:
            values = statement.values(request.key, request.payload)
        except (Refused, MalformedJson) as cause:
            return Permanent(f"{request.operation} cannot be carried out: {cause.what}", code="unsendable")
        try:
            async with self._as_role(connection, request.deadline):
                return await run(connection, statement, values)
        except (Refused, psycopg.Error, TimeoutError) as cause:
            return self._failed(cause)

    @asynccontextmanager
    async def _as_role(self, connection: AsyncConnection[Any], deadline: datetime) -> AsyncGenerator[None]:
        left = (deadline - self._now()) / timedelta(seconds=1)
        if left <= 0:
            raise _Late("its deadline had passed before it began")
        options = self._tables.options
        async with asyncio.timeout(left + _ROOM_TO_ANSWER_S):
            entered = {"ms": str(max(int(left * 1000), 1)), "schema": options.schema, "role": options.role}
            async with connection.pipeline():
                fault = await connection.execute(ROLE_FAULT.text, {"role": options.role})
                await TAKE_ROLE.run(connection, entered)
                found = await fault.fetchone()
            if found and found[0]:
                raise RoleUnfit(found[0], todo="grant and revoke as the connector's README says")
            yield
            async with connection.pipeline():
                # what waits for the commit happens now, with the role's rights and not with the service's
                await connection.execute("set constraints all immediate")
                stayed = await connection.execute(IS_ROLE.text, {"role": options.role})
                await LEAVE_ROLE.run(connection)
                is_role = await stayed.fetchone()
            if is_role != (True,):
                raise _LeftRole("its statement left its role")

    def _failed(self, cause: Exception) -> Transient | Permanent:
        match cause:
            case _LeftRole():
                return Permanent(f"{self._place}: {cause.what}", code=cause.code)
            case Refused():
                return Transient(f"{self._place}: {cause.what}", code=cause.code)
            case psycopg.Error():
                return judge_error(cause, self._place)
            case _:
                return Transient(f"{self._place}: not done within its deadline", code="timeout")

    async def read_fact(self, name: str, parameters: Mapping[str, Any], deadline: datetime) -> Read | Unknown:
        """Read a fact in a read-only transaction: one value, or None where there is no row."""
        statement = self._tables.reads.get(name)
        if statement is None:
            return Unknown(f"{self._place} has no reading {name!r}; {meant(name, self._tables.reads)}")
        try:
            values = statement.values("", parameters)
            async with self._reading(deadline) as connection:
                value = await read_one(connection, statement, values)
        except (InterlockError, psycopg.Error, TimeoutError, ValueError) as cause:
            return Unknown(f"{self._place}: {cause.what if isinstance(cause, InterlockError) else said(cause)}")
        return Read(value)

    async def examine(self, deadline: datetime) -> str:
        """What is not fit to act on, for whoever looks the installation over; empty if nothing is found."""
        try:
            async with self._reading(deadline):
                return ""
        except (InterlockError, psycopg.Error, TimeoutError) as cause:
            return cause.what if isinstance(cause, InterlockError) else said(cause)

    @asynccontextmanager
    async def _reading(self, deadline: datetime) -> AsyncGenerator[AsyncConnection[Any]]:
        """A read-only transaction as the role, within the deadline."""
        left = max((deadline - self._now()) / timedelta(seconds=1), 0.0)
        async with asyncio.timeout(left + _ROOM_TO_ANSWER_S), self._readers.use() as connection:
            await connection.execute("begin read only")
            async with self._as_role(connection, deadline):
                yield connection
            await connection.execute("rollback")

    # ------------------------------------- what a connector to another system would do

    async def send(self, request: Request) -> Sent:
        """Nothing: it acts inside Interlock's transaction only."""
        what = f"{self._place} carries {request.operation} out inside Interlock's own transaction only"
        return Permanent(what, code="unsendable")

    async def look_up(self, request: Request) -> LookedUp:
        """Nothing: the action's own record says what became of it."""
        return Unknown(f"{self._place}: the action's own record says what became of {request.key}")

    async def void(self, request: Request) -> Voidance:
        """Nothing: the action's own record says what became of it."""
        return Unknown(f"{self._place}: the action's own record says what became of {request.key}")

    async def close(self) -> None:
        """Let go of connections."""
        await self._readers.close()

    async def _connect(self) -> AsyncConnection[Any]:
        return await connect_service(self._url)

    @property
    def _place(self) -> str:
        return f"connectors.{self._name}"


class _LeftRole(Refused):
    """A statement that is another role at its end than at its beginning is rolled back."""

    code = "left-role"


class _Late(Refused):
    """A request whose deadline has passed is not begun."""

    code = "late"

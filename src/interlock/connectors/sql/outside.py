"""The SQL connector on another database: effect and inbox row are one transaction there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo

from interlock.actions.connector import (
    Abilities,
    Absent,
    Done,
    Found,
    InDoubt,
    LookedUp,
    Permanent,
    Read,
    Request,
    Sent,
    Transient,
    Unknown,
    Voidance,
    Voided,
)
from interlock.connector_settings import ConnectorSettings
from interlock.connectors.secret import fetch_secret
from interlock.connectors.sql.answer import read_one, run
from interlock.connectors.sql.failure import judge_error, leaves_doubt, said
from interlock.connectors.sql.statement import Statement, check_key, request_hash
from interlock.connectors.sql.tables import Tables
from interlock.db.queries import Command, Rows, read_blocks
from interlock.db.spare import Spares
from interlock.errors import InterlockError, MalformedJson, Refused
from interlock.spelling import meant

MOST_CONNECTIONS = 16
"""At once; more requests wait for a free one."""
MOST_DRIFT_S = 1.0
"""How far its clock may be from ours before whoever looks the installation over is told."""
_CONNECT_SHARE = 0.4
"""Of a request's time, the most that connecting may take."""
_ROOM_TO_ANSWER_S = 0.5
"""How long after its statements' time limit the server's answer is waited for."""
_ROOM_TO_LEAVE_S = 1.0
"""And how long until the connection is left as it is: the driver asks the server to end what it does, and waits."""


class InboxRow(msgspec.Struct, frozen=True):
    """What the inbox holds of a key: the hash of its request and the response; neither: the key is void."""

    request_hash: bytes | None
    response: str | None


class Fault(msgspec.Struct, frozen=True):
    """What is missing of the inbox, if anything is."""

    fault: str | None


TEXTS = read_blocks(Path(__file__).with_name("outside.sql"))
"""What it runs, beside the statements of its settings."""
ENTER = Command("outside.enter", TEXTS["enter"])
INBOX_FAULT = Rows("outside.inbox_fault", TEXTS["inbox_fault"], Fault)
CLAIM_KEY = Command("outside.claim_key", TEXTS["claim_key"])
VOID_KEY = Command("outside.void_key", TEXTS["void_key"])
FIND_KEY = Rows("outside.find_key", TEXTS["find_key"], InboxRow)
DRIFT = Rows("outside.drift", TEXTS["drift"], float)
KEEP_RESPONSE = Command("outside.keep_response", TEXTS["keep_response"])


class InboxMissing(InterlockError):
    """The other database cannot keep keys: nothing is sent to it."""

    code = "inbox-missing"


@dataclass(slots=True)
class _Progress:
    """How far a request came: whether its commit may have left."""

    committing: bool = False


class OutsideSql:
    """Carries out statements in another PostgreSQL database, each under its key; owned by one event loop.

    Args:
        name: Its name in the settings.
        terms: Its settings.
        tables: The same, read.
        now: The time in UTC, as the deadlines of requests mean it.
        environ: Where secrets are that are kept in the environment.
    """

    def __init__(
        self,
        name: str,
        terms: ConnectorSettings,
        tables: Tables,
        *,
        now: Callable[[], datetime],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._name = name
        self._terms = terms
        self._tables = tables
        self._now = now
        self._environ = environ
        self._spares = Spares(self._connect, most=MOST_CONNECTIONS)

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._name

    @property
    def abilities(self) -> Abilities:
        """What the inbox makes of any PostgreSQL; for how long it keeps keys is the settings' to say."""
        keeps = bool(self._tables.operations)  # one that only brings facts needs no inbox
        return Abilities(
            simulated=self._terms.simulated,
            honours_keys=keeps,
            key_retention=self._terms.key_retention,
            can_look_up=keeps,
            can_void=keeps,
            max_request_life=self._terms.max_request_life,
        )

    # ------------------------------------------------------------------- effects

    async def send(self, request: Request) -> Sent:
        """Carry a statement out under its key, once. Never raises for what the other side does."""
        statement = self._tables.operations.get(request.operation)
        if statement is None:
            return Permanent(self._no_operation(request.operation), code="unknown-operation")
        try:
            check_key(request.key)
            values = statement.values(request.key, request.payload)
            asked = request_hash(request.operation, request.payload)
        except (Refused, MalformedJson) as cause:
            return Permanent(f"{request.operation} cannot be sent: {cause.what}", code="unsendable")
        progress = _Progress()
        try:
            async with self._session(request.deadline) as connection:
                return await self._take_effect(connection, request, statement, values, asked, progress)
        except (InterlockError, psycopg.Error, TimeoutError, OSError) as cause:
            return self._without_answer(cause, progress)

    async def _take_effect(
        self,
        connection: AsyncConnection[Any],
        request: Request,
        statement: Statement,
        values: dict[str, object],
        asked: bytes,
        progress: _Progress,
    ) -> Sent:
        claimed = await CLAIM_KEY.run(connection, {"key": request.key, "hash": asked, "deadline": request.deadline})
        if not claimed:
            return await self._answer_of_the_first(connection, request, asked)
        done = await run(connection, statement, values)
        if isinstance(done, Permanent):
            await connection.execute("rollback")
            return done
        response = msgspec.json.encode(done.response).decode()
        await KEEP_RESPONSE.run(connection, {"key": request.key, "response": response})
        progress.committing = True
        try:
            await connection.execute("commit")
        except psycopg.Error as cause:
            if leaves_doubt(cause, lost=connection.closed or connection.broken):
                return InDoubt(f"{self._place}: the answer to its commit was lost: {said(cause)}", code="commit-lost")
            return judge_error(cause, self._place)
        return done

    async def _answer_of_the_first(self, connection: AsyncConnection[Any], request: Request, asked: bytes) -> Sent:
        """The key was not claimed: it is taken, void, or this request is late."""
        row = await FIND_KEY.one(connection, {"key": request.key})
        await connection.execute("rollback")
        if row is None:
            return Transient(f"{self._place}: its deadline had passed when it arrived", code="late")
        if row.request_hash is None:
            return Permanent(f"{self._place}: the key {request.key} was made void", code="voided")
        if row.request_hash != asked:
            return Permanent(f"{self._place}: the key {request.key} belongs to another request", code="key-reused")
        return Done(_shown(row))

    def _without_answer(self, cause: Exception, progress: _Progress) -> Sent:
        """What an exchange without an answer proves. INVARIANT: doubt as soon as the commit may have left."""
        match cause:
            case InboxMissing() | Refused():
                return Transient(_what(cause), code=cause.code)
            case _ if progress.committing:
                what = f"{self._place}: the answer to its commit was lost: {said(cause)}"
                return InDoubt(what, code="commit-lost")
            case TimeoutError():
                return Transient(f"{self._place}: not done within its deadline", code="timeout")
            case psycopg.Error():
                return judge_error(cause, self._place)
            case _:
                return Transient(f"{self._place}: {said(cause)}", code="connection-lost")

    # ---------------------------------------------------------- keys, and their fate

    async def look_up(self, request: Request) -> LookedUp:
        """Look for the effect of a key, without causing any. A key that is void has none."""
        try:
            check_key(request.key)
            async with self._session(request.deadline, reads=True) as connection:
                row = await FIND_KEY.one(connection, {"key": request.key})
                await connection.execute("rollback")
            return Absent() if row is None or row.request_hash is None else _found(row, request)
        except (InterlockError, psycopg.Error, TimeoutError, OSError) as cause:
            return Unknown(f"{self._place}: {_what(cause)}")

    async def void(self, request: Request) -> Voidance:
        """Take the key without a request, so that a late one finds it taken; or find the effect that came first."""
        try:
            check_key(request.key)
            async with self._session(request.deadline) as connection:
                await VOID_KEY.run(connection, {"key": request.key})
                row = await FIND_KEY.one(connection, {"key": request.key})
                await connection.execute("commit")
            if row is None:
                return Unknown(f"{self._place}: the key {request.key} was deleted just now")
            return Voided() if row.request_hash is None else _found(row, request)
        except (InterlockError, psycopg.Error, TimeoutError, OSError) as cause:
            return Unknown(f"{self._place}: {_what(cause)}")

    async def read_fact(self, name: str, parameters: Mapping[str, Any], deadline: datetime) -> Read | Unknown:
        """Read a fact in a read-only transaction: one value, or None where there is no row."""
        statement = self._tables.reads.get(name)
        if statement is None:
            return Unknown(f"connectors.{self._name} has no reading {name!r}; {meant(name, self._tables.reads)}")
        try:
            values = statement.values("", parameters)
            async with self._session(deadline, reads=True) as connection:
                value = await read_one(connection, statement, values)
                await connection.execute("rollback")
        except (InterlockError, psycopg.Error, TimeoutError, OSError, ValueError) as cause:
            return Unknown(f"{self._place}: {_what(cause)}")
        return Read(value)

    async def examine(self, deadline: datetime) -> str:
        """What is not fit to act on, for whoever looks the installation over; empty if nothing is found."""
        try:
            async with self._session(deadline, reads=True) as connection:
                drift = await DRIFT.one(connection, {"now": self._now()}) or 0.0
                await connection.execute("rollback")
        except (InterlockError, psycopg.Error, TimeoutError, OSError) as cause:
            return _what(cause)
        if abs(drift) > MOST_DRIFT_S:
            return f"its clock is {drift:+.1f} s from ours, and deadlines go by it: synchronise both"
        return ""

    async def close(self) -> None:
        """Let go of connections."""
        await self._spares.close()

    # --------------------------------------------------------------- connections

    @asynccontextmanager
    async def _session(self, deadline: datetime, *, reads: bool = False) -> AsyncGenerator[AsyncConnection[Any]]:
        """A transaction with its time limit, to be ended by whoever uses it.

        Raises:
            Refused: the deadline has passed, or the secret is missing.
            InboxMissing: the other database has no inbox.
        """
        left = (deadline - self._now()) / timedelta(seconds=1)
        if left <= 0:
            raise _Late("its deadline had passed before it was sent")
        leave, stop = asyncio.timeout(left + _ROOM_TO_LEAVE_S), asyncio.timeout(left + _ROOM_TO_ANSWER_S)
        async with leave, stop, self._spares.use() as connection:
            left = max((deadline - self._now()) / timedelta(seconds=1), 0.001)
            options = self._tables.options
            entered = {"ms": str(int(left * 1000) or 1), "schema": options.schema, "role": options.role}
            async with connection.pipeline():
                await connection.execute("begin read only" if reads else "begin")
                await ENTER.run(connection, entered)
            yield connection

    async def _connect(self) -> AsyncConnection[Any]:
        seconds = self._terms.timeout / timedelta(seconds=1) * _CONNECT_SHARE
        secret = await fetch_secret(self._terms.secret, self._environ)
        place = make_conninfo(
            self._terms.url, password=secret or None, connect_timeout=max(int(seconds), 2), keepalives_idle=10,
            keepalives_interval=5, keepalives_count=3, application_name="interlock",
        )  # fmt: skip
        connection = await AsyncConnection.connect(place, autocommit=True)
        if self._tables.operations:
            try:
                await self._see_inbox(connection)
            except BaseException:
                await connection.close()
                raise
        return connection

    async def _see_inbox(self, connection: AsyncConnection[Any]) -> None:
        options = self._tables.options
        await connection.execute("begin read only")
        await ENTER.run(connection, {"ms": "5000", "schema": options.schema, "role": options.role})
        found = await INBOX_FAULT.one(connection)
        await connection.execute("rollback")
        if found and found.fault:
            raise InboxMissing(
                f"{self._place}: {found.fault}",
                todo="run inbox.sql there: `python -m interlock.connectors.sql` prints it",
            )

    @property
    def _place(self) -> str:
        return f"connectors.{self._name}"

    def _no_operation(self, wanted: str) -> str:
        return f"{self._place} has no operation {wanted!r}; {meant(wanted, self._tables.operations)}"


class _Late(Refused):
    """A request whose deadline has passed is not sent."""

    code = "late"


def _found(row: InboxRow, request: Request) -> Found:
    asked = request_hash(request.operation, request.payload)
    return Found(_shown(row), matches=row.request_hash == asked)


def _shown(row: InboxRow) -> dict[str, Any]:
    return msgspec.json.decode(row.response or "{}", type=dict[str, Any])


def _what(cause: BaseException) -> str:
    if isinstance(cause, InterlockError):
        return f"{cause.what} ({cause.todo})" if cause.todo else cause.what
    return "no answer within its deadline" if isinstance(cause, TimeoutError) else said(cause)

"""Group commit: all writes of the hot path go through one writer per process.

One durable commit per decision gives hundreds a second; a hundred per commit give thousands. The writer gathers units
of work from many coroutines for at most a millisecond or until a batch is full, writes them in one transaction, and
then answers each. It is durable before anyone is told.

What can go wrong, and what then happens:
  * A condition does not hold: that unit is refused, the others are written.
  * The database refuses a statement: every unit of the batch runs again alone, so one poisoned unit fails by itself.
  * The server has no room, on its disk or in its memory: the batch waits for it, as for a server that is away.
  * The connection dies, before the commit or with its answer under way: the batch runs again under the same ids on a
    new connection, once the locks show that the first attempt has ended; units whose ledger entry is found are done.
    The status of a transaction is never asked for: after a server crash a reused id reported a lost transaction as
    committed.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Self
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from interlock.clock import Clock
from interlock.db.batch import Batch, Foresees, Gate
from interlock.db.database import connect_service
from interlock.db.news import news_of
from interlock.db.queries import load_queries
from interlock.db.signals import Notifier
from interlock.db.work import Refusal, Unit
from interlock.errors import DatabaseUnavailable, InterlockError, SchemaOutdated, WorkFailed

FIND_UNITS = load_queries(__file__).rows("find_units", UUID)

MOST_UNITS = 128
LINGER_S = 0.001
PATIENCE_S = 30.0
_DEADLOCK_RETRIES = 6
_UNCLEAR_RETRIES = 3
_ROOM_S = 0.25

_Waiting = tuple[Unit, "asyncio.Future[Refusal | None]"]


class Writer:
    """The one writer of a process.

    Args:
        url: Where to connect, as the service's role, on a connection of its own.
        clock: The process's clock; each batch corrects it.
        gates: In the one global order of locks.
        notifier: Told, after a commit, which channels to wake.
        patience_s: How long a lost database is waited for before callers are told so.
    """

    def __init__(
        self, url: str, clock: Clock, gates: Sequence[Gate], notifier: Notifier, *, patience_s: float = PATIENCE_S
    ) -> None:
        self._url = url
        self._clock = clock
        self._gates = tuple(gates)
        self._notifier = notifier
        self._patience_s = patience_s
        self._queue: deque[_Waiting] = deque()
        self._news = asyncio.Event()
        self._connection: AsyncConnection[Any] | None = None
        self._loop: asyncio.Task[None] | None = None
        self._closing = False

    async def __aenter__(self) -> Self:
        self._connection = await connect_service(self._url, by_keys=True)
        self._loop = asyncio.create_task(self._run(), name="interlock-writer")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._news.set()
        if self._loop:
            await self._loop
        await self._disconnect()

    async def write(self, unit: Unit) -> Refusal | None:
        """Write one unit, durably; None, or why it was refused.

        Raises:
            WorkFailed: the database refused the unit itself, alone.
            DatabaseUnavailable: no answer in time; whether the unit was written is unknown, and asking again with the
                same key tells.
        """
        if self._closing or self._loop is None or self._loop.done():
            raise DatabaseUnavailable("the writer has stopped", todo="start the process again")
        future: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()
        self._queue.append((unit, future))
        self._news.set()
        return await future

    # ------------------------------------------------------------------ the loop

    async def _run(self) -> None:
        try:
            while not self._closing:
                await self._news.wait()
                self._news.clear()
                while self._queue:
                    await self._linger()
                    await self._flush(self._take())
        finally:  # nobody is left waiting, whatever ended the loop
            for _, future in self._queue:
                _fail(future, DatabaseUnavailable("the writer has stopped", todo="start the process again"))

    async def _linger(self) -> None:
        """Let callers that are about to write join, for a millisecond at most."""
        until = time.perf_counter() + LINGER_S
        size = 0
        while size < len(self._queue) < MOST_UNITS and time.perf_counter() < until:
            size = len(self._queue)
            await asyncio.sleep(0)

    def _take(self) -> list[_Waiting]:
        """The next batch; a unit that would change a row that another one of the batch changes waits for the next."""
        batch: list[_Waiting] = []
        later: list[_Waiting] = []
        targets: set[tuple[Any, ...]] = set()
        while self._queue and len(batch) < MOST_UNITS:
            unit, future = self._queue.popleft()
            if future.cancelled():
                continue
            try:
                unit.prepare(self._clock)
                mine = unit.targets()
            except Exception as cause:  # noqa: BLE001 - a unit that cannot be built is its caller's error, whatever it is
                future.set_exception(cause)
                continue
            if targets & mine:
                later.append((unit, future))
            else:
                targets |= mine
                batch.append((unit, future))
        self._queue.extendleft(reversed(later))
        return batch

    async def _flush(self, batch: list[_Waiting]) -> None:
        if not batch:
            return
        units = [unit for unit, _ in batch]
        try:
            refused = await self._commit_surely(units)
        except DatabaseUnavailable as cause:
            for _, future in batch:
                _fail(future, cause)
        except Exception:  # noqa: BLE001 - the database's, or that of a value that JSON cannot hold: one unit's own
            for waiting in batch:
                await self._alone(waiting)
        except BaseException as cause:
            for _, future in batch:
                _fail(future, cause)
            raise
        else:
            self._answer(batch, refused)

    async def _alone(self, waiting: _Waiting) -> None:
        """One unit by itself, after its batch failed: the error is its own, or it was another's."""
        unit, future = waiting
        for turn in range(_DEADLOCK_RETRIES):
            try:
                refused = await self._commit_surely([unit])
            except psycopg.errors.DeadlockDetected as cause:
                if turn + 1 == _DEADLOCK_RETRIES:
                    _fail(future, WorkFailed(f"the database kept finding a deadlock: {cause}"))
                    return
                await asyncio.sleep(random.uniform(0, 0.01 * 2**turn))  # noqa: S311 - jitter, no secret
            except psycopg.Error as cause:
                error = WorkFailed(f"the database refused it: {str(cause).strip()}", where=_constraint(cause))
                error.__cause__ = cause
                _fail(future, error)
                return
            except InterlockError as cause:
                _fail(future, cause)
                return
            except Exception as cause:  # noqa: BLE001 - whatever it is, it is this unit's and stops nobody else
                error = WorkFailed(f"it cannot be sent to the database: {cause}")
                error.__cause__ = cause
                _fail(future, error)
                return
            else:
                self._answer([waiting], refused)
                return

    def _answer(self, batch: Sequence[_Waiting], refused: dict[UUID, Refusal]) -> None:
        wakes: list[str] = []
        for unit, future in batch:
            refusal = refused.get(unit.id)
            if not future.done():
                future.set_result(refusal)
            if refusal is None:
                wakes.extend(unit.wakes)
        self._notifier.wake(*wakes, *news_of(unit for unit, _ in batch if unit.id not in refused))

    # ------------------------------------------------------------ the transaction

    async def _commit_surely(self, units: Sequence[Unit]) -> dict[UUID, Refusal]:
        """Commit, through lost connections and lost answers.

        A unit whose answer was lost stays doubtful: should the next run fail for another reason and the units go on
        alone, each must still be looked for.
        """
        give_up = time.monotonic() + self._patience_s
        unclear = 0
        while True:
            connection = await self._connected(give_up)
            try:
                return await self._commit(connection, units, again=any(unit.doubtful for unit in units))
            except psycopg.Error as cause:
                full = _lacks_room(cause)
                lost = connection.closed or connection.broken or full or _is_a_shutdown(cause)
                await self._disconnect()
                # whatever the error looks like: a server that goes away says so in many ways, and the commit may stand
                for unit in units:
                    unit.doubtful = True
                unclear += not lost
                if not lost and (unclear > _UNCLEAR_RETRIES or not _is_the_clients(cause)):
                    raise
                if full:
                    await self._await_room(cause, give_up)
            except BaseException:
                await self._disconnect()
                raise

    async def _connected(self, give_up: float) -> AsyncConnection[Any]:
        pause = 0.02
        while self._connection is None or self._connection.closed:
            try:
                self._connection = await connect_service(self._url, by_keys=True)
            except SchemaOutdated:
                raise
            except DatabaseUnavailable as cause:
                if time.monotonic() > give_up:
                    raise DatabaseUnavailable(
                        f"the database has not answered for {self._patience_s:.0f} s; whether it wrote is unknown",
                        todo="send it again with the same key when the database is back: it takes effect once",
                    ) from cause
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.5)
        return self._connection

    async def _await_room(self, cause: psycopg.Error, give_up: float) -> None:
        if time.monotonic() > give_up:
            raise DatabaseUnavailable(
                f"the database has had no room for {self._patience_s:.0f} s: {str(cause).strip()}",
                todo="give it room; then send it again with the same key: it takes effect once",
            ) from cause
        await asyncio.sleep(_ROOM_S)

    async def _disconnect(self) -> None:
        """Leave a connection on which something failed.

        Rolling back is not enough: the driver believes that the statements after the failed one were prepared too, and
        from then on every use of them would fail.
        """
        if self._connection:
            await self._connection.close()
        self._connection = None

    async def _commit(
        self, connection: AsyncConnection[Any], units: Sequence[Unit], *, again: bool
    ) -> dict[UUID, Refusal]:
        """One transaction. Gates lock in one global order and refuse; then only the winners' rows are written."""
        batch = Batch(connection, units, again=again)
        foreseen = (
            () if again else [ask for gate in self._gates if isinstance(gate, Foresees) for ask in gate.foresee(batch)]
        )
        await batch.begin(foreseen)
        self._clock.correct(batch.now)
        if again:
            await batch.find(FIND_UNITS)
        for gate in self._gates:
            await gate.admit(batch)
            if again:  # before the next gate, since the last ones spend
                await batch.find(FIND_UNITS)
        if batch.refused:
            for gate in self._gates:
                await gate.retract(batch)
        await batch.write(batch.admitted)
        return batch.refused


def _fail(future: asyncio.Future[Refusal | None], cause: BaseException) -> None:
    if not future.done():
        future.set_exception(cause)


def _constraint(cause: psycopg.Error) -> str:
    return cause.diag.constraint_name or cause.diag.table_name or ""


def _is_the_clients(cause: psycopg.Error) -> bool:
    """Errors that the server did not send: the driver met a connection that was cut before it knew that it was."""
    return isinstance(cause, psycopg.OperationalError) and cause.sqlstate is None


def _lacks_room(cause: psycopg.Error) -> bool:
    """Errors of class 53, insufficient resources: the work is fine, and the server will take it when it has room."""
    return (cause.sqlstate or "").startswith("53")


def _is_a_shutdown(cause: psycopg.Error) -> bool:
    """Errors by which a server says goodbye while the connection still looks alive."""
    return isinstance(
        cause,
        (
            psycopg.errors.AdminShutdown,
            psycopg.errors.CrashShutdown,
            psycopg.errors.CannotConnectNow,
            psycopg.errors.IdleInTransactionSessionTimeout,
        ),
    )

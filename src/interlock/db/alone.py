"""A unit of work in a transaction of its own, together with an effect in the same database: both happen, or neither.

The effect comes first and the gates after it. A slow effect then holds no lock of ours: not the case's, no limit's, and
not the stops', behind which every dispatch of the tenant would wait. What a gate refuses is rolled back whole, and
whatever the gates admit holds at the commit itself, however long the effect took.

The answer to the commit can be lost. Then the unit is looked for under its case's lock, which the lost transaction held
if it came as far as its commit: so it has ended, one way or the other, before anything is tried again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self, TypeVar

import psycopg
from psycopg import AsyncConnection

from interlock.clock import Clock
from interlock.db.batch import Batch, Foresees, Gate
from interlock.db.database import connect_service
from interlock.db.gates import CaseGate, HoldsCase
from interlock.db.news import news_of
from interlock.db.signals import Notifier
from interlock.db.spare import Spares
from interlock.db.work import Refusal, Unit
from interlock.db.writer import FIND_UNITS
from interlock.errors import DatabaseUnavailable, SchemaOutdated, WorkFailed

MOST = 8
"""Such transactions at once, of one process."""
PATIENCE_S = 30.0
COMMIT_S = 15.0
"""How long gates and commit may take: more than the server lets a transaction stand idle."""

T = TypeVar("T")

Effect = Callable[[AsyncConnection[Any]], Awaitable[None]]
"""Acts inside the transaction; raises to have nothing of it happen. It leaves role and search path as it found them."""


class Alone:
    """Writes units one by one, each with its effect.

    Args:
        url: Where to connect, as the service's role, on connections of its own.
        clock: The process's clock.
        gates: In the one global order of locks.
        notifier: Told, after a commit, which channels to wake.
        most: How many transactions at once.
        patience_s: How long a lost database is waited for before callers are told so.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        gates: Sequence[Gate],
        notifier: Notifier,
        *,
        most: int = MOST,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._clock = clock
        self._gates = tuple(gates)
        self._notifier = notifier
        self._patience_s = patience_s
        self._spares = Spares(lambda: connect_service(url, by_keys=True), most=most)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._spares.close()

    async def write(self, unit: Unit, effect: Effect) -> Refusal | None:
        """Have an effect and write its unit, durably, in one transaction; None, or why neither happened.

        Args:
            unit: It must hold a case: see the module. It is built after the effect, so it may rest on what that gave,
                and anew should the transaction have to run again.
            effect: May run several times; at most one of them is committed.

        Raises:
            WorkFailed: the database refused the unit itself.
            DatabaseUnavailable: no answer in time; whether both happened is unknown until the unit's case is read.
            Exception: whatever the effect raises; nothing happened.
        """
        if not any(isinstance(condition, HoldsCase) for condition in unit.conditions):
            raise AssertionError("a unit with an effect holds its case: by that lock its lost commit is waited for")
        give_up = time.monotonic() + self._patience_s
        turn = 0
        while True:
            try:
                refusal = await self._turn(unit, effect)
            except _Lost as lost:
                if time.monotonic() > give_up:
                    raise DatabaseUnavailable(
                        f"the database has not answered for {self._patience_s:.0f} s; whether it wrote is unknown",
                        todo="nothing: the case goes on from what is on record when the database is back",
                    ) from lost.__cause__
                turn += 1
                await asyncio.sleep(random.uniform(0.01, 0.02 * 2 ** min(turn, 5)))  # noqa: S311 - jitter, no secret
                continue
            if refusal is None:
                self._notifier.wake(*unit.wakes, *news_of((unit,)))
            return refusal

    async def _turn(self, unit: Unit, effect: Effect) -> Refusal | None:
        """One transaction. Raises _Lost where another one may tell more: its end is unknown, or it met a deadlock."""
        try:
            async with self._spares.use() as connection:
                return await self._once(connection, unit, effect)
        except SchemaOutdated:
            raise
        except (DatabaseUnavailable, psycopg.errors.DeadlockDetected) as cause:
            raise _Lost from cause
        except psycopg.Error as cause:
            where = cause.diag.constraint_name or cause.diag.table_name or ""
            raise WorkFailed(f"the database refused it: {str(cause).strip()}", where=where) from cause

    async def _once(self, connection: AsyncConnection[Any], unit: Unit, effect: Effect) -> Refusal | None:
        if unit.doubtful and await self._surely(connection, self._stands(connection, unit)):
            return None
        unit.renew()
        batch = Batch(connection, [unit], again=False)
        await self._surely(connection, batch.begin())
        self._clock.correct(batch.now)
        await effect(connection)
        unit.prepare(self._clock)
        return await self._surely(connection, self._commit(batch, unit))

    async def _surely(self, connection: AsyncConnection[Any], work: Awaitable[T]) -> T:
        """What the work gives. Raises _Lost where the connection ended under it, or it gave no sign for too long."""
        try:
            async with asyncio.timeout(COMMIT_S):
                return await work
        except TimeoutError as cause:
            raise _Lost from cause
        except psycopg.OperationalError as cause:
            if connection.closed or connection.broken or (cause.sqlstate or "08")[:2] in ("08", "53", "57"):
                raise _Lost from cause
            raise

    async def _commit(self, batch: Batch, unit: Unit) -> Refusal | None:
        """Pass the gates and commit; what is refused leaves nothing behind, the effect included."""
        await batch.look_at_clock()
        await batch.ask_ahead(ask for gate in self._gates if isinstance(gate, Foresees) for ask in gate.foresee(batch))
        for gate in self._gates:
            await gate.admit(batch)
            if batch.refused:
                await batch.connection.execute("rollback")
                return batch.refused[unit.id]
        unit.doubtful = True  # from here on the commit may stand although nobody heard of it
        await batch.write([unit])
        unit.doubtful = False
        return None

    async def _stands(self, connection: AsyncConnection[Any], unit: Unit) -> bool:
        """Whether the unit was written by the transaction whose answer was lost, which has ended now."""
        batch = Batch(connection, [unit], again=True)
        await batch.begin()
        for gate in self._gates:
            if isinstance(gate, CaseGate):
                await gate.admit(batch)
        await batch.find(FIND_UNITS)
        await connection.execute("rollback")
        return unit.id in batch.found


class _Lost(Exception):
    """The connection ended, or gave no sign: the transaction's end is known by what is on record."""

"""The boundaries with outside systems, as one process keeps them: a lane and a circuit for each connector."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta

import msgspec

from interlock.actions.circuit import CircuitRules
from interlock.actions.circuit_gate import CircuitGate
from interlock.actions.circuits import Circuits
from interlock.actions.failure import sign_of
from interlock.actions.lane import MOST, Lane
from interlock.db.database import Database
from interlock.db.work import Refusal

_READING = " (facts)"  # no connector's name has a space in it


class BoundaryTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings say of one connector's boundary.

    Attributes:
        concurrency: Requests at once, of one process.
        circuit: When its circuit opens.
    """

    concurrency: int = MOST
    circuit: CircuitRules = CircuitRules()


class Boundaries:
    """The boundaries of this process.

    Args:
        database: Where the circuits are.
        gate: The gate of this process's writer.
        terms: By connector; the others have the usual ones.
        slots: How many cases a worker of this process runs at once: one connector gets three quarters of it at most.
        chance: The source of jitter.
    """

    def __init__(
        self,
        database: Database,
        gate: CircuitGate,
        terms: Mapping[str, BoundaryTerms] | None = None,
        *,
        slots: int = 2 * MOST,
        chance: random.Random | None = None,
    ) -> None:
        self._terms = dict(terms or {})
        self._now: Callable[[], datetime] = database.clock.now
        self._most = max(slots * 3 // 4, 1)
        self._chance = chance
        self._lanes: dict[str, Lane] = {}
        self.circuits = Circuits(
            database, gate, {name: one.circuit for name, one in self._terms.items()}, chance=chance
        )

    def lane(self, connector: str) -> Lane:
        """The lane of a connector."""
        if connector not in self._lanes:
            wanted = self._terms.get(connector.removesuffix(_READING), BoundaryTerms()).concurrency
            self._lanes[connector] = Lane(connector, min(wanted, self._most), self._now, self._chance)
        return self._lanes[connector]

    def place(self, connector: str) -> AbstractAsyncContextManager[Refusal | None]:
        """Hold a place in a connector's lane; see ``Lane.place``."""
        return self.lane(connector).place()

    def reading(self, connector: str) -> AbstractAsyncContextManager[Refusal | None]:
        """Hold a place for reading a fact: in a lane of its own, as wide as the connector's.

        INVARIANT: whoever holds such a place waits for no other, so that an action that holds one in its connector's
        lane may read facts through any connector.
        """
        return self.lane(f"{connector}{_READING}").place()

    async def may_ask(self, connector: str, patience: timedelta, sent_at: datetime) -> Refusal | None:
        """Whether a look-up or a voiding may go now; see ``Circuits.let_ask``."""
        return await self.circuits.let_ask(connector, patience, sent_at)

    async def note(self, connector: str, answer: object, sent_at: datetime | None) -> None:
        """Record what an answer shows of the other side; see ``Circuits.report``."""
        await self.circuits.report(connector, sign_of(answer), sent_at or self._now())

"""The circuits from the side of a process: reporting what became of requests, asking before a look-up, closing by hand.

Reports go past the writer: they lock one row for a moment and nothing else, many of one connector share one
transaction, and a report that is lost costs nothing but a later opening.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import psycopg
from psycopg import AsyncConnection

from interlock.actions.circuit import (
    Circuit,
    CircuitRules,
    CircuitState,
    admit,
    closed,
    failed,
    opened_by_hand,
    succeeded,
    why_not,
)
from interlock.actions.circuit_gate import CircuitGate, TurnsCircuit, log_change
from interlock.actions.circuit_store import ADD_CIRCUITS, FIND_CIRCUITS, LIST_CIRCUITS, LOCK_CIRCUITS, PUT_CIRCUITS
from interlock.actions.failure import Health, Sign
from interlock.db.database import READ_CLOCK, Database
from interlock.db.text import storable
from interlock.db.work import Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import DatabaseUnavailable, Refused
from interlock.ledger.ledger import first_entry

log = logging.getLogger("interlock.circuit")

_DEFAULT = CircuitRules()


class _Report(msgspec.Struct, frozen=True):
    """What became of one request."""

    sign: Sign
    sent_at: datetime


class Circuits:
    """The circuits of all connectors, as this process sees and changes them.

    Args:
        database: For transactions of their own.
        gate: The gate of this process's writer; it knows which circuits are not well.
        rules: By connector; the others have the usual ones.
        chance: The source of jitter.
    """

    def __init__(
        self,
        database: Database,
        gate: CircuitGate,
        rules: Mapping[str, CircuitRules] | None = None,
        *,
        chance: random.Random | None = None,
    ) -> None:
        self._database = database
        self._gate = gate
        self._rules = dict(rules or {})
        self._chance = chance or random.SystemRandom()
        self._reports: dict[str, list[_Report]] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def report(self, connector: str, sign: Sign, sent_at: datetime) -> None:
        """Record what a request showed of the other side's health.

        A success writes nothing while the circuit is well. Never raises for a database that does not answer: the
        request's own record has to wait for it anyway.

        Args:
            connector: Whose.
            sign: What it showed.
            sent_at: When it was sent.
        """
        if sign.health is Health.SILENT or (sign.health is Health.WELL and connector not in self._gate.troubled):
            return
        self._reports.setdefault(connector, []).append(_Report(sign, sent_at))
        async with self._turns.setdefault(connector, asyncio.Lock()):
            gathered = self._reports.pop(connector, [])  # whoever is first records for all who wait
            if not gathered:
                return
            try:
                await self._change(connector, lambda circuit, now: self._after(circuit, gathered, now))
            except (DatabaseUnavailable, psycopg.Error) as cause:
                log.warning("what %s requests to %s showed is not recorded: %s", len(gathered), connector, cause)

    def _after(self, circuit: Circuit, gathered: Sequence[_Report], now: datetime) -> Circuit:
        rules = self._rules.get(circuit.connector, _DEFAULT)
        for report in gathered:
            if report.sign.health is Health.WELL:
                circuit = succeeded(circuit, now, sent_at=report.sent_at)
            else:
                circuit = failed(
                    circuit, now, sent_at=report.sent_at, what=storable(report.sign.what)[:200], rules=rules,
                    jitter=self._chance.random(),
                )  # fmt: skip
        return circuit

    async def let_ask(self, connector: str, patience: timedelta, sent_at: datetime) -> Refusal | None:
        """Whether a look-up may go, or when to come again: it takes a place like any request, and may be the probe.

        Args:
            connector: Whose circuit.
            patience: How long the look-up may take.
            sent_at: The time by which it will be reported.

        Raises:
            DatabaseUnavailable: it does not answer.
        """
        async with self._database.installation() as connection:
            circuit = await FIND_CIRCUITS.one(connection, {"connectors": [connector]})
        self._gate.note([connector], [circuit] if circuit else [])
        if circuit is None or circuit.state is CircuitState.CLOSED:
            return None
        told: list[Refusal] = []

        def ask(held: Circuit, now: datetime) -> Circuit:
            after, until = admit(held, now, patience, self._chance.random(), sent_at=sent_at)
            if until:
                told.append(Refusal("circuit", why_not(held), until=until))
            return after

        await self._change(connector, ask)
        return told[0] if told else None

    async def _change(self, connector: str, step: Callable[[Circuit, datetime], Circuit]) -> None:
        """Change one circuit under its lock, in a transaction that holds no other."""
        async with self._database.installation() as connection, connection.transaction():
            before, now = await _lock(connection, connector)
            after = step(before, now)
            if after != before:
                await PUT_CIRCUITS.run(connection, [after])
        self._gate.note([connector], [after])
        if after != before:
            log_change(before, after)


async def _lock(connection: AsyncConnection[tuple[object, ...]], connector: str) -> tuple[Circuit, datetime]:
    """The circuit under its lock, made if it is new, and the database's time after that."""
    circuit = await LOCK_CIRCUITS.one(connection, {"connectors": [connector]})
    now = await READ_CLOCK.one(connection)
    if now is None:
        raise AssertionError("the database always knows its time")
    if circuit is None:
        await ADD_CIRCUITS.run(connection, [closed(connector, now)])
        circuit = await LOCK_CIRCUITS.one(connection, {"connectors": [connector]})
    if circuit is None:
        raise AssertionError("the circuit was just made, and none is ever removed")
    return circuit, now


async def list_circuits(database: Database) -> list[Circuit]:
    """Every circuit that has ever failed, by connector."""
    async with database.installation() as connection:
        return await LIST_CIRCUITS.all(connection)


async def open_circuit(
    database: Database, writer: Writer, tenant: UUID, connector: str, *, who: str, why: str
) -> Circuit:
    """Open a circuit by hand, for every tenant, until somebody closes it. What was sent before is still under way.

    Raises:
        Refused: no reason.
    """
    before = await _read(database, connector)
    return await _set(writer, tenant, opened_by_hand(before, database.clock.now(), who=who, why=why[:300]), who, why)


async def close_circuit(
    database: Database, writer: Writer, tenant: UUID, connector: str, *, who: str, why: str
) -> Circuit:
    """Close a circuit by hand, whatever opened it: requests go again at once, at full pace.

    Raises:
        Refused: no reason.
    """
    return await _set(writer, tenant, closed(connector, database.clock.now()), who, why)


async def _read(database: Database, connector: str) -> Circuit:
    async with database.installation() as connection:
        found = await FIND_CIRCUITS.one(connection, {"connectors": [connector]})
    return found or closed(connector, database.clock.now())


async def _set(writer: Writer, tenant: UUID, circuit: Circuit, who: str, why: str) -> Circuit:
    """Put a circuit as somebody wants it, with the ledger entry that says who and why, in one commit."""
    if not why.strip():
        raise Refused("a reason is needed", todo="say why, for whoever reads the ledger")

    def build(stamp: Stamp) -> Sequence[Write]:
        kind = "circuit.opened" if circuit.by_hand else "circuit.closed"
        entry = first_entry(stamp, tenant, kind, subject=stamp.entry, connector=circuit.connector, who=who, why=why)
        return [Write(PUT_CIRCUITS, circuit), entry]

    await writer.write(Unit(tenant, build, (TurnsCircuit(circuit.connector),), wakes=("cases",)))
    return circuit

"""The gate of the circuits: in the very commit that lets an attempt begin, so that all workers share one breaker."""

from __future__ import annotations

import logging
import random
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from interlock.actions.circuit import Circuit, CircuitState, admit, why_not
from interlock.actions.circuit_store import FIND_CIRCUITS, LOCK_CIRCUITS, PUT_CIRCUITS
from interlock.db.batch import Batch
from interlock.db.work import Condition, Refusal, Unit
from interlock.guards.gate import NotAfter

log = logging.getLogger("interlock.circuit")


class CircuitAdmits(Condition, frozen=True):
    """The circuit of a connector lets this request through.

    Attributes:
        connector: Whose circuit.
        patience: How long the request may take: so long a probe is waited for.
    """

    connector: str
    patience: timedelta


class TurnsCircuit(Condition, frozen=True):
    """This unit opens or closes a circuit by hand: it is locked in its turn, before the limits."""

    connector: str


@dataclass(frozen=True, slots=True)
class _Decided:
    """What was decided on the circuits of one batch, to be decided again should a later gate refuse some of it."""

    before: dict[str, Circuit]
    after: dict[str, Circuit]
    admitted: tuple[tuple[Unit, CircuitAdmits], ...]
    now: datetime


class CircuitGate:
    """Lets through what the circuits let through, and tells the others when to come again.

    It stands before the limits, so that who is turned away has used nothing up; and gives back the places of those
    whom the limits then refuse. A closed circuit is only read: no lock, no write.

    Attributes:
        troubled: Connectors whose circuit was not well when this process read it last. A hint: by it a success knows
            whether it is worth recording.

    Args:
        chance: The source of jitter.
    """

    def __init__(self, chance: random.Random | None = None) -> None:
        self.troubled: set[str] = set()
        self._chance = chance or random.SystemRandom()
        self._decided: weakref.WeakKeyDictionary[Batch, _Decided] = weakref.WeakKeyDictionary()

    async def admit(self, batch: Batch) -> None:
        """Read the circuits; lock those that are not closed, in order of their names, and decide."""
        turned = {one.connector for pairs in batch.conditions(TurnsCircuit).values() for _, one in pairs}
        wanted = [
            pair for pairs in batch.conditions(CircuitAdmits).values() for pair in pairs if not _is_late(batch, pair[0])
        ]
        if not wanted and not turned:
            return
        names = sorted({condition.connector for _, condition in wanted})
        read = await FIND_CIRCUITS.all(batch.connection, {"connectors": names})
        self.note(names, read)
        ill = turned.union(circuit.connector for circuit in read if circuit.state is not CircuitState.CLOSED)
        if not ill:
            return
        locked = await LOCK_CIRCUITS.all(batch.connection, {"connectors": sorted(ill)})
        held = {circuit.connector: circuit for circuit in locked}
        now = await batch.look_at_clock()
        after = dict(held)
        admitted: list[tuple[Unit, CircuitAdmits]] = []
        for unit, condition in wanted:
            circuit = after.get(condition.connector)
            if circuit is None:
                continue
            after[circuit.connector], until = admit(
                circuit, now, condition.patience, self._chance.random(), sent_at=_sent_at(unit)
            )
            if until:
                batch.refuse(unit, Refusal("circuit", why_not(circuit), until=until))
            else:
                admitted.append((unit, condition))
        self._decided[batch] = _Decided(held, after, tuple(admitted), now)
        await _put(batch, held, after)

    async def retract(self, batch: Batch) -> None:
        """Give back what was taken for units that a later gate refused, a probe above all."""
        decided = self._decided.pop(batch, None)
        if decided is None or not any(unit.id in batch.refused for unit, _ in decided.admitted):
            return
        after = dict(decided.before)
        for unit, condition in decided.admitted:
            if unit.id not in batch.refused:
                circuit = after[condition.connector]
                after[circuit.connector], _ = admit(
                    circuit, decided.now, condition.patience, 0.0, sent_at=_sent_at(unit)
                )
        for name, circuit in decided.after.items():  # what was promised stays promised
            after[name] = msgspec.structs.replace(after[name], promised=circuit.promised)
        await PUT_CIRCUITS.run(batch.connection, [after[name] for name in sorted(after)])

    def note(self, names: Sequence[str], read: Sequence[Circuit]) -> None:
        """Remember which of these circuits are not well."""
        self.troubled.difference_update(names)
        self.troubled.update(circuit.connector for circuit in read if not circuit.is_well)


async def _put(batch: Batch, before: dict[str, Circuit], after: dict[str, Circuit]) -> None:
    changed = [after[name] for name in sorted(after) if after[name] != before[name]]
    if changed:
        await PUT_CIRCUITS.run(batch.connection, changed)
    for circuit in changed:
        log_change(before[circuit.connector], circuit)


def log_change(before: Circuit, after: Circuit) -> None:
    """Say in the log that a circuit is in another state."""
    if after.state is CircuitState.OPEN and before.state is not after.state:
        log.warning("the circuit of %s opened: %s", after.connector, why_not(after))
    elif after.state is not before.state or (after.retry_at is None) != (before.retry_at is None):
        answered = " and was answered" if after.state is CircuitState.RECOVERING and after.retry_at is None else ""
        log.info("the circuit of %s is %s%s", after.connector, after.state, answered)


def _sent_at(unit: Unit) -> datetime | None:
    """The unit's own time, by which its request will be reported: it was taken before any lock was."""
    return unit.stamp.now if unit.stamp else None


def _is_late(batch: Batch, unit: Unit) -> bool:
    """Whether the unit is past its time: that is for the next gate to say, whatever the circuit."""
    return any(isinstance(one, NotAfter) and batch.now > one.moment for one in unit.conditions)

"""The circuit breaker of one outside system, shared by every worker of the installation. Pure.

    closed --failures in a row--> open --its pause is over: one probe--> recovering --the pace has grown--> closed
                                    ^                                        |
                                    +-------------- a failure ---------------+

While it is open nobody waits for an outside system that does not answer. When its pause is over one request goes, the
probe; when that is answered, the pace that is let through begins at one a second and doubles each second, and at the
ceiling the circuit closes. Who is turned away is told when to come again: each a place of its own along that same ramp,
so that neither the other side nor our database is stormed by everybody at once.

Source: Nygard, "Release It!", 2nd edition, 2018, "Circuit Breaker"; the pace is kept by the generic cell rate algorithm
(ITU-T I.371, virtual scheduling) with an interval that shrinks.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec


class CircuitState(StrEnum):
    """See the diagram above."""

    CLOSED = "closed"
    OPEN = "open"
    RECOVERING = "recovering"


class CircuitRules(msgspec.Struct, frozen=True, kw_only=True):
    """When a circuit opens, and for how long.

    Attributes:
        failures: How many failures in a row open it; at least 1.
        pause: For how long it opens the first time; twice as long each further time in a row.
        longest: The longest pause.
    """

    failures: int = 5
    pause: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(minutes=1)


class Circuit(msgspec.Struct, frozen=True, kw_only=True):
    """The circuit of one connector, as it is stored.

    Attributes:
        connector: Whose.
        state: Where it is.
        failures: In a row, since the last success that anyone recorded.
        openings: In a row, since it was closed last; the pause grows with them.
        since: Of its state; while recovering: of the probe, and once that was answered, of the answer.
        retry_at: Open: when the probe may go; None: somebody opened it by hand. Recovering: when another probe may go,
            should the first never be heard of; None: the probe was answered.
        pace: While recovering: the theoretical arrival time of the next request, in microseconds since 1970.
        promised: How many were told when to come again, since it opened.
        what: The last failure, by kind and code, or who opened it and why. Tenants share it: it repeats no data.
    """

    connector: str
    state: CircuitState
    failures: int
    openings: int
    since: datetime
    retry_at: datetime | None
    pace: int
    promised: int
    what: str

    @property
    def by_hand(self) -> bool:
        """Whether somebody opened it, and only somebody will close it."""
        return self.state is CircuitState.OPEN and self.retry_at is None

    @property
    def is_well(self) -> bool:
        """Whether it is closed and no failure counts."""
        return self.state is CircuitState.CLOSED and not self.failures


RAMP = timedelta(seconds=6)
"""How long the pace grows, to 64 in the last second, before the circuit closes."""
ROOM = timedelta(seconds=2)
"""Beyond a probe's own time limit, before another one may go."""
_SLACK = 0.25
"""Seconds of the pace that may come at once, since those who wait wake by a clock of their own."""
_SPREAD = timedelta(milliseconds=100)
_PROBED = timedelta(seconds=1)
_HELD = timedelta(seconds=5)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def closed(connector: str, now: datetime) -> Circuit:
    """The circuit of a connector of which nothing bad is known."""
    return Circuit(
        connector=connector, state=CircuitState.CLOSED, failures=0, openings=0, since=now, retry_at=None, pace=0,
        promised=0, what="",
    )  # fmt: skip


def admit(circuit: Circuit, now: datetime, patience: timedelta, jitter: float) -> tuple[Circuit, datetime | None]:
    """Let one request through, or say when to come again.

    Args:
        circuit: As it is, under its lock.
        now: The database's time, taken after the lock.
        patience: How long the request may take.
        jitter: Chance, from 0 up to 1.

    Returns:
        The circuit after it, and None; or, with the promise counted, when to come again.
    """
    if circuit.state is CircuitState.CLOSED:
        return circuit, None
    if circuit.retry_at is None:
        if circuit.state is CircuitState.OPEN:
            return circuit, now + _HELD + 2 * jitter * _HELD
        return _keep_pace(circuit, now, jitter)
    if now >= circuit.retry_at:
        since = now if circuit.state is CircuitState.OPEN else circuit.since
        return _probe(circuit, since, now, patience), None
    if circuit.state is CircuitState.OPEN:
        return _promise(circuit, circuit.retry_at, now, jitter)
    told, until = _promise(circuit, circuit.since, now, jitter)
    return told, max(until, now + _PROBED + jitter * _PROBED)


def _probe(circuit: Circuit, since: datetime, now: datetime, patience: timedelta) -> Circuit:
    return msgspec.structs.replace(
        circuit, state=CircuitState.RECOVERING, since=since, retry_at=now + patience + ROOM, pace=0
    )


def _keep_pace(circuit: Circuit, now: datetime, jitter: float) -> tuple[Circuit, datetime | None]:
    """The n-th request after the probe may go log2(n + 1) seconds after its answer: 2^k of them in second k."""
    elapsed = max((now - circuit.since).total_seconds(), 0)
    if elapsed >= RAMP.total_seconds():
        return closed(circuit.connector, now), None
    at = (now - _EPOCH) // _MICROSECOND
    if circuit.pace > at + int(_SLACK * 1_000_000):
        told, until = _promise(circuit, circuit.since, now, jitter)
        return told, max(until, _EPOCH + circuit.pace * _MICROSECOND)
    return msgspec.structs.replace(circuit, pace=_next(circuit.since, max(circuit.pace, at))), None


def _next(ramp: datetime, arrival: int) -> int:
    """The theoretical arrival time after this one, on a ramp that began then."""
    begin = (ramp - _EPOCH) // _MICROSECOND
    return begin + int(1_000_000 * math.log2(2 ** ((arrival - begin) / 1_000_000) + 1))


def _promise(circuit: Circuit, ramp: datetime, now: datetime, jitter: float) -> tuple[Circuit, datetime]:
    """A place along the ramp: the n-th to be told comes log2(n) seconds after its begin; no place is in the past."""
    elapsed = min(max((now - ramp).total_seconds(), 0), 2 * RAMP.total_seconds())
    place = max(circuit.promised + 1, int(2**elapsed) + 1 if elapsed else 1)
    until = ramp + timedelta(seconds=math.log2(place))
    return msgspec.structs.replace(circuit, promised=place), max(until, now) + jitter * _SPREAD


def failed(
    circuit: Circuit, now: datetime, *, sent_at: datetime, what: str, rules: CircuitRules, jitter: float
) -> Circuit:
    """The circuit after a failure.

    What was sent before a recovery began says nothing about it: requests that were under way when the circuit opened
    end late.

    Args:
        circuit: As it is, under its lock.
        now: The database's time.
        sent_at: When the request was sent that failed.
        what: The failure's kind and code.
        rules: Of this connector.
        jitter: Chance, from 0 up to 1.
    """
    if circuit.state is CircuitState.OPEN:
        return circuit
    if circuit.state is CircuitState.RECOVERING and sent_at < circuit.since:
        return circuit
    counted = msgspec.structs.replace(circuit, failures=circuit.failures + 1, what=what)
    if circuit.state is CircuitState.CLOSED and counted.failures < rules.failures:
        return counted
    pause = min(rules.pause * 2 ** min(circuit.openings, 30), rules.longest)
    return msgspec.structs.replace(
        counted,
        state=CircuitState.OPEN,
        openings=circuit.openings + 1,
        since=now,
        retry_at=now + pause * (0.75 + jitter / 2),
        promised=0,
    )


def succeeded(circuit: Circuit, now: datetime, *, sent_at: datetime) -> Circuit:
    """The circuit after the other side has answered, be it with a refusal.

    Args:
        circuit: As it is, under its lock.
        now: The database's time.
        sent_at: When the request was sent that was answered.
    """
    match circuit.state:
        case CircuitState.CLOSED if circuit.failures:
            return closed(circuit.connector, now)
        case CircuitState.RECOVERING if circuit.retry_at is not None and sent_at >= circuit.since:
            pace = _next(now, (now - _EPOCH) // _MICROSECOND)
            return msgspec.structs.replace(circuit, since=now, retry_at=None, pace=pace)
        case _:
            return circuit


def opened_by_hand(circuit: Circuit, now: datetime, *, who: str, why: str) -> Circuit:
    """The circuit that stays open until somebody closes it."""
    return msgspec.structs.replace(
        circuit, state=CircuitState.OPEN, since=now, retry_at=None, promised=0, what=f"opened by {who}: {why}"
    )


def why_not(circuit: Circuit) -> str:
    """Why a request is turned away, in a sentence."""
    name = circuit.connector
    if circuit.by_hand:
        return f"the circuit of {name} was {circuit.what}"
    if circuit.state is CircuitState.OPEN:
        row = f"{circuit.failures} failures in a row, the last: {circuit.what}"
        return f"{name} does not answer ({row}); it is tried again at {circuit.retry_at:%H:%M:%S} UTC"
    if circuit.retry_at is not None:
        return f"{name} did not answer; one request is trying it now"
    return f"{name} is recovering: what waits for it goes little by little"

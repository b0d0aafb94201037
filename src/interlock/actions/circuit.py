"""The circuit breaker of one outside system, shared by every worker of the installation. Pure.

    closed --failures in a row--> open --its pause is over: one probe--> recovering --the pace has grown--> closed
                                    ^                                        |
                                    +---- the probe, or as many in a row ----+

While it is open nobody waits for an outside system that does not answer. When its pause is over one request goes, the
probe; when that is answered, the pace that is let through begins at one a second and doubles with each second of
requests, and at the ceiling the circuit closes. Who is turned away is told when to come again: each a place of its own
along that same ramp, so that neither the other side nor our database is stormed by everybody at once.

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
        since: Of its state; while recovering: when the probe was sent, by the clock of who sent it.
        retry_at: Open: when the probe may go; None: somebody opened it by hand. Recovering: when another probe may go,
            should the first never be heard of; None: the probe was answered.
        pace: While recovering: the theoretical arrival time of the next request, in microseconds since 1970.
        admitted: While recovering: how many went, the probe included.
        promised: The last place on the ramp that somebody was told to come at, counted like ``admitted``.
        what: The last failure, by kind and code, or who opened it and why. Tenants share it: it repeats no data.
    """

    connector: str
    state: CircuitState
    failures: int
    openings: int
    since: datetime
    retry_at: datetime | None
    pace: int
    admitted: int
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


CEILING = 512
"""So many requests close it: by then the pace is some 350 a second, which nine seconds of waiting requests reach."""
RECOVERED = timedelta(seconds=30)
"""So long after the probe it closes, too, where there are not that many requests."""
ROOM = timedelta(seconds=2)
"""Beyond a probe's own time limit, before another one may go."""
_SLACK = 250_000
"""Microseconds of the pace that may come at once, since those who wait wake by a clock of their own."""
_SPREAD = timedelta(milliseconds=100)
_PROBED = timedelta(seconds=1)
_SECOND = timedelta(seconds=1)
_HELD = timedelta(seconds=5)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def closed(connector: str, now: datetime) -> Circuit:
    """The circuit of a connector of which nothing bad is known."""
    return Circuit(
        connector=connector, state=CircuitState.CLOSED, failures=0, openings=0, since=now, retry_at=None, pace=0,
        admitted=0, promised=0, what="",
    )  # fmt: skip


def admit(
    circuit: Circuit, now: datetime, patience: timedelta, jitter: float, *, sent_at: datetime | None = None
) -> tuple[Circuit, datetime | None]:
    """Let one request through, or say when to come again.

    Args:
        circuit: As it is, under its lock.
        now: The database's time, taken after the lock.
        patience: How long the request may take.
        jitter: Chance, from 0 up to 1.
        sent_at: The time by which the request will be reported as sent; None: now.

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
        since = (sent_at or now) if circuit.state is CircuitState.OPEN else circuit.since
        return _probe(circuit, since, now, patience), None
    if circuit.state is CircuitState.OPEN:
        place = circuit.promised + 1
        until = circuit.retry_at + math.log2(place) * _SECOND + jitter * _SPREAD
        return msgspec.structs.replace(circuit, promised=place), until
    # a probe is under way: the longer it takes, the less often the others ask about it
    return circuit, now + max(now - circuit.since, _PROBED) * (1 + jitter)


def _probe(circuit: Circuit, since: datetime, now: datetime, patience: timedelta) -> Circuit:
    return msgspec.structs.replace(
        circuit, state=CircuitState.RECOVERING, since=since, retry_at=now + patience + ROOM, pace=0
    )


def _keep_pace(circuit: Circuit, now: datetime, jitter: float) -> tuple[Circuit, datetime | None]:
    """The n-th request may go log2(n) seconds after the probe's answer, later by what nobody came.

    Whoever comes too early is given the next place that nobody was told to come at.
    """
    if circuit.admitted >= CEILING or now - circuit.since >= RECOVERED:
        return closed(circuit.connector, now), None
    at = (now - _EPOCH) // _MICROSECOND
    if circuit.pace > at + _SLACK:
        place = max(circuit.promised, circuit.admitted) + 1
        wait = math.log2(place / (circuit.admitted + 1)) * _SECOND + jitter * _SPREAD
        return msgspec.structs.replace(circuit, promised=place), _EPOCH + circuit.pace * _MICROSECOND + wait
    admitted = circuit.admitted + 1
    arrival = max(circuit.pace, at) + _interval(admitted)
    return msgspec.structs.replace(circuit, pace=arrival, admitted=admitted), None


def _interval(admitted: int) -> int:
    """From the n-th request to the next one, in microseconds."""
    return int(1_000_000 * math.log2((admitted + 1) / admitted))


def failed(
    circuit: Circuit, now: datetime, *, sent_at: datetime, what: str, rules: CircuitRules, jitter: float
) -> Circuit:
    """The circuit after a failure.

    What was sent before a recovery began says nothing about it: requests that were under way when the circuit opened
    end late. One failure among successes slows a recovery down by a quarter and does not end it: else a system that
    fails now and then in its best times would never be taken for recovered.

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
    was_the_probe = circuit.state is CircuitState.RECOVERING and circuit.retry_at is not None
    if counted.failures < rules.failures and not was_the_probe:
        return msgspec.structs.replace(counted, admitted=circuit.admitted * 3 // 4 or circuit.admitted)
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
            pace = (now - _EPOCH) // _MICROSECOND + _interval(1)
            return msgspec.structs.replace(circuit, failures=0, retry_at=None, pace=pace, admitted=1, promised=1)
        case CircuitState.RECOVERING if circuit.retry_at is None and circuit.failures:
            return msgspec.structs.replace(circuit, failures=0)
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

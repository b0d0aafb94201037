"""How a backlog goes on: a fluid that flows in and out, with a band around it. Pure.

While more comes than people can take on, the mean decides (a fluid) and chance adds a spread that grows with the root
of time (the diffusion of heavy traffic: Kingman 1961; G. F. Newell, "Applications of queueing theory", 1971). Where
people keep up, the spread stays below what chance makes of a settled queue, whose length falls off exponentially.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate

import msgspec

STEP_H = 1 / 6
"""Ten minutes."""
HORIZON_H = 24
_LIMIT_H = 7 * 24
"""How far is looked for the end of what waits."""
_Z = 1.645
"""The 90 % interval's half width, in standard deviations of a normal distribution."""
_TAIL = -math.log(0.05)


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """What comes and who is there.

    Attributes:
        backlog: How many wait now.
        arrivals: How many will come in each hour from now on; the last ones go on.
        people: How many will work in each hour from now on, parts counting as parts; the last ones go on.
        service: The hours that one takes one person.
        due: The hours within which one should be begun.
        variability: As in ``waits_beyond``.
        capacity: How many may wait.
        begun: The part of the first of those hours that is over already: shifts begin by the clock.
    """

    backlog: int
    arrivals: Sequence[float]
    people: Sequence[float]
    service: float
    due: float
    variability: float
    capacity: int
    begun: float = 0.0


class Moment(msgspec.Struct, frozen=True):
    """How many will wait at one moment.

    Attributes:
        at: In hours from now.
        low: Fewer with a probability of 5 %.
        middle: The mean, without chance.
        high: More with a probability of 5 %.
    """

    at: float
    low: float
    middle: float
    high: float


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a backlog; all times are hours from now, None: not within what was looked at.

    Attributes:
        moments: The next day, in steps of ten minutes.
        wait: How long what comes now will wait.
        clear: When nothing waits any more.
        breach: When what comes begins to wait longer than promised.
        breach_earliest: The same at the upper end of the band.
        breach_latest: The same at its lower end.
        full: When as many wait as may.
        full_earliest: The same at the upper end of the band.
    """

    moments: tuple[Moment, ...]
    wait: float | None
    clear: float | None
    breach: float | None
    breach_earliest: float | None
    breach_latest: float | None
    full: float | None
    full_earliest: float | None


def follow(flow: Flow) -> Course:
    """Follow a backlog for a day.

    INVARIANT: with more people nobody waits longer and nothing breaks earlier; with more arrivals nobody waits less.
    """
    steps = round(_LIMIT_H / STEP_H)
    rates = [_in_step(flow.people, step, flow.begun) * STEP_H / flow.service for step in range(steps)]
    served = [0.0, *accumulate(rates)]
    day = round(HORIZON_H / STEP_H)
    moments: list[Moment] = []
    clear: float | None = 0.0 if flow.backlog == 0 else None
    middle, variance = float(flow.backlog), 0.0
    for step in range(steps):
        if step <= day:
            extra = _Z * math.sqrt(variance)
            moments.append(Moment(step * STEP_H, max(0.0, middle - extra), middle, middle + extra))
        elif clear is not None:
            break
        come = _in_step(flow.arrivals, step, flow.begun) * STEP_H
        middle = max(0.0, middle + come - rates[step])
        variance = _variance(flow, step, variance + come * 2 * flow.variability, middle)
        if clear is None and middle <= 0:
            clear = (step + 1) * STEP_H
    return Course(
        moments=tuple(moments),
        wait=_wait(served, 0, float(flow.backlog)),
        clear=clear,
        breach=_first(moments, lambda one, step: _is_late(served, step, one.middle, flow.due)),
        breach_earliest=_first(moments, lambda one, step: _is_late(served, step, one.high, flow.due)),
        breach_latest=_first(moments, lambda one, step: _is_late(served, step, one.low, flow.due)),
        full=_first(moments, lambda one, _: one.middle >= flow.capacity),
        full_earliest=_first(moments, lambda one, _: one.high >= flow.capacity),
    )


def _in_step(hours: Sequence[float], step: int, begun: float) -> float:
    """The mean over a step, which the end of an hour may divide."""
    if not hours:
        return 0.0
    begin = begun + step * STEP_H
    hour = int(begin + 1e-9)
    beyond = (begin + STEP_H - hour - 1) / STEP_H
    here, then = hours[min(hour, len(hours) - 1)], hours[min(hour + 1, len(hours) - 1)]
    return here if beyond < 1e-6 else here * (1 - beyond) + then * beyond  # noqa: PLR2004 - of rounding


def _variance(flow: Flow, step: int, grown: float, middle: float) -> float:
    """The variance after a step: once nothing is left, no more than chance makes of a queue that has settled."""
    people = _in_step(flow.people, step, flow.begun)
    load = _in_step(flow.arrivals, step, flow.begun) * flow.service
    if middle > 0 or load >= people:
        return grown
    share = load / people
    return min(grown, (_TAIL * share * flow.variability / (1 - share) / _Z) ** 2)


def _wait(served: Sequence[float], step: int, ahead: float) -> float | None:
    """How long until as many are done as are ahead; None: not within a week."""
    if ahead <= 0:
        return 0.0
    wanted = served[step] + ahead
    found = bisect_left(served, wanted, step)
    if found >= len(served):
        return None
    part = (wanted - served[found - 1]) / (served[found] - served[found - 1])
    return (found - 1 - step + part) * STEP_H


def _is_late(served: Sequence[float], step: int, ahead: float, due: float) -> bool:
    wait = _wait(served, step, ahead)
    return wait is None or wait > due


def _first(moments: Sequence[Moment], holds: Callable[[Moment, int], bool]) -> float | None:
    return next((one.at for step, one in enumerate(moments) if holds(one, step)), None)

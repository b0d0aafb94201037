"""What was counted of a queue, and what it lets one expect: arrivals, people, the time that one piece takes. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate

import msgspec

HOUR = timedelta(hours=1)
WEEK_H = 168
KEPT_H = 4 * WEEK_H
"""Four weeks are looked at."""
RECENT_H = 6
LEAST_HOURS = 24
"""Of fewer counted hours nothing is foretold."""
LEAST_TIMED = 30
"""Of fewer answers nobody says how long one takes."""
_SHRINK = 10.0
"""So many arrivals, as expected, count beside those of the last hours: a quiet hour alone changes little."""
_MOST_VARIABILITY = 50.0


class HourTally(msgspec.Struct, frozen=True, kw_only=True):
    """What came and was answered in one hour.

    Attributes:
        queue: Where.
        workflow: Of which workflow.
        point: At which decision point.
        hour: Its beginning, UTC.
        arrived: How many came; those that were withdrawn since are not among them.
        resolved: How many were answered.
        timed: Of how many of these it is known how long they took.
        worked_ms: How long these took together.
        worked_ms2: The sum of their squares.
    """

    queue: str
    workflow: str
    point: str
    hour: datetime
    arrived: int
    resolved: int
    timed: int
    worked_ms: int
    worked_ms2: int


class PersonHour(msgspec.Struct, frozen=True, kw_only=True):
    """What one person answered in one hour.

    Attributes:
        queue: Where.
        person: Who.
        hour: Its beginning, UTC.
        resolved: How many.
        slots: In how many of its six times ten minutes.
    """

    queue: str
    person: str
    hour: datetime
    resolved: int
    slots: int


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The whole hours of a queue, the oldest first; the one that is under way is not among them.

    Attributes:
        arrived: How many came in each.
        resolved: How many were answered in each.
        people: How many people were at work in each, by ten minutes: 1.5 is one all the time and one half of it.
        timed: Of how many answers it is known how long they took.
        worked_ms: How long these took together.
        worked_ms2: The sum of their squares.
    """

    arrived: tuple[int, ...]
    resolved: tuple[int, ...]
    people: tuple[float, ...]
    timed: int
    worked_ms: int
    worked_ms2: int


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """How long one piece takes one person.

    Attributes:
        hours: The time that the forecast goes by; None: too little is known.
        hands_on: From taking it to answering it, in hours; None: too few were measured.
        paced: The time at work for each answer while something waited, in hours: with what lies between two pieces.
        variation: The squared coefficient of variation.
        timed: How many were measured.
        why: How it is known, or what is missing, in a sentence.
    """

    hours: float | None
    hands_on: float | None
    paced: float | None
    variation: float
    timed: int
    why: str


def history_of(tallies: Iterable[HourTally], people: Iterable[PersonHour], now: datetime) -> History:
    """Put one queue's tallies in order, hour by hour, from its first one on; hours without any are empty ones."""
    rows, workers = list(tallies), list(people)
    until = _hour(now)
    first = max(min((row.hour for row in rows), default=until), until - KEPT_H * HOUR)
    count = max((until - first) // HOUR, 0)
    arrived, resolved, present = [0] * count, [0] * count, [0.0] * count
    timed = worked = squares = 0
    for row in rows:
        timed, worked, squares = timed + row.timed, worked + row.worked_ms, squares + row.worked_ms2
        if first <= row.hour < until:
            arrived[(row.hour - first) // HOUR] += row.arrived
            resolved[(row.hour - first) // HOUR] += row.resolved
    for one in workers:
        if first <= one.hour < until:
            present[(one.hour - first) // HOUR] += one.slots / 6
    return History(
        arrived=tuple(arrived), resolved=tuple(resolved), people=tuple(present),
        timed=timed, worked_ms=worked, worked_ms2=squares,
    )  # fmt: skip


def service_of(history: History, waiting: int) -> Service:
    """How long one piece takes: the longer of what was measured and of what people's hours make of it.

    Args:
        history: What was counted.
        waiting: How many wait now: with what came and went it says in which hours something waited.
    """
    paced = _paced(history, waiting)
    measured = history.timed >= LEAST_TIMED and history.worked_ms > 0
    hands_on = history.worked_ms / history.timed / 3_600_000 if measured else None
    variation = _variation(history) if measured else 1.0
    if hands_on is None and paced is None:
        why = f"{history.timed} answers were measured, and {LEAST_TIMED} are needed"
        return Service(hours=None, hands_on=None, paced=None, variation=1.0, timed=history.timed, why=why)
    if hands_on is None or (paced is not None and paced > hands_on):
        why = "from the hours that people were at work while something waited, so that what lies between is in it"
        return Service(hours=paced, hands_on=hands_on, paced=paced, variation=variation, timed=history.timed, why=why)
    why = f"from taking a piece to answering it, measured {history.timed} times"
    return Service(hours=hands_on, hands_on=hands_on, paced=paced, variation=variation, timed=history.timed, why=why)


def expected(hourly: Sequence[float], ahead: int, *, recent: bool) -> tuple[float, ...]:
    """What the coming hours will bring, by what the same hours of the week brought and by the last ones.

    The week that is past counts twice as much as the one before it, and so on. Of a queue that is younger than a
    week, the same hour of the day counts, and of one that is younger than that, the mean.

    Args:
        hourly: Whole hours, the oldest first.
        ahead: How many hours are wanted; the first is the one that is under way.
        recent: Whether the last hours raise or lower what is expected, as arrivals do and shifts do not.
    """
    if not hourly:
        return (0.0,) * ahead
    level = 1.0
    if recent:
        last = range(max(len(hourly) - RECENT_H, 0), len(hourly))
        foreseen = sum(_usual(hourly, at, len(hourly)) for at in last)
        level = (sum(hourly[at] for at in last) + _SHRINK) / (foreseen + _SHRINK)
    return tuple(_usual(hourly, len(hourly) + at, len(hourly)) * level for at in range(ahead))


def dispersion(hourly: Sequence[float]) -> float:
    """How much more arrivals vary than by chance alone: the variance of the last week over its mean, at least 1.

    What an hour of the week usually brings is taken out first: that it is busier at nine is no chance.
    """
    last = range(max(len(hourly) - WEEK_H, 0), len(hourly))
    usual = [_usual(hourly, at, len(hourly)) for at in last]
    total = sum(usual)
    if total <= 0 or len(hourly) < LEAST_HOURS:
        return 1.0
    squares = sum((hourly[at] - mean) ** 2 for at, mean in zip(last, usual, strict=True))
    return min(max(squares / total, 1.0), _MOST_VARIABILITY)


def _usual(hourly: Sequence[float], at: int, known: int) -> float:
    """What one hour usually brings, from those that are known."""
    for period in (WEEK_H, 24):
        same = [hourly[one] for one in range(at % period, known, period) if one != at][-4 * WEEK_H // period :]
        if len(same) >= (1 if period == WEEK_H and known >= WEEK_H else 2):
            weights = [2.0**age for age in range(len(same))] if period == WEEK_H else [1.0] * len(same)
            return math.fsum(w * x for w, x in zip(weights, same, strict=True)) / math.fsum(weights)
    return math.fsum(hourly[:known]) / known


def _variation(history: History) -> float:
    mean = history.worked_ms / history.timed
    return min(max(history.worked_ms2 / history.timed / mean**2 - 1, 0.1), _MOST_VARIABILITY)


def _paced(history: History, waiting: int) -> float | None:
    """The hours at work for each answer, in hours at whose beginning and end something waited."""
    changes = [came - went for came, went in zip(history.arrived, history.resolved, strict=True)]
    after = [waiting - left for left in reversed(list(accumulate(reversed([*changes[1:], 0]))))] if changes else []
    present = answered = 0.0
    for at, (people, done) in enumerate(zip(history.people, history.resolved, strict=True)):
        # a held answer may count in the hour after the one in which somebody was there: that hour says nothing
        if after[at] > 0 and after[at] - changes[at] > 0 and done and people > 0:
            present, answered = present + people, answered + done
    return present / answered if answered >= LEAST_TIMED else None


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)

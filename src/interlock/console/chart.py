"""Charts, as the geometry of an SVG that is made here: no script draws, and no style carries a number. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from interlock.oversight.capacity.course import Moment
from interlock.oversight.capacity.history import HourTally

WIDTH, HEIGHT = 720.0, 200.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 8.0, 10.0, 24.0
_HOUR = timedelta(hours=1)
_TICKS = 4


class Bar(msgspec.Struct, frozen=True):
    """One bar: where it begins, how wide and how high it is."""

    x: float
    y: float
    width: float
    height: float


class Tick(msgspec.Struct, frozen=True):
    """One line of the grid, and what is written at it."""

    at: float
    label: str


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn.

    Attributes:
        bars: Bars from the ground up.
        line: The points of the main line.
        second: The points of the dashed line.
        area: The outline of the band.
        limit: The height of the limit's line; None: none, or it lies above all.
        across: The lines of the grid by their height.
        along: What is written below, by place.
        now: The place of the present; None: the right edge.
    """

    bars: tuple[Bar, ...] = ()
    line: str = ""
    second: str = ""
    area: str = ""
    limit: float | None = None
    across: tuple[Tick, ...] = ()
    along: tuple[Tick, ...] = ()
    now: float | None = None


def flow_chart(tallies: Sequence[HourTally], now: datetime, hours: int) -> Chart:
    """What came, as bars, and what was answered, as a line, by the hour."""
    begin = now.replace(minute=0, second=0, microsecond=0) - (hours - 1) * _HOUR
    came, went = [0] * hours, [0] * hours
    for row in tallies:
        place = (row.hour - begin) // _HOUR
        if 0 <= place < hours:
            came[place], went[place] = row.arrived, row.resolved
    most = _round(max(*came, *went, 4))
    step = (WIDTH - LEFT - RIGHT) / hours
    bars = tuple(
        Bar(
            round(LEFT + step * at, 1),
            _y(count, most),
            round(step * 0.8, 1),
            round(HEIGHT - BOTTOM - _y(count, most), 1),
        )
        for at, count in enumerate(came)
        if count
    )
    line = " ".join(f"{LEFT + step * (at + 0.4):.1f},{_y(count, most)}" for at, count in enumerate(went))
    days = tuple(
        Tick(round(LEFT + step * at, 1), f"{begin + at * _HOUR:%a %d}")
        for at in range(hours)
        if (begin + at * _HOUR).hour == 0
    )
    return Chart(bars=bars, line=line, across=_across(most), along=days)


def backlog_chart(
    tallies: Sequence[HourTally], waiting: int, moments: Sequence[Moment], capacity: int, now: datetime, hours: int = 24
) -> Chart:
    """How many waited in the last hours, and how many will, with the band that holds nine of ten."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    change = {row.hour: row.arrived - row.resolved for row in tallies}
    past: list[tuple[float, float]] = [(0.0, float(waiting))]
    count, at = float(waiting), (hour - now) / _HOUR
    for ago in range(hours):
        count = max(0.0, count - change.get(hour - ago * _HOUR, 0))
        past.append((at - ago, count))
    past = [one for one in past if one[0] >= -hours]
    most = _round(max([4.0, *(value for _, value in past), *(one.high for one in moments)]))

    def point(place: float, value: float) -> str:
        return f"{_x(place, hours):.1f},{_y(value, most)}"

    band = [point(one.at, one.high) for one in moments] + [point(one.at, one.low) for one in reversed(moments)]
    along = tuple(
        Tick(_x(place, hours), f"{now + place * _HOUR:%H:%M}") for place in (-24, -12, 12, 24) if abs(place) <= hours
    )
    return Chart(
        line=" ".join(point(*one) for one in reversed(past)),
        second=" ".join(point(one.at, one.middle) for one in moments),
        area=" ".join(band),
        limit=_y(capacity, most) if capacity <= most else None,
        across=_across(most),
        along=(*along, Tick(_x(0, hours), "now")),
        now=_x(0, hours),
    )


def _x(place: float, hours: int) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * (place + hours) / (2 * hours), 1)


def _y(value: float, most: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * min(value, most) / most, 1)


def _round(most: float) -> float:
    """The next greater number that a person would choose."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(one * power for one in (1, 2, 2.4, 3.2, 4, 6, 8, 10) if one * power >= most)


def _across(most: float) -> tuple[Tick, ...]:
    return tuple(Tick(_y(most * part / _TICKS, most), f"{most * part / _TICKS:g}") for part in range(_TICKS + 1))

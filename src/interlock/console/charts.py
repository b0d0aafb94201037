"""Charts of two numeric axes, as the geometry of an SVG that is made here. Pure.

No script draws, and no style carries a number: lines, bands and marks are told apart by classes, so both themes hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

WIDTH, HEIGHT = 520.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 16.0, 14.0, 48.0
"""As wide as it stands in half a page: what is written in it is as large as beside it."""
_TICKS = 5
_NEAR = 1e-9
_LARGEST_DOT = 7.0
_SMALLEST_DOT = 3.0

Place = tuple[float, float]


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """One direction.

    Attributes:
        name: What is measured, with its unit.
        least: Where it begins; above 0 where it is logarithmic.
        most: Where it ends.
        percent: Whether its numbers are shares.
        log: Whether equal steps are equal factors.
    """

    name: str
    least: float
    most: float
    percent: bool = False
    log: bool = False


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line: its points as an SVG has them, its class, its name in the key."""

    points: str
    kind: str
    name: str = ""


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """An area: its outline, its class, its name in the key."""

    points: str
    kind: str = "area"
    name: str = ""


class Dot(msgspec.Struct, frozen=True, kw_only=True):
    """A point with the bar of its interval.

    Attributes:
        x: Its place.
        y: Its height.
        size: Its radius.
        low: Where the bar ends below.
        high: Where it ends above.
        kind: Its class.
        label: What is written beside it.
        anchor: To which side that runs.
    """

    x: float
    y: float
    size: float
    low: float | None = None
    high: float | None = None
    kind: str = "dot"
    label: str = ""
    anchor: str = "start"


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A horizontal line that is not to be passed: its height, what is written at it."""

    y: float
    label: str


class Tick(msgspec.Struct, frozen=True):
    """A place on an axis, and what is written there."""

    at: float
    label: str


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn.

    Attributes:
        title: What it shows, in a few words.
        about: What is to be seen in it, for whoever cannot.
        x: The name of the axis below.
        y: That of the one to the left.
        across: The lines of the grid by their height.
        along: What is written below.
        bands: Areas, behind all else.
        lines: Lines.
        limits: What is not to be passed.
        dots: Points, before all else.
    """

    title: str
    about: str
    x: str
    y: str
    across: tuple[Tick, ...]
    along: tuple[Tick, ...]
    bands: tuple[Band, ...] = ()
    lines: tuple[Line, ...] = ()
    limits: tuple[Limit, ...] = ()
    dots: tuple[Dot, ...] = ()

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """What the key says: class and name, once each."""
        found = ((one.kind, one.name) for one in (*self.bands, *self.lines) if one.name)
        return tuple(dict.fromkeys(found))


class Drawing:
    """From what is measured to the picture.

    Args:
        x: The axis below.
        y: The axis to the left.
    """

    def __init__(self, x: Axis, y: Axis) -> None:
        self.x_axis, self.y_axis = x, y
        self._x = _scale(x, LEFT, WIDTH - RIGHT)
        self._y = _scale(y, HEIGHT - BOTTOM, TOP)

    def x(self, value: float) -> float:
        """The place of a value."""
        return self._x(value)

    def y(self, value: float) -> float:
        """The height of a value."""
        return self._y(value)

    def line(self, points: Sequence[Place], kind: str = "line", name: str = "") -> Line:
        """A line from point to point."""
        return Line(points=self._placed(points), kind=kind, name=name)

    def steps(self, points: Sequence[Place], kind: str = "line", name: str = "") -> Line:
        """A line that keeps its height up to the next point; drawn to the end of the axis."""
        corners: list[Place] = []
        for x, y in points:
            if corners:
                corners.append((x, corners[-1][1]))
            corners.append((x, y))
        if corners:
            corners.append((self.x_axis.most, corners[-1][1]))
        return Line(points=self._placed(corners), kind=kind, name=name)

    def band(self, low: Sequence[Place], high: Sequence[Place], name: str = "") -> Band:
        """What lies between two lines."""
        return Band(points=self._placed([*high, *reversed(low)]), name=name)

    def dot(
        self, at: Place, *, weight: float = 1.0, ends: Place | None = None, kind: str = "dot", label: str = ""
    ) -> Dot:
        """A point; the more weight (of 1 at most), the larger."""
        x, y = self._x(at[0]), self._y(at[1])
        return Dot(
            x=x, y=y, size=round(_SMALLEST_DOT + (_LARGEST_DOT - _SMALLEST_DOT) * math.sqrt(weight), 1),
            low=self._y(ends[0]) if ends else None, high=self._y(ends[1]) if ends else None, kind=kind, label=label,
            anchor="end" if x > WIDTH * 2 / 3 else "start",
        )  # fmt: skip

    def limit(self, value: float, label: str) -> Limit:
        """A line that is not to be passed."""
        return Limit(y=self._y(value), label=label)

    def chart(self, title: str, about: str, **drawn: object) -> Chart:
        """The picture with its grid."""
        made: dict[str, object] = {
            "across": tuple(Tick(self._y(at), told(at, self.y_axis)) for at in ticks(self.y_axis)),
            "along": tuple(Tick(self._x(at), told(at, self.x_axis)) for at in ticks(self.x_axis)),
        }
        return msgspec.convert(
            {"title": title, "about": about, "x": self.x_axis.name, "y": self.y_axis.name, **made, **drawn}, Chart
        )

    def _placed(self, points: Sequence[Place]) -> str:
        return " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in points)


def _scale(axis: Axis, begin: float, end: float) -> Callable[[float], float]:
    measure: Callable[[float], float] = math.log10 if axis.log else float
    least, most = measure(axis.least), measure(axis.most)
    by = (end - begin) / ((most - least) or 1.0)
    low, high = min(begin, end), max(begin, end)

    def place(value: float) -> float:
        kept = max(value, axis.least)
        return round(min(max(begin + (measure(kept) - least) * by, low), high), 1)

    return place


def ticks(axis: Axis) -> list[float]:
    """Values within an axis that a person would choose, about five."""
    if axis.log:
        first, last = math.ceil(math.log10(axis.least) - _NEAR), math.floor(math.log10(axis.most) + _NEAR)
        each = max(1, math.ceil((last - first) / _TICKS))
        return [10.0**power for power in range(first, last + 1, each)]
    reach = axis.most - axis.least
    if reach <= 0:
        return [axis.least]
    raw = reach / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    each = power * next(step for step in (1, 2, 2.5, 5, 10) if step * power >= raw * (1 - _NEAR))
    first = math.ceil(axis.least / each - _NEAR)
    return [at * each for at in range(first, math.floor(axis.most / each + _NEAR) + 1)]


def told(value: float, axis: Axis) -> str:
    """A value as it stands at an axis."""
    return f"{value * 100:.6g} %" if axis.percent else f"{value:,.6g}"


def round_up(value: float) -> float:
    """The next greater number that a person would choose for the end of an axis."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        step * power for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * power >= value * (1 - _NEAR)
    )

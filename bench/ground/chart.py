"""Lines and points as a file of their own, an SVG by attributes alone: no script, no style, for any page. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import msgspec

from interlock.console.charts import Axis, ticks, told

WIDTH, HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 28, 36, 48
_CHARACTER = 6.6
INK = ("#1f5fa8", "#b3541e", "#2e7d4f", "#7a4fa3", "#6b7280", "#a3283d")
"""Colours that are told apart on white and on black, also by most people who see few of them."""
_QUIET = "#6b7280"


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn.

    Attributes:
        name: In the key.
        points: x and y of each.
        line: Whether they are joined; points stand by themselves.
        dashed: Whether the line is.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    line: bool = True
    dashed: bool = False


def chart(title: str, series: Sequence[Series], x: Axis, y: Axis) -> str:
    """The picture, with its title for whoever cannot see it.

    Args:
        title: What it says, in a sentence.
        series: In the order of the key; at most six.
        x: To the right.
        y: Upward.
    """
    across = _Scale(x, _LEFT, WIDTH - _RIGHT)
    up = _Scale(y, HEIGHT - _BOTTOM, _TOP)
    head = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {head} font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        *_grid(x, y, across, up),
    ]
    at = float(_LEFT)
    for ink, one in zip(INK, series, strict=False):
        parts += _drawn(one, ink, across, up)
        parts.append(f'<rect x="{at:.0f}" y="12" width="10" height="10" fill="{ink}"/>')
        parts.append(f'<text x="{at + 14:.0f}" y="21" fill="{_QUIET}">{escape(one.name)}</text>')
        at += 14 + _CHARACTER * len(one.name) + 14
    return "\n".join((*parts, "</svg>", ""))


class _Scale:
    """From what is measured to the picture."""

    def __init__(self, axis: Axis, begin: float, end: float) -> None:
        self._least, self._begin = axis.least, begin
        self._by = (end - begin) / ((axis.most - axis.least) or 1.0)
        self._ends = (min(begin, end), max(begin, end))

    def __call__(self, value: float) -> float:
        return min(max(self._begin + (value - self._least) * self._by, self._ends[0]), self._ends[1])


def _drawn(one: Series, ink: str, across: _Scale, up: _Scale) -> list[str]:
    placed = [(across(x), up(y)) for x, y in one.points]
    if not one.line:
        return [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{ink}"/>' for x, y in placed]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    dashes = ' stroke-dasharray="6 4"' if one.dashed else ""
    return [f'<polyline points="{path}" fill="none" stroke="{ink}" stroke-width="2"{dashes}/>']


def _grid(x: Axis, y: Axis, across: _Scale, up: _Scale) -> list[str]:
    parts: list[str] = []
    for value in ticks(y):
        at = up(value)
        parts.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="{_QUIET}" '
                     'stroke-opacity="0.25"/>')  # fmt: skip
        parts.append(
            f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end" fill="{_QUIET}">{told(value, y)}</text>'
        )
    for value in ticks(x):
        at = across(value)
        low = HEIGHT - _BOTTOM
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{low}" y2="{low + 4}" stroke="{_QUIET}"/>')
        parts.append(f'<text x="{at:.1f}" y="{low + 18}" text-anchor="middle" fill="{_QUIET}">{told(value, x)}</text>')
    parts.append(f'<text x="{(WIDTH + _LEFT - _RIGHT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle" '
                 f'fill="{_QUIET}">{escape(x.name)}</text>')  # fmt: skip
    middle = (HEIGHT - _BOTTOM + _TOP) / 2
    parts.append(f'<text x="14" y="{middle:.0f}" text-anchor="middle" fill="{_QUIET}" '
                 f'transform="rotate(-90 14 {middle:.0f})">{escape(y.name)}</text>')  # fmt: skip
    return parts

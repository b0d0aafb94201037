"""Bands of exposure, by which money at stake is shown. Pure."""

from __future__ import annotations

from interlock.money import exponent

_BANDS = 6
_NICE = (1, 2, 5)


def band_edges(highest: int, currency: str) -> tuple[int, ...]:
    """Where bands of exposure end, in minor units, ascending; the last is the cap."""
    unit = 10 ** exponent(currency)
    edges: list[int] = []
    power = 10 ** max(len(str(highest)) - 1, 0)
    while power >= 1 and len(edges) < _BANDS:
        edges += [step * power for step in reversed(_NICE) if step * power < highest]
        power //= 10
    kept = [one for one in edges if one >= unit or one >= highest // 100][: _BANDS - 1]
    return tuple(sorted({*kept, highest}))

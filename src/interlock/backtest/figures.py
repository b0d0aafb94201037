"""From decisions in columns to figures: what was, what would be, and the difference, each with how it is known. Pure.

A figure is one of three things. ``complete``: of every decision that plays a part the outcome is known; its interval
holds for any data between ends that are known beforehand, however few (betting, see ``autonomy.betting``): of a share 0
and 1, of money what is stated, never what was seen. Where nothing is stated it is the interval of large numbers.
``doubly_robust``: what is not known was left out by chance, with a propensity on record (the audit sample, the shares
of a release): see ``autonomy.estimate.doubly_robust``. ``bounds``: what is not known may be anything, so there is no
estimate: the least and the greatest that it can be (Manski, 1990), with the interval's own uncertainty outside of both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from interlock.autonomy.betting import Floats, mean_interval
from interlock.autonomy.calibration import Flags, calibrate
from interlock.autonomy.estimate import normal, robust_values
from interlock.backtest.known import PAIRS
from interlock.backtest.result import Cell, How
from interlock.backtest.rows import Columns, Side

RISK = 0.05
_FEWEST = 20
"""Outcomes on which a curve of the probability of being wrong is fitted; with fewer it is one number."""
_RARE = 10
"""Cases of what is estimated that were drawn: with fewer the interval of large numbers alone is too narrow."""
_RIGHT_THEN = np.array([pair[0] for pair in PAIRS])
_RIGHT_OTHER = np.array([pair[1] for pair in PAIRS])


class Design:
    """What was known of which decision by chance, and with which probability.

    Args:
        columns: The decisions.
        releases: Whether by chance, too, means which component answered.
    """

    def __init__(self, columns: Columns, *, releases: bool) -> None:
        self.random: Flags = columns.sampled.copy()
        self.seen: Flags = ~columns.sampled | columns.drawn
        self.propensity: Floats = np.where(columns.sampled, columns.propensity, 1.0)
        if releases:
            by_share = columns.share < 1
            self.random |= by_share
            self.seen &= ~by_share | columns.served
            self.propensity = np.where(by_share, self.propensity * columns.share, self.propensity)


@dataclass(frozen=True, eq=False, slots=True)
class Values:
    """Something, for each decision and each of the pairs of what may be right; of shape (n, 4).

    Attributes:
        actual: By what is on record: a loss as it was realised, where that is known.
        declared: As it is stated beforehand, whatever became known: what predictions are made of, since one that
            depended on whether the outcome was seen would be no prediction.
        ends: The least and the greatest that it can be of any decision, as is known beforehand; infinite where nothing
            says so.
    """

    actual: Floats
    declared: Floats
    ends: tuple[float, float]

    @classmethod
    def same(cls, values: Floats, most: float) -> Values:
        """What is the same either way, from 0 to the greatest that it can be."""
        return cls(values, values, (0.0, most))

    def __add__(self, more: Values) -> Values:
        ends = self.ends[0] + more.ends[0], self.ends[1] + more.ends[1]
        return Values(self.actual + more.actual, self.declared + more.declared, ends)

    def __sub__(self, less: Values) -> Values:
        ends = self.ends[0] - less.ends[1], self.ends[1] - less.ends[0]
        return Values(self.actual - less.actual, self.declared - less.declared, ends)


class _Part(NamedTuple):
    """A cell, and what makes it of each decision; None: there are only bounds."""

    cell: Cell
    each: Floats | None


class Estimating:
    """Makes the cells of figures.

    Args:
        columns: The decisions.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._audit, self._release = Design(columns, releases=False), Design(columns, releases=True)
        self._wrong: dict[tuple[int, int], Floats] = {}

    def cells(self, then: Values, other: Values) -> tuple[Cell, Cell, Cell]:
        """The means of what was, of what would be, and of the difference."""
        if not self._columns.count:
            nothing = Cell(how=How.BOUNDS, value=None, low=0.0, high=0.0)
            return nothing, nothing, nothing
        was, would, apart = self._part(then), self._part(other), self._part(other - then)
        if would.each is None:
            would = self._by_release(other) or would
        difference = apart.cell
        if apart.each is None and was.each is not None and would.each is not None:
            each = would.each - was.each
            difference = _estimated(each, _normal(each, _ends(other - then, each, each)))
        return was.cell, would.cell, difference

    def _part(self, values: Values) -> _Part:
        """By what is known, and what the audit sample left out by chance."""
        least, most = _spread(values.actual, self._columns.before)
        low, high = _spread(values.actual, self._columns.after)
        ends = _ends(values, least, most)
        if bool(np.all(low == high)):
            it = _interval(low, ends)
            cell = Cell(how=How.COMPLETE, value=float(np.mean(low)), low=it.low, high=it.high, large=it.large)
            return _Part(cell, low)
        modelled = np.sum(self._chances() * values.declared, axis=1)
        found = self._robust(self._audit, modelled, low, low == high, fixed=least == most, ends=ends)
        if found is not None:
            return found
        below, above = _interval(low, ends), _interval(high, ends)
        cell = Cell(how=How.BOUNDS, value=None, low=below.low, high=above.high, large=below.large,
                    least=float(np.mean(low)), greatest=float(np.mean(high)))  # fmt: skip
        return _Part(cell, None)

    def _by_release(self, values: Values) -> _Part | None:
        """What the candidate would have been, by those decisions that its component was drawn to answer then.

        INVARIANT: neither what is predicted, nor which decisions are taken as known, depends on who was drawn; so not
        on the answer of then either.
        """
        columns = self._columns
        low, high = _spread(values.actual, columns.after)
        wrong = self._wrong_at(self._release, columns.other, ~_RIGHT_OTHER)
        never = ~(columns.before[:, 1] | columns.before[:, 3])  # it gives no answer that could be right
        chance = np.where(never, 1.0, wrong)
        modelled = chance * values.declared[:, 0] + (1 - chance) * values.declared[:, 1]
        fixed = (values.declared[:, 0] == values.declared[:, 1]) | never
        ends = _ends(values, *_spread(values.actual, columns.before))
        return self._robust(self._release, modelled, low, low == high, fixed=fixed, ends=ends)

    @staticmethod
    def _robust(
        design: Design, modelled: Floats, known: Floats, is_known: Flags, *, fixed: Flags, ends: tuple[float, float]
    ) -> _Part | None:
        seen = design.seen | fixed
        if not (bool(np.all(~seen | is_known)) and bool(np.all(seen | design.random))):
            return None
        propensity = np.where(fixed, 1.0, design.propensity)
        each = robust_values(modelled, known, seen, propensity)
        it = _normal(each, ends)
        chosen = seen & design.random & ~fixed
        if np.sum(chosen & (known != 0)) < _RARE and math.isfinite(ends[1] - ends[0]):
            least = float(np.min(propensity[seen], initial=1.0))
            weighted = np.where(seen, known / propensity, 0.0)
            any_few = _interval(weighted, (min(ends[0], 0.0) / least, max(ends[1], 0.0) / least))
            low, high = max(min(it.low, any_few.low), ends[0]), min(max(it.high, any_few.high), ends[1])
            it = _Interval(low, high, large=False)
        return _Part(_estimated(each, it), each)

    def _chances(self) -> Floats:
        """How probable each pair is, of each decision, by outcomes of other decisions; of shape (n, 4)."""
        columns = self._columns
        wrong_then = self._wrong_at(self._audit, columns.then, ~_RIGHT_THEN)
        wrong_other = self._wrong_at(self._audit, columns.other, ~_RIGHT_OTHER)
        same = columns.before[:, 1]
        right_then = np.where(columns.before[:, 2], 1 - wrong_then, 0.0)
        right_other = np.where(columns.before[:, 3], 1 - wrong_other, 0.0)
        total = np.maximum(right_then + right_other, 1.0)
        right_then, right_other = right_then / total, right_other / total
        none = np.zeros_like(total)
        apart = np.stack([1 - right_then - right_other, none, right_then, right_other], axis=1)
        alike = np.stack([wrong_then, 1 - wrong_then, none, none], axis=1)
        return np.where(same[:, None], alike, apart)

    def _wrong_at(self, design: Design, side: Side, is_wrong: Flags) -> Floats:
        key = (id(design), id(side))
        if key not in self._wrong:
            self._wrong[key] = _wrong(side, is_wrong, self._columns, design)
        return self._wrong[key]


class _Interval(NamedTuple):
    """An interval; whether it is only that of large numbers."""

    low: float
    high: float
    large: bool


def _estimated(each: Floats, it: _Interval) -> Cell:
    return Cell(how=How.DOUBLY_ROBUST, value=float(np.mean(each)), low=it.low, high=it.high, large=it.large)


def _ends(values: Values, least: Floats, most: Floats) -> tuple[float, float]:
    """Between which ends decisions lie, as is known beforehand; what was seen beyond one shows that it is none."""
    low, high = values.ends
    return (low if low <= float(np.min(least)) else -math.inf), (high if float(np.max(most)) <= high else math.inf)


def _normal(each: Floats, ends: tuple[float, float]) -> _Interval:
    """The interval of large numbers, within the ends; where nothing differs, nothing is known but these."""
    if each.size < 2 or float(np.ptp(each)) == 0:  # noqa: PLR2004 - one value has no spread
        return _Interval(*ends, large=True)
    found = normal(each, RISK)
    return _Interval(max(found.low, ends[0]), min(found.high, ends[1]), large=True)


def _spread(values: Floats, possible: Flags) -> tuple[Floats, Floats]:
    return np.min(np.where(possible, values, np.inf), axis=1), np.max(np.where(possible, values, -np.inf), axis=1)


def _interval(each: Floats, ends: tuple[float, float]) -> _Interval:
    """The interval of a mean of values: for any between two ends, however few, or else that of large numbers."""
    least, wide = ends[0], ends[1] - ends[0]
    if not math.isfinite(wide):
        return _normal(each, ends)
    if wide <= 0:
        return _Interval(least, least, large=False)
    low, high = mean_interval(np.sort((each - least) / wide), RISK)
    return _Interval(least + low * wide, least + high * wide, large=False)


def _wrong(side: Side, is_wrong: Flags, columns: Columns, design: Design) -> Floats:
    """How probable it is that a side's answers are wrong, by how sure they are.

    The decisions are halved; what is said of one half is fitted on the other (cross-fitting, Chernozhukov and others,
    2018), so that no outcome has a part in its own prediction.
    """
    wrong = np.all(~columns.after | is_wrong, axis=1)
    right = np.all(~columns.after | ~is_wrong, axis=1)
    usable = design.seen & (wrong | right) & (side.confidence >= 0)
    fold = np.arange(columns.count) % 2 == 0
    found = np.zeros(columns.count)
    for half in (fold, ~fold):
        fitted = usable & ~half
        count, bad = int(np.sum(fitted)), int(np.sum(wrong & fitted))
        if count < _FEWEST:
            found[half] = (bad + 1) / (count + 2)
        else:
            curve = calibrate(side.confidence[fitted], wrong[fitted], 1 / design.propensity[fitted])
            found[half] = curve.wrong_at(side.confidence[half])
    return found


def losses(side: Side, *, then: bool, most: float) -> Values:
    """What a side loses by wrong decisions that nobody looks at, each at most so much."""
    wrongness = _wrongness(then=then)
    return Values(
        np.outer(side.alone * np.maximum(side.loss, 0.0), wrongness),
        np.outer(side.alone * np.maximum(side.declared, 0.0), wrongness),
        (0.0, most),
    )


def wrongs(side: Side, *, then: bool) -> Values:
    """Which decisions of a side are wrong and nobody looks at them."""
    return Values.same(np.outer(side.alone, _wrongness(then=then)), 1.0)


def needless(side: Side, *, then: bool, most: float) -> Values:
    """What a side loses by reviews that were not needed, beside their own cost, each at most so much."""
    return Values.same(np.outer(~side.alone * side.needless, 1 - _wrongness(then=then)), most)


def always(each: NDArray[Any], most: float = 1.0) -> Values:
    """What is so whatever is right, from 0 to the greatest that it can be."""
    return Values.same(np.outer(each, np.ones(len(PAIRS))), most)


def _wrongness(*, then: bool) -> Floats:
    return (~(_RIGHT_THEN if then else _RIGHT_OTHER)).astype(np.float64)

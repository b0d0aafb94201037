"""The mean difference between two groups that were drawn by lot, with its interval. Pure.

A roll-out in steps draws with another probability in each step, and what came early differs from what came late. So the
groups are compared within each step, and the differences are joined in proportion to the cases of the steps
(post-stratification). The interval is Welch's: no common variance is supposed (B. Welch, Biometrika 34, 1947), with
the degrees of freedom of F. Satterthwaite (Biometrics Bulletin 2, 1946), over all groups of all steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import msgspec
import numpy as np

from interlock.autonomy.betting import Floats

FEWEST = 30
"""Cases of each group: of fewer the interval of means is not to be relied on."""
_TAIL = 0.975
_LEAST = 2
"""Cases of a group in a step: one alone has no spread."""


class Contrast(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two groups.

    Attributes:
        treated: The mean of those that go on as the workflow does; weighted by steps, as all of these.
        control: The mean of those that people decide.
        change: The first less the second.
        low: The lower end of the 95 % interval; None: there is none, since nothing varies within the groups.
        high: The upper end.
        cases: How many cases of each are compared.
        left_out: How many stand in steps of which one group has none, or one alone.
    """

    treated: float
    control: float
    change: float
    low: float | None
    high: float | None
    cases: tuple[int, int]
    left_out: int

    @property
    def few(self) -> bool:
        """Whether there are too few of one group."""
        return min(self.cases) < FEWEST


def contrast_of(steps: Sequence[tuple[Floats, Floats]]) -> Contrast | None:
    """Compare the groups; None: in no step are there two of each.

    Args:
        steps: For each, the values of the treated and those of the control group.
    """
    used = [(one, other) for one, other in steps if min(one.size, other.size) >= _LEAST]
    if not used:
        return None
    total = sum(one.size + other.size for one, other in used)
    treated = control = variance = freedom = 0.0
    for one, other in used:
        weight = (one.size + other.size) / total
        treated, control = treated + weight * float(np.mean(one)), control + weight * float(np.mean(other))
        for values in (one, other):
            part = weight * weight * float(np.var(values, ddof=1)) / values.size
            variance, freedom = variance + part, freedom + part * part / (values.size - 1)
    half = quantile(variance * variance / freedom) * math.sqrt(variance) if freedom > 0 else None
    change = treated - control
    return Contrast(
        treated=treated, control=control, change=change, low=None if half is None else change - half,
        high=None if half is None else change + half,
        cases=(sum(one.size for one, _ in used), sum(other.size for _, other in used)),
        left_out=sum(one.size + other.size for one, other in steps) - total,
    )  # fmt: skip


def quantile(freedom: float) -> float:
    """The 97.5th percentile of Student's t (M. Abramowitz and I. Stegun, 26.7.5), within 0.001 from 5 degrees on.

    Args:
        freedom: Its degrees, at least 1: of fewer than 5 it is less exact, and such groups are too few.
    """
    x, n = NormalDist().inv_cdf(_TAIL), max(freedom, 1.0)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + sum(term / n**power for power, term in enumerate(terms, start=1))

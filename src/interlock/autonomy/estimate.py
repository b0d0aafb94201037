"""Means of what was seen of some decisions only, corrected by how probable it was to be seen. Pure.

- Doubly robust (J. Robins, A. Rotnitzky and L. Zhao, JASA 89(427), 1994; for policies M. Dudik, J. Langford and L. Li,
  "Doubly robust policy evaluation and learning", ICML 2011): a model's prediction for all, corrected by what was seen;
  right if either the propensities or the model are, and the more precise the better the model is.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import msgspec
import numpy as np

from interlock.autonomy.betting import Floats
from interlock.autonomy.calibration import Flags

RISK = 0.05


class Estimate(msgspec.Struct, frozen=True):
    """A mean and between which values it is, but for the risk that was asked for.

    Attributes:
        mean: The estimate.
        low: The lower end.
        high: The upper end.
    """

    mean: float
    low: float
    high: float


def doubly_robust(
    modelled: Floats, values: Floats, observed: Flags, propensity: Floats, risk: float = RISK
) -> Estimate:
    """The mean by a model's prediction for each, corrected by what was seen over its propensity.

    The interval is the normal one of large numbers, which the model's fit on other data makes right (V. Chernozhukov
    and others, "Double/debiased machine learning", Econometrics Journal 21(1), 2018).

    Args:
        modelled: What is predicted of each by a model that was not fitted on these values, of shape (n,).
        values: What was seen; of no account where not observed.
        observed: Whether what is asked about was seen: in a backtest, whether what was done is what would be done.
        propensity: With which probability it was to be seen, in (0, 1].
        risk: Of the interval.
    """
    return normal(np.sort(robust_values(modelled, values, observed, propensity)), risk)


def robust_values(modelled: Floats, values: Floats, observed: Flags, propensity: Floats) -> Floats:
    """What ``doubly_robust`` takes the mean of, one by one, so that two can be compared; arguments as there."""
    return modelled + np.where(observed, (values - modelled) / propensity, 0.0)


def normal(each: Floats, risk: float = RISK) -> Estimate:
    """The mean of values, with the interval of large numbers; of fewer than two nothing is known."""
    if each.size < 2:  # noqa: PLR2004 - one value has no spread
        return Estimate(float(np.sum(each)), -math.inf, math.inf)
    mean = float(np.mean(each))
    half = NormalDist().inv_cdf(1 - risk / 2) * float(np.std(each, ddof=1)) / math.sqrt(each.size)
    return Estimate(mean, mean - half, mean + half)

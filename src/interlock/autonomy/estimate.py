"""Means of what was seen of some decisions only, weighted by how probable it was to be seen. Pure.

- Horvitz and Thompson, "A generalization of sampling without replacement from a finite universe", JASA 47(260), 1952:
  each value over its propensity; right in the mean, whatever the values.
- Hajek's ratio (1971): the same over the sum of the weights; steadier, and right only with growing numbers.
- Doubly robust (J. Robins, A. Rotnitzky and L. Zhao, JASA 89(427), 1994; for policies M. Dudik, J. Langford and L. Li,
  "Doubly robust policy evaluation and learning", ICML 2011): a model's prediction for all, corrected by what was seen;
  right if either the propensities or the model are, and the more precise the better the model is.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import msgspec
import numpy as np

from interlock.autonomy.betting import Floats, mean_interval
from interlock.autonomy.calibration import Flags

RISK = 0.05
_DRAWS = 500
_SEED = 8


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


def weighted(values: Floats, observed: Flags, propensity: Floats, most: float, risk: float = RISK) -> Estimate:
    """The mean by Horvitz and Thompson, with an interval that holds for any data, however few (betting).

    Args:
        values: In [0, inf), of shape (n,); of no account where not observed.
        observed: Whether each was seen.
        propensity: With which probability each was to be seen, in (0, 1].
        most: The greatest value over its propensity that there may be.
        risk: Of the interval.
    """
    each = np.sort(np.where(observed, values / propensity, 0.0))
    if not each.size:
        return Estimate(0.0, 0.0, most)
    low, high = mean_interval(np.clip(each / most, 0.0, 1.0), risk)
    return Estimate(float(np.mean(each)), low * most, high * most)


def ratio(values: Floats, observed: Flags, propensity: Floats, risk: float = RISK) -> Estimate:
    """The mean by Hajek, with a bootstrap interval (percentiles); the same data give the same figures.

    What was not seen has no weight, so each that was is drawn by itself (a Poisson bootstrap). Nothing seen: a mean of
    0 that may be anything.
    """
    weight, value = 1 / propensity[observed], values[observed]
    if not value.size:
        return Estimate(0.0, -math.inf, math.inf)
    order = np.lexsort((weight, value))
    weight, value = weight[order], value[order]
    total = float(np.sum(weight))
    drawn = np.random.default_rng(_SEED)
    means: list[float] = []
    for _ in range(_DRAWS):
        often = weight * drawn.poisson(1.0, value.size)
        whole = float(np.sum(often))
        if whole > 0:
            means.append(float(np.sum(often * value)) / whole)
    low, high = np.quantile(means, (risk / 2, 1 - risk / 2)).tolist()
    return Estimate(float(np.sum(weight * value)) / total, low, high)


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
    each = np.sort(modelled + np.where(observed, (values - modelled) / propensity, 0.0))
    return normal(each, risk)


def normal(each: Floats, risk: float = RISK) -> Estimate:
    """The mean of values, with the interval of large numbers; of fewer than two nothing is known."""
    if each.size < 2:  # noqa: PLR2004 - one value has no spread
        return Estimate(float(np.sum(each)), -math.inf, math.inf)
    mean = float(np.mean(each))
    half = NormalDist().inv_cdf(1 - risk / 2) * float(np.std(each, ddof=1)) / math.sqrt(each.size)
    return Estimate(mean, mean - half, mean + half)


def bernstein(each: Floats, least: float, most: float, risk: float = RISK) -> Estimate:
    """The mean of bounded values with an interval for any of them, however few, without a search.

    A. Maurer and M. Pontil, "Empirical Bernstein bounds and sample variance penalization", COLT 2009, theorem 4, from
    either side.
    """
    if each.size < 2:  # noqa: PLR2004 - one value has no spread
        return Estimate(float(np.sum(each)) if each.size else least, least, most)
    log = math.log(4 / risk)
    spread = float(np.var(np.sort(each), ddof=1))
    half = math.sqrt(2 * spread * log / each.size) + 7 * (most - least) * log / (3 * (each.size - 1))
    mean = float(np.mean(np.sort(each)))
    return Estimate(mean, max(least, mean - half), min(most, mean + half))


def bounds(values: Floats, observed: Flags, most: Floats) -> tuple[float, float]:
    """Between which values the mean is if nothing is known of what was not seen: all of it 0, or all at its greatest.

    C. Manski, "Nonparametric bounds on treatment effects", American Economic Review 80(2), 1990. No interval for chance
    is in it.

    Args:
        values: At least 0, of shape (n,); of no account where not observed.
        observed: Whether each was seen.
        most: The greatest that each may be.
    """
    if not values.size:
        return 0.0, 0.0
    seen = float(np.sum(np.where(observed, values, 0.0)))
    return seen / values.size, (seen + float(np.sum(np.where(observed, 0.0, most)))) / values.size

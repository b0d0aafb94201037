"""How far confidence is from the truth, with what the data leave open. Pure.

What was seen with a small probability stands for many that were not: each decision counts 1 over its propensity, so
that a curve from an audit sample is that of all decisions (Horvitz and Thompson, JASA 47, 1952; the means are Hajek's
ratios). Bins hold equal parts of that. The interval of a bin's share is Clopper and Pearson's for as many outcomes as
the weighted ones are worth (E. Korn and B. Graubard, "Confidence intervals for proportions with small expected number
of positive counts estimated from survey data", Survey Methodology 24(2), 1998): by their weights alone (L. Kish, Survey
Sampling, 1965), or by how they scatter, whichever is fewer.

The expected calibration error is the mean distance, over decisions, between the confidence of a bin and the share of
right answers in it (M. Naeini, G. Cooper and M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
binning", AAAI 2015). Chance alone makes it greater than it is. Its interval allows for that: with d the distances that
were seen, t the true ones, w the bins' weights and s the signs of t, sum w|t| - sum w|d| <= sum w s (t - d), which is
normal; and sum w|d| - sum w|t| <= sum w|d - t|, a sum of absolute normal values. So a low end above 0 says that the
confidence is wrong, and not only that decisions were few.
"""

from __future__ import annotations

import functools
import math
from statistics import NormalDist

import msgspec
import numpy as np

from interlock.autonomy.betting import Floats
from interlock.autonomy.calibration import Flags
from interlock.autonomy.figures.figures import Bin, Error
from interlock.oversight.binomial import Interval, interval

BINS = 10
FEWEST_IN_BIN = 25
"""Where the decisions are worth fewer than this for each bin, there are fewer bins."""
_TAIL = 0.025
_DRAWS = 4000
_SEED = 8
_EXACT = 1e-6


class _Part(msgspec.Struct, frozen=True):
    """The decisions of one bin, sorted by confidence: how sure, whether right, their weights."""

    sure: Floats
    right: Flags
    weight: Floats


def effective(weight: Floats) -> float:
    """How many equally weighted decisions would tell as much (L. Kish, Survey Sampling, 1965)."""
    squares = float(np.sum(np.sort(weight * weight)))
    return float(np.sum(np.sort(weight))) ** 2 / squares if squares else 0.0


def reliability(confidence: Floats, right: Flags, weight: Floats | None = None, bins: int = BINS) -> tuple[Bin, ...]:
    """Confidence against truth, in at most so many bins; equal confidences are never parted.

    Args:
        confidence: In [0, 1], of shape (n,).
        right: Whether the answer was.
        weight: 1 over the probability with which that came to be known; None: all are known.
        bins: How many at most.
    """
    found: list[Bin] = []
    for part in _parts(confidence, right, weight, bins):
        share, worth = weighted_share(part.right, part.weight)
        sure = float(np.average(part.sure, weights=part.weight))
        found.append(Bin(float(part.sure[0]), float(part.sure[-1]), sure, part.sure.size, share, worth))
    return tuple(found)


def weighted_share(hits: Flags, weight: Floats) -> tuple[Interval, float]:
    """The weighted share of hits with its 95 % interval, and how many equally weighted tries would tell as much.

    Args:
        hits: Of shape (n,).
        weight: 1 over the probability with which each was seen.
    """
    if not hits.size:
        return interval(0, 0), 0.0
    share, worth = float(np.average(hits, weights=weight)), effective(weight)
    if 0 < share < 1:
        scatter = float(np.sum(np.sort(weight * weight * (hits - share) ** 2))) / float(np.sum(np.sort(weight))) ** 2
        worth = min(worth, share * (1 - share) / scatter)
    tries = max(math.floor(worth + _EXACT), 1)
    fewest = interval(math.floor(share * tries + _EXACT), tries)
    most = interval(math.ceil(share * tries - _EXACT), tries)
    return Interval(share, fewest.low, most.high), worth


def calibration_error(confidence: Floats, right: Flags, weight: Floats | None = None, bins: int = BINS) -> Error:
    """The expected calibration error with its interval; the same data give the same figures, in any order.

    Args:
        confidence: In [0, 1], of shape (n,).
        right: Whether the answer was.
        weight: 1 over the probability with which that came to be known; None: all are known.
        bins: How many at most.
    """
    parts = _parts(confidence, right, weight, bins)
    if not parts:
        return Error(0.0, 0.0, 1.0)
    held = np.array([float(np.sum(part.weight)) for part in parts])
    held /= np.sum(held)
    away, spread = np.array([_distance(part) for part in parts]).T
    value = float(np.sum(held * np.abs(away)))
    noise = np.sort(_normal(len(parts)) @ (held * spread))
    over = float(np.quantile(noise, 1 - _TAIL))
    under = NormalDist().inv_cdf(1 - _TAIL) * math.sqrt(float(np.sum((held * spread) ** 2)))
    return Error(min(value, 1.0), max(0.0, value - over), min(1.0, value + under))


def _distance(part: _Part) -> tuple[float, float]:
    """How far confidence is from the truth in a bin, and the standard deviation of that.

    Where all, or nearly all, were right the scatter says too little: then that of a share with one more of each counts.
    """
    total, worth = float(np.sum(part.weight)), effective(part.weight)
    each = part.sure - part.right
    mean = float(np.sum(part.weight * each)) / total
    scatter = float(np.sum((part.weight * (each - mean)) ** 2)) / total**2
    share = (float(np.sum(part.weight * part.right)) / total * worth + 1) / (worth + 2)
    return mean, math.sqrt(max(scatter * worth / max(worth - 1, 1), share * (1 - share) / worth))


@functools.cache
def _normal(bins: int) -> Floats:
    """Absolute values of standard normal numbers, always the same, of shape (draws, bins)."""
    return np.abs(np.random.default_rng(_SEED).standard_normal((_DRAWS, bins)))


def _parts(confidence: Floats, right: Flags, weight: Floats | None, bins: int) -> list[_Part]:
    """The bins: equal parts of the weight in each, but that equal confidences stay together."""
    if not confidence.size:
        return []
    given = np.ones(confidence.size) if weight is None else weight
    order = np.lexsort((given, right, confidence))
    sure, good, counted = confidence[order], right[order], given[order]
    bins = max(1, min(bins, int((effective(counted) + _EXACT) / FEWEST_IN_BIN)))
    upto = np.cumsum(counted)
    wanted: Floats = np.linspace(0.0, float(upto[-1]), bins + 1)[1:-1] * (1 - _EXACT)
    ends = np.searchsorted(upto, wanted, side="left") + 1
    cuts = np.unique(np.searchsorted(sure, sure[np.minimum(ends, sure.size - 1)], side="left"))
    cuts = cuts[(cuts > 0) & (cuts < sure.size)]
    return [_Part(*columns) for columns in zip(*(np.split(one, cuts) for one in (sure, good, counted)), strict=True)]

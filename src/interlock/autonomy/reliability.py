"""How far confidence is from the truth, with what the data leave open. Pure.

Bins hold equally many decisions. The expected calibration error is the mean distance, over decisions, between the
confidence of a bin and the share of right answers in it (M. Naeini, G. Cooper and M. Hauskrecht, "Obtaining well
calibrated probabilities using Bayesian binning", AAAI 2015); its interval is a bootstrap's (B. Efron, "Bootstrap
methods", Annals of Statistics 7(1), 1979). With few decisions it is above 0 by chance alone, also of perfect
confidences: the interval says where it was, not that it is wrong.
"""

from __future__ import annotations

import msgspec
import numpy as np

from interlock.autonomy.betting import Floats
from interlock.autonomy.calibration import Flags
from interlock.oversight.binomial import Interval, interval

BINS = 10
_DRAWS = 300
_TAILS = (2.5, 97.5)
_SEED = 8


class Bin(msgspec.Struct, frozen=True):
    """Decisions of nearly the same confidence.

    Attributes:
        least: The least confidence.
        most: The greatest.
        confidence: Their mean.
        decisions: How many.
        right: Which share was right, with the exact 95 % interval.
    """

    least: float
    most: float
    confidence: float
    decisions: int
    right: Interval


class Error(msgspec.Struct, frozen=True):
    """The expected calibration error.

    Attributes:
        value: Between 0 and 1.
        low: The lower end of its 95 % interval.
        high: The upper end.
    """

    value: float
    low: float
    high: float


def reliability(confidence: Floats, right: Flags, bins: int = BINS) -> tuple[Bin, ...]:
    """Confidence against truth, in at most so many bins; equal confidences are never parted.

    Args:
        confidence: In [0, 1], of shape (n,).
        right: Whether the answer was.
        bins: How many at most.
    """
    order = np.lexsort((right, confidence))
    sure, good = confidence[order], right[order]
    found: list[Bin] = []
    for part, truly in _parts(sure, good, bins):
        share = interval(int(np.sum(truly)), truly.size)
        found.append(Bin(float(part[0]), float(part[-1]), float(np.mean(part)), truly.size, share))
    return tuple(found)


def calibration_error(confidence: Floats, right: Flags, bins: int = BINS) -> Error:
    """The expected calibration error with its interval; the same data give the same figures, in any order."""
    if not confidence.size:
        return Error(0.0, 0.0, 1.0)
    order = np.lexsort((right, confidence))
    sure, good = confidence[order], right[order]
    drawn = np.random.default_rng(_SEED)
    values: list[float] = []
    for _ in range(_DRAWS):
        again = np.sort(drawn.integers(0, sure.size, sure.size))
        values.append(_error(sure[again], good[again], bins))
    low, high = np.percentile(values, _TAILS).tolist()
    value = _error(sure, good, bins)
    return Error(value, min(low, value), max(high, value))


def _error(sure: Floats, good: Flags, bins: int) -> float:
    parts = _parts(sure, good, bins)
    return sum(abs(float(np.sum(part)) - float(np.sum(truly))) for part, truly in parts) / sure.size


def _parts(sure: Floats, good: Flags, bins: int) -> list[tuple[Floats, Flags]]:
    """The bins of what is sorted by confidence: equally many in each, but that equal confidences stay together."""
    if not sure.size:
        return []
    ends = np.linspace(0, sure.size, bins + 1).round().astype(np.int64)[1:-1]
    cuts = np.unique(np.searchsorted(sure, sure[np.minimum(ends, sure.size - 1)], side="left"))
    cuts = cuts[(cuts > 0) & (cuts < sure.size)]
    return list(zip(np.split(sure, cuts), np.split(good, cuts), strict=True))

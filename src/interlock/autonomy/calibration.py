"""How probable it is that an answer of some confidence is wrong: learnt from outcomes, never rising with it. Pure.

Two ways, of which the one that predicts outcomes better that it was not fitted on is taken:

- ``isotonic``: the best steps that never rise (pool adjacent violators: M. Ayer and others, "An empirical distribution
  function for sampling with incomplete information", Annals of Mathematical Statistics 26(4), 1955; for confidences
  B. Zadrozny and C. Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002);
- ``platt``: a logistic curve over the confidence's logit (J. Platt, "Probabilistic outputs for support vector
  machines", 1999, with his smoothed targets; by Newton's method as H.-T. Lin, C.-J. Lin and R. Weng, "A note on Platt's
  probabilistic outputs", Machine Learning 68, 2007).

No probability is ever 0: a step of n outcomes, w of them wrong, says (w + 1) / (n + 2).
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from interlock.autonomy.betting import Floats
from interlock.autonomy.certificate import Step

Flags = NDArray[np.bool_]
Method = Literal["isotonic", "platt"]

FEWEST = 100
"""With fewer outcomes than these, as their weights count, nothing is certified of a component in a segment."""
FEWEST_FOR_STEPS = 20
"""With fewer wrong, or fewer right, outcomes than these the steps would be luck: the curve is taken."""
FOLDS = 5
_FINEST = 0.98
"""A curve is stored as steps, each of which falls to this part of the one before."""
_NEAREST = 1e-6
"""Confidences nearer than this to 0 or 1 count as this near."""
_NEWTON_STEPS = 50
_CLOSE = 1e-10


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What a confidence is worth.

    Attributes:
        method: How the steps were found.
        steps: Ascending by confidence, falling in probability; below the first nothing is known.
        decisions: How many outcomes it was fitted on.
        wrong: How many of them were wrong.
        too_few: Whether these are fewer than ``FEWEST``, as their weights count: then it serves to show, not to decide.
    """

    method: Method
    steps: tuple[Step, ...]
    decisions: int
    wrong: int
    too_few: bool

    def wrong_at(self, confidence: Floats) -> Floats:
        """How probable it is that answers of these confidences are wrong; 1 of those less sure than any seen."""
        starts = np.array([step.confidence for step in self.steps])
        values = np.array([1.0, *(step.wrong for step in self.steps)])
        return values[np.searchsorted(starts, confidence, side="right")]


def calibrate(confidence: Floats, wrong: Flags, weight: Floats | None = None) -> Calibration:
    """The better of both ways. The order of the data plays no part.

    Args:
        confidence: In [0, 1], of shape (n,).
        wrong: Whether the answer was.
        weight: 1 over the probability with which the outcome became known; None: all are known.
    """
    given = np.ones(confidence.size) if weight is None else weight
    order = np.lexsort((given, wrong, confidence))
    sure, bad, counted = confidence[order], wrong[order], _effective(given[order])
    decisions, wrongs = int(sure.size), int(np.sum(bad))
    if not decisions:
        return Calibration(method="platt", steps=(), decisions=0, wrong=0, too_few=True)
    method = _better(sure, bad, counted) if FEWEST_FOR_STEPS <= wrongs <= decisions - FEWEST_FOR_STEPS else "platt"
    return Calibration(
        method=method,
        steps=fit(method, sure, bad, counted),
        decisions=decisions,
        wrong=wrongs,
        too_few=bool(np.sum(counted) < FEWEST - 0.5),
    )


def fit(method: Method, confidence: Floats, wrong: Flags, weight: Floats) -> tuple[Step, ...]:
    """The steps of one way, from at least one outcome."""
    return (_isotonic if method == "isotonic" else _platt)(confidence, wrong, weight)


def _effective(weight: Floats) -> Floats:
    """Weights that add to the number of equal ones that would tell as much (L. Kish, Survey Sampling, 1965)."""
    total = float(np.sum(weight))
    return weight * (total / float(np.sum(weight * weight))) if weight.size else weight


def _better(confidence: Floats, wrong: Flags, weight: Floats) -> Method:
    """The way with the smaller logarithmic loss on outcomes that it was not fitted on; of equal ones the curve."""
    losses: dict[Method, float] = {"platt": 0.0, "isotonic": 0.0}
    fold = np.arange(confidence.size) % FOLDS
    for held in range(FOLDS):
        kept, tried = fold != held, fold == held
        for method in losses:
            steps = fit(method, confidence[kept], wrong[kept], weight[kept])
            starts = np.array([step.confidence for step in steps[1:]])
            values = np.array([step.wrong for step in steps])
            said = values[np.searchsorted(starts, confidence[tried], side="right")]
            truly = np.where(wrong[tried], said, np.maximum(1 - said, np.finfo(float).tiny))
            losses[method] -= float(np.sum(weight[tried] * np.log(truly)))
    return "isotonic" if losses["isotonic"] < losses["platt"] else "platt"


def _isotonic(confidence: Floats, wrong: Flags, weight: Floats) -> tuple[Step, ...]:
    """Steps that never rise: first of the shares as they are, then of the smoothed ones."""
    starts, place = np.unique(confidence, return_inverse=True)
    bad = np.bincount(place, weights=weight * wrong)
    count = np.bincount(place, weights=weight)
    blocks = list(zip(starts.tolist(), bad.tolist(), count.tolist(), strict=True))
    blocks = _pool(_pool(blocks, 0.0), 1.0)
    return tuple(Step(start, (bad + 1) / (count + 2)) for start, bad, count in blocks)


def _pool(blocks: list[tuple[float, float, float]], more: float) -> list[tuple[float, float, float]]:
    """Join neighbours, as (start, wrong, count), until ``(wrong + more) / (count + 2 more)`` falls throughout."""
    found: list[tuple[float, float, float]] = []
    for block in blocks:
        start, bad, count = block
        while found and (found[-1][1] + more) * (count + 2 * more) <= (bad + more) * (found[-1][2] + 2 * more):
            start, before, earlier = found.pop()
            bad, count = bad + before, count + earlier
        found.append((start, bad, count))
    return found


def _platt(confidence: Floats, wrong: Flags, weight: Floats) -> tuple[Step, ...]:
    """The curve as steps, from the least sure to the surest that was seen."""
    logit = _logit(confidence)
    bad = float(np.sum(weight * wrong))
    good = float(np.sum(weight)) - bad
    target = np.where(wrong, (bad + 1) / (bad + 2), 1 / (good + 2))
    level, slope = _logistic(logit, target, weight)
    lowest, highest = float(np.min(logit)), float(np.max(logit))
    least = float(np.min(confidence))
    odds = level + slope * lowest
    steps = [Step(least, _sigmoid(odds))]
    last = level + slope * highest
    while (share := steps[-1].wrong * _FINEST) > _sigmoid(last):
        odds = math.log(share) - math.log1p(-share)
        start = _sigmoid((odds - level) / slope)
        if steps[-1].confidence < start:
            steps.append(Step(start, share))
        else:
            steps[-1] = Step(steps[-1].confidence, share)
    return tuple(steps)


def _logistic(logit: Floats, target: Floats, weight: Floats) -> tuple[float, float]:
    """Level and slope of the likeliest curve whose slope is at most 0, by Newton's method with halved steps."""
    share = float(np.sum(weight * target) / np.sum(weight))
    flat = math.log(share) - math.log1p(-share)
    middle, spread = float(np.average(logit, weights=weight)), float(np.std(logit))
    if spread <= _CLOSE:
        return flat, 0.0
    z = (logit - middle) / spread
    at: Floats = np.array([flat, 0.0])
    loss = _cross_entropy(at, z, target, weight)
    for _ in range(_NEWTON_STEPS):
        said = 1 / (1 + np.exp(-(at[0] + at[1] * z)))
        off, steep = weight * (said - target), weight * said * (1 - said)
        down, tilt = float(np.sum(off)), float(np.sum(off * z))
        own, crossed, far = (
            float(np.sum(steep)) + _CLOSE,
            float(np.sum(steep * z)),
            float(np.sum(steep * z * z)) + _CLOSE,
        )
        scale = own * far - crossed * crossed
        move: Floats = np.array([(far * down - crossed * tilt) / scale, (own * tilt - crossed * down) / scale])
        length = 1.0
        while (tried := _cross_entropy(at - length * move, z, target, weight)) > loss and length > _CLOSE:
            length /= 2
        gained, at, loss = loss - tried, at - length * move, tried
        if gained <= _CLOSE * max(loss, 1.0):
            break
    slope = float(at[1]) / spread
    return (flat, 0.0) if slope >= 0 else (float(at[0]) - slope * middle, slope)


def _cross_entropy(at: Floats, z: Floats, target: Floats, weight: Floats) -> float:
    odds = at[0] + at[1] * z
    return float(np.sum(weight * (np.logaddexp(0.0, odds) - target * odds)))


def _logit(confidence: Floats) -> Floats:
    kept = np.clip(confidence, _NEAREST, 1 - _NEAREST)
    return np.log(kept) - np.log1p(-kept)


def _sigmoid(odds: float) -> float:
    return 1 / (1 + math.exp(-odds)) if odds > 0 else math.exp(odds) / (1 + math.exp(odds))

"""Whether what a certificate promises still holds, looked at after every outcome: an e-process. Pure.

While the mean loss is at most the budget m, nobody can expect to win the bet that pays ``1 + g (x - m) / m`` for a
stake of 1, whatever came before. The money of several such bets together is therefore 1/alpha or more, ever, with a
probability of at most alpha, however often one looks (J. Ville, "Etude critique de la notion de collectif", 1939;
G. Shafer, "Testing by betting", 2021). The bets need no greatest loss: x may be above 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec
import numpy as np

from interlock.autonomy.betting import Bets, Floats, mixed

_RATIOS = (1.5, 2.0, 4.0, 10.0)
"""Losses so many times the budget are what the bets are made to find soon."""
_SHARES = (0.3, 0.4, 0.2, 0.1)
_BOLDEST = 0.5
"""No bet stakes more than this part of its money against an outcome without loss."""
TYPICAL = 0.5
"""What a loss is, as a share of the greatest, where nobody knows better."""


class Watch(msgspec.Struct, frozen=True):
    """Where a monitor stands.

    Attributes:
        logs: The logarithm of each bet's money, which begins at 0.
        count: How many outcomes came.
        peak: The greatest logarithm of all their money together that there ever was.
        sizes: Of the bets that it began with, which stay when the certificate is renewed; empty: the certificate's.
    """

    logs: tuple[float, ...]
    count: int = 0
    peak: float = 0.0
    sizes: tuple[float, ...] = ()


def watching_bets(typical: float, m: float) -> Bets:
    """The bets of a monitor, fixed when its certificate is issued.

    Of losses that are all alike, ``typical`` as a share of the greatest, the bet ``(r - 1) m / typical`` wins the most
    against a mean of r times the budget: it makes each factor the ratio of the probabilities.

    Args:
        typical: The sum of the squares of known losses over their sum, as shares of the greatest; in (0, 1].
        m: The budget as a share of the greatest loss, in (0, 1).
    """
    scale = m / max(typical, m)
    return Bets(tuple(min(_BOLDEST, (ratio - 1) * scale) for ratio in _RATIOS), _SHARES)


def begin(bets: Bets) -> Watch:
    """A monitor that has seen nothing."""
    return Watch((0.0,) * len(bets.sizes), sizes=bets.sizes)


def step(watch: Watch, x: Iterable[float], m: float, bets: Bets) -> Watch:
    """Take outcomes in the order in which they became known.

    Args:
        watch: Where it stands.
        x: Losses of decisions as shares of the greatest, at least 0: 0 of what a person decided or was right; where
            outcomes are sampled, divided by their propensity, and 0 of those that were not drawn.
        m: The budget as the same share, in (0, 1).
        bets: Fixed when the certificate was issued.
    """
    logs, count, peak = list(watch.logs), watch.count, watch.peak
    for loss in x:
        count += 1
        for at, size in enumerate(bets.sizes):
            logs[at] += math.log1p(size * (max(loss, 0.0) / m - 1))
        peak = max(peak, _together(logs, bets))
    return Watch(tuple(logs), count, peak, watch.sizes)


def money(watch: Watch, bets: Bets) -> float:
    """The logarithm of the money of all bets together, as it is now."""
    return _together(watch.logs, bets)


def crossed(watch: Watch, alpha: float) -> bool:
    """Whether the money ever was 1/alpha: the loss is above the budget, or something of probability alpha happened."""
    return watch.peak >= -math.log(alpha)


def _together(logs: Iterable[float], bets: Bets) -> float:
    shares = [log + math.log(weight) for log, weight in zip(logs, bets.weights, strict=True)]
    greatest = max(shares)
    return greatest + math.log(math.fsum(math.exp(share - greatest) for share in shares))


def path(x: Floats, m: float, bets: Bets) -> Floats:
    """The logarithm of the money after each outcome, of shape (..., n) as x; for whole histories at once."""
    sizes = np.asarray(bets.sizes).reshape(-1, *(1,) * x.ndim)
    return mixed(np.cumsum(np.log1p(sizes * (x / m - 1)), axis=-1), bets)


def outcomes_to_find(losses: Floats, times: float, m: float, bets: Bets, alpha: float) -> float:
    """After about how many outcomes a loss of so many times the budget is found; infinite if by no bet.

    The growth of a bet's logarithm is constant in the mean, so its money is 1/alpha of all after the logarithm of what
    is wanted over that growth (Wald, "Sequential tests of statistical hypotheses", 1945).

    Args:
        losses: The shares of the greatest loss that occur, each above 0, all equally often.
        times: The mean loss, as a multiple of the budget.
        m: The budget as a share of the greatest loss, in (0, 1).
        bets: The monitor's.
        alpha: How often it may be wrong.
    """
    often = min(1.0, times * m / float(np.mean(losses)))
    soonest = math.inf
    for size, weight in zip(bets.sizes, bets.weights, strict=True):
        won = float(np.mean(np.log1p(size * (losses / m - 1))))
        growth = often * won + (1 - often) * math.log1p(-size)
        if growth > 0:
            soonest = min(soonest, (-math.log(alpha) - math.log(weight)) / growth)
    return soonest

"""Whether a mean is below a bound, by betting that it is: tests that hold for any bounded data, however few. Pure.

Of x in [0, 1] with a mean of at least m nobody can expect to win a bet that pays ``1 + g (m - x) / (1 - m)`` for a
stake of 1 and a fixed g in [0, 1]. What several such bets win together, each with its own share of one unit of money,
is an e-value K: of true hypotheses its mean is at most 1, so that K is 1/risk or more with a probability of at most the
risk (Markov; along a sequence Ville, "Etude critique de la notion de collectif", 1939).

K grows with m, since each factor does, and the bets never depend on m: a stricter bound never gets a smaller p-value.
The p-value is 1 over the greatest K that there was while the data came in, in an order that is drawn before.

Sources: I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting", Journal of the Royal
Statistical Society B 86(1), 2024; G. Shafer, "Testing by betting", Journal of the Royal Statistical Society A 184(2),
2021. Mixtures of e-values: V. Vovk and R. Wang, "E-values: calibration, combination and applications", Annals of
Statistics 49(3), 2021.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WEIGHTS = (0.8, 0.1, 0.1)
"""Of the bet that fits, of a third of it, and of the greatest there is."""
_FIT_TO = math.log(20)
"""The logarithm of the K that bets are made for. One number for all risks: a bet never depends on the risk either."""
_ONE_MORE = 0.25
"""So much of another loss, as great as the greatest, is supposed to come beside those that were seen."""
_TRIED = np.geomspace(1.0, 1e-4, 161)
"""The bets among which the one that fits is looked for."""
_SLACK = 1e-9
"""So much more than 1/risk the logarithm of K must be: far more than what is rounded."""
_ROUNDS, _AT_ONCE = 8, 32
"""A bound is looked for in so many rounds, each of which tries so many at once."""
_MOST_OUTCOMES = 2**53


class Bets(msgspec.Struct, frozen=True):
    """Bets that are fixed before the data are seen.

    Attributes:
        sizes: The g of each bet, in (0, 1].
        weights: The part of the money that each has; they add to 1.
    """

    sizes: tuple[float, ...]
    weights: tuple[float, ...]


BOLDEST = Bets((1.0, 0.6), (WEIGHTS[0] + WEIGHTS[2], WEIGHTS[1]))
"""The bets where no loss was ever seen: one loses all by a first loss of 1, the other stands some of them."""
ALL_ROUND = Bets((1.0, 1 / 3, 1 / 9, 1 / 27, 1 / 81, 1 / 243), (1 / 6,) * 6)
"""Bets for data of which nothing is known before."""


def choose_bets(fit: Floats, tests: int, *, zeros: int = 0) -> Bets:
    """The bets for a test on other data like these.

    Of n like these the bet g shows a bound of about ``(ln(1/risk) + sum -ln(1 - g x)) / (g n)``; the one that shows the
    lowest fits. Where every g x is small that is ``sqrt(2 ln(1/risk) / (s n))``, with s the mean square of x
    (Waudby-Smith and Ramdas, section 3); near 1 it is smaller, or a few whole losses took all that it won.
    A third of it stands by for losses that were seen too small or too seldom, and 1 for data without any loss.

    Args:
        fit: x in [0, 1], of shape (n,), from data that are not tested.
        tests: How many are tested.
        zeros: How many further x are 0.
    """
    seen = np.sort(fit)
    if not seen.size:
        return BOLDEST
    times = max(tests, 1) / (seen.size + zeros + 1)
    with np.errstate(divide="ignore"):
        taken = -np.sum(np.log1p(-_TRIED[:, None] * seen[None, :]), axis=-1) - _ONE_MORE * np.log1p(-_TRIED * seen[-1])
    best = float(_TRIED[np.argmin((_FIT_TO + times * taken) / _TRIED)])
    return BOLDEST if best >= 1 else Bets((best, best / 3, 1.0), WEIGHTS)


def e_value(x: Floats, m: float | Floats, bets: Bets, *, zeros: int = 0, ones: int = 0) -> Floats:
    """The logarithm of K, against the hypothesis that the mean is m or more.

    Args:
        x: Values in [0, 1], of shape (..., n).
        m: The bound, in (0, 1); or several, of shape (..., 1) or what goes with it.
        bets: Fixed without a look at x.
        zeros: How many further values are 0.
        ones: How many further values are 1.

    Returns:
        Of shape (...): at least ``ln(1/risk)`` with a probability of at most the risk if the hypothesis is true.
    """
    worth = np.sort(x, axis=-1)
    none = int(np.min(np.sum(worth == 0, axis=-1), initial=x.shape[-1]))
    lost = worth[..., none:]
    bound = np.atleast_1d(np.asarray(m, np.float64))
    odds, far = bound / (1 - bound), (bound - lost) / (1 - bound)
    with np.errstate(divide="ignore"):
        parts = [
            np.log1p(size * odds).squeeze(-1) * (none + zeros) + np.sum(np.log1p(size * far), axis=-1)
            for size in bets.sizes
        ]
        if ones:
            parts = [part + np.log1p(-size) * ones for part, size in zip(parts, bets.sizes, strict=True)]
    return mixed(np.array(parts), bets)


def best_e_value(x: Floats, before: Floats, m: float, bets: Bets) -> Floats:
    """The logarithm of the greatest K that there ever was while the data came in, one after the other.

    By Ville's inequality it, too, is ``ln(1/risk)`` or more with a probability of at most the risk, as long as the
    order is settled without a look at the values; and it is never less than K at the end. Between losses K only grows.

    Args:
        x: Values in [0, 1], of shape (..., k), in their order.
        before: How many zeros come before each, and after the last; of shape (..., k + 1).
        m: The bound, in (0, 1).
        bets: Fixed without a look at x.
    """
    parts = np.zeros((len(bets.sizes), *before.shape))
    zeros = np.cumsum(before, axis=-1)
    with np.errstate(divide="ignore"):
        for at, size in enumerate(bets.sizes):
            parts[at, ..., 1:] = np.cumsum(np.log1p(size * ((m - x) / (1 - m))), axis=-1)
            parts[at] += math.log1p(size * m / (1 - m)) * zeros
    return np.maximum(np.max(mixed(parts, bets), axis=-1), 0.0)


def p_value(x: Floats, m: float, bets: Bets) -> float:
    """The p-value of the hypothesis that the mean of x, of shape (n,), is m or more: 1 over the greatest K.

    A bound of 1 and more needs no test, and one of 0 passes none.

    Args:
        x: Values in [0, 1], in an order that was settled without a look at them.
        m: The bound.
        bets: Fixed without a look at x.
    """
    if m >= 1:
        return 0.0
    if m <= 0 or not x.size:
        return 1.0
    at = np.flatnonzero(x)
    before = np.diff(at, prepend=-1, append=x.size) - 1.0
    return math.exp(min(0.0, _SLACK - float(best_e_value(x[at], before, m, bets))))


def passes(log_k: float, risk: float) -> bool:
    """Whether K is at least 1/risk, told with the slack that covers what is rounded."""
    return log_k >= _SLACK - math.log(risk)


def mixed(logs: Floats, bets: Bets) -> Floats:
    """The logarithm of the weighted sum over the first axis, of logarithms."""
    greatest = np.max(logs, axis=0)
    kept = np.where(np.isfinite(greatest), greatest, 0.0)
    weights = np.asarray(bets.weights).reshape(-1, *(1,) * (logs.ndim - 1))
    with np.errstate(divide="ignore"):
        return kept + np.log(np.sum(weights * np.exp(logs - kept), axis=0))


def needed_outcomes(m: float, risk: float, bets: Bets = BOLDEST) -> int:
    """How many outcomes this very test needs to pass if not one of them is a loss: about ``ln(1/risk) / m``.

    Args:
        m: The bound as a share of the greatest loss, in (0, 1).
        risk: The probability with which the bound may fail.
        bets: As the test has them; without any losses, the boldest.
    """
    gains = np.log1p(np.asarray(bets.sizes) * (m / (1 - m)))

    def enough(count: int) -> bool:
        return passes(float(mixed(gains * count, bets)), risk)

    low, high = 0, 1
    while not enough(high) and high < _MOST_OUTCOMES:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def upper_bound(x: Floats, risk: float, bets: Bets = ALL_ROUND, *, zeros: int = 0, ones: int = 0) -> float:
    """What the mean of x, in [0, 1] and of shape (n,), is below, but for the risk; rounded up."""
    low, high = 0.0, 1.0
    for _ in range(_ROUNDS):
        tried = np.linspace(low, high, _AT_ONCE + 2)[1:-1]
        held = e_value(x[None, :], tried[:, None], bets, zeros=zeros, ones=ones) >= _SLACK - math.log(risk)
        first = int(np.argmax(held)) if bool(np.any(held)) else _AT_ONCE
        low, high = (
            (low if not first else float(tried[first - 1])),
            (high if first == _AT_ONCE else float(tried[first])),
        )
    return high


def mean_interval(x: Floats, risk: float, *, zeros: int = 0) -> tuple[float, float]:
    """Between which values the mean of x, in [0, 1] and of shape (n,), is, but for the risk; of nothing 0 and 1."""
    if not x.size + zeros:
        return 0.0, 1.0
    low = 1 - upper_bound(1 - x, risk / 2, ones=zeros)
    return low, upper_bound(x, risk / 2, zeros=zeros)

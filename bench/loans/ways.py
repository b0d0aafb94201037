"""Ways to say what goes by itself: fixed confidences, tuned ones, the expected loss, and the certificate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from loans.lent import CENTS, Lent, greatest

from interlock.autonomy.betting import Floats, choose_bets, p_value
from interlock.autonomy.calibration import Flags
from interlock.autonomy.certify import Scored, Terms, fit_calibrations, make_grid, score
from interlock.autonomy.records import Numbers

CALIBRATED = 3 / 5
"""This part of the loans that trained nothing calibrates; all ways are judged on the others."""
FIT_SHARE = 1 / 3
_CONFIDENCES = 100


@dataclass(frozen=True)
class Stated:
    """What the owner states, in whole units: what a review costs, the acceptable mean loss, and the risk."""

    review: int
    budget: int
    risk: float = 0.1

    @property
    def terms(self) -> Terms:
        """As a certificate takes it, in cents."""
        most = greatest()
        return Terms(
            budget=Fraction(self.budget * CENTS), risk=Fraction(str(self.risk)), review_cost=self.review * CENTS,
            cap=int(most), worst=most, grid=make_grid(Fraction(self.review * CENTS)),
            smaller=tuple((int(most) // 2**at, most / 2**at) for at in range(6, 0, -1)),
        )  # fmt: skip


@dataclass(frozen=True)
class Split:
    """One random split: what calibrates, of it what fits, and what all ways are judged on."""

    lent: Lent
    calibration: Numbers
    fit: Flags
    test: Numbers
    scored: Scored
    expected: Floats

    @property
    def lost(self) -> Floats:
        """What each proposal loses if nobody looks, in whole units."""
        return np.where(self.lent.wrong, self.lent.stake, 0) / CENTS


def split(lent: Lent, seed: int, stated: Stated) -> Split:
    """The split of a seed. Calibrations do not depend on the budget."""
    order = np.random.default_rng(seed).permutation(lent.wrong.size).astype(np.int64)
    calibration, test = np.split(order, [round(CALIBRATED * order.size)])
    fit = np.arange(calibration.size) < FIT_SHARE * calibration.size
    records = lent.records(calibration, fit)
    fitted = fit_calibrations(records)
    everything = lent.records(np.arange(lent.wrong.size), np.zeros(lent.wrong.size, bool))
    return Split(
        lent, calibration, fit, test, score(records, stated.terms, fitted),
        score(everything, stated.terms, fitted).score / CENTS,
    )  # fmt: skip


def certificate(one: Split, stated: Stated) -> Flags:
    """As certify does: the loosest threshold before the first that fails; only what follows from it is left out."""
    terms = stated.terms
    limit = _walk(
        one.scored.score, one.scored.lost / float(terms.worst), one.fit, [float(t) for t in terms.grid], terms
    )
    return one.expected <= limit / CENTS


def _walk(scores: Floats, x: Floats, fit: Flags, grid: list[float], terms: Terms) -> float:
    passed = -1.0
    tests = int(np.sum(~fit))
    for limit in grid:
        alone = scores <= limit
        fits = np.where(alone, x, 0.0)[fit]
        bets = choose_bets(fits, tests)
        if p_value(np.where(alone, x, 0.0)[~fit], terms.bound, bets) > terms.risk:
            break
        passed = limit
    return passed


def expected_loss(one: Split, stated: Stated) -> Flags:
    """Whatever is expected to lose no more than a review costs; the budget plays no part."""
    return one.expected <= stated.review


def fixed(confidence: float) -> Callable[[Split, Stated], Flags]:
    """Whatever is at least this sure."""
    return lambda one, _: one.lent.confidence >= confidence


def tuned(share: float, errors: float) -> Callable[[Split, Stated], Flags]:
    """The confidence with the least cost on the calibration data whose loss there is within the budget.

    Args:
        share: Of the budget: less than 1 is a margin for safety.
        errors: So many standard errors are added to the loss: 1.28 is the usual upper limit at 10 %.
    """

    def choose(one: Split, stated: Stated) -> Flags:
        unsure, lost = 1 - one.lent.confidence[one.calibration], one.lost[one.calibration]
        best, limit = np.inf, -1.0
        for tried in np.quantile(unsure, np.linspace(0.01, 1, _CONFIDENCES)).tolist():
            counted = np.where(unsure <= tried, lost, 0.0)
            mean, error = float(np.mean(counted)), float(np.std(counted)) / np.sqrt(counted.size)
            cost = mean + stated.review * np.count_nonzero(unsure > tried) / unsure.size
            if mean + errors * error <= share * stated.budget and cost < best:
                best, limit = cost, tried
        return 1 - one.lent.confidence <= limit

    return choose


def certified_confidence(one: Split, stated: Stated) -> Flags:
    """The same test as the certificate's, of thresholds on confidence alone."""
    unsure = 1 - one.lent.confidence
    here = unsure[one.calibration]
    grid = np.quantile(here[one.fit], np.linspace(0.01, 1, _CONFIDENCES)).tolist()
    x = one.lost[one.calibration] * CENTS / float(stated.terms.worst)
    return unsure <= _walk(here, x, one.fit, grid, stated.terms)


def oracle(one: Split, stated: Stated) -> Flags:
    """Who knows the outcomes: the same scores, and the threshold whose cost is least within the budget on the test."""
    best, limit = float(stated.review), -1.0
    lost, expected = one.lost[one.test], one.expected[one.test]
    for tried in stated.terms.grid:
        alone = expected <= float(tried) / CENTS
        mean = float(np.mean(np.where(alone, lost, 0.0)))
        cost = mean + stated.review * float(np.mean(~alone))
        if mean <= stated.budget and cost < best:
            best, limit = cost, float(tried) / CENTS
    return one.expected <= limit


FIXED: dict[str, Callable[[Split, Stated], Flags]] = {
    "fixed 0.90": fixed(0.90),
    "fixed 0.95": fixed(0.95),
    "fixed 0.97": fixed(0.97),
    "tuned": tuned(1.0, 0.0),
    "tuned, 80 % of the budget": tuned(0.8, 0.0),
    "tuned, 70 % of the budget": tuned(0.7, 0.0),
    "tuned, 50 % of the budget": tuned(0.5, 0.0),
    "tuned, upper limit": tuned(1.0, 1.28),
    "tuned, certified": certified_confidence,
}
"""Fixed thresholds on confidence, given or chosen on the calibration data."""
WAYS: dict[str, Callable[[Split, Stated], Flags]] = FIXED | {
    "expected loss": expected_loss,
    "certificate": certificate,
    "oracle": oracle,
}

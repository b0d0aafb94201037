"""What can be certified where outcomes are too few for what was asked: a lower cap, or a rate of wrong decisions. Pure.

It is offered only where the test that was asked for could not have passed even without one error, which the number of
outcomes alone says: that test then used up nothing of the risk. One half of it goes to the lower cap, the other to the
rate, so that both hold together but for the whole risk. Which cap and which threshold are tried is settled on the part
that calibrates, before anything is tested.
"""

from __future__ import annotations

from fractions import Fraction

import msgspec
import numpy as np

from interlock.autonomy.betting import Bets, Floats, choose_bets, mixed, needed_outcomes, passes, upper_bound
from interlock.autonomy.certify import (
    ROUNDED,
    Certifiable,
    Goal,
    NotCertifiable,
    Scored,
    Terms,
    Threshold,
    Why,
    certify,
    gone,
    score,
)
from interlock.autonomy.records import Records

HALF = Fraction(1, 2)


class LowerCap(msgspec.Struct, frozen=True, kw_only=True):
    """With this cap the same budget would be certified.

    Attributes:
        cap: In minor units.
        chosen: What it lets through.
        risk: But for this probability.
    """

    cap: int
    chosen: Threshold
    risk: Fraction


class WrongRate(msgspec.Struct, frozen=True, kw_only=True):
    """At this threshold no greater share of all decisions is wrong and goes by itself; the money is not bounded.

    Attributes:
        threshold: In minor units.
        rate: The certified share.
        automatic: Which share of the decisions goes by itself.
        risk: But for this probability.
    """

    threshold: Fraction
    rate: float
    automatic: float
    risk: Fraction


class Offers(msgspec.Struct, frozen=True, kw_only=True):
    """What there is instead.

    Attributes:
        largest: The largest of the smaller caps for which there are outcomes enough if none is wrong; None: for none.
        lower_cap: A cap that is certified; None: none was.
        rate: A rate that is certified; None: no answer would go by itself.
    """

    largest: int | None
    lower_cap: LowerCap | None
    rate: WrongRate | None


def offer(records: Records, terms: Terms, refused: NotCertifiable) -> Offers | None:
    """What can be certified instead; None where outcomes are not what is missing."""
    if refused.why is not Why.FEW or not refused.tests or terms.goal is not Goal.LOSS:
        return None
    risk = terms.risk * HALF
    tried = [
        msgspec.structs.replace(terms, cap=cap, worst=worst, risk=risk, smaller=())
        for cap, worst in terms.smaller
        if cap < terms.cap
    ]
    enough = [one for one in tried if one.bound >= 1 or needed_outcomes(one.bound, float(risk)) <= refused.tests]
    return Offers(
        largest=enough[-1].cap if enough else None,
        lower_cap=_lower(records, enough, refused),
        rate=_rate(score(records, terms, refused.fitted), terms, risk),
    )


def _lower(records: Records, enough: list[Terms], refused: NotCertifiable) -> LowerCap | None:
    """The cap that is expected to let the most through, by the part that calibrates, and then its test."""
    expected = [(_expected(score(records, one, refused.fitted), one, refused.tests), one.cap) for one in enough]
    if not expected or max(expected)[0] <= 0:
        return None
    terms = enough[expected.index(max(expected))]
    found = certify(records, terms)
    return LowerCap(cap=terms.cap, chosen=found.chosen, risk=terms.risk) if isinstance(found, Certifiable) else None


def _expected(scored: Scored, terms: Terms, tests: int) -> float:
    """Which share would go by itself if the test's data were like those that calibrate."""
    fits = int(np.sum(scored.fit))
    most = 0.0
    if not fits:
        return most
    for threshold in terms.grid:
        went = gone(scored, float(threshold))
        alone = scored.fit & went.alone
        lost = np.sort(went.lost[scored.fit & (went.lost > 0)]) / float(terms.worst)
        bets = choose_bets(lost, tests, zeros=fits - lost.size)
        if terms.bound < 1 and not _likely(np.minimum(lost, 1.0), fits, tests, terms, bets):
            break
        most = int(np.sum(alone)) / fits
    return most


def _likely(lost: Floats, fits: int, tests: int, terms: Terms, bets: Bets) -> bool:
    """Whether the test is passed by data in which everything is as often as in the part that calibrates."""
    m = terms.bound
    with np.errstate(divide="ignore"):
        logs = [
            np.log1p(g * m / (1 - m)) * (fits - lost.size) + np.sum(np.log1p(g * ((m - lost) / (1 - m))))
            for g in bets.sizes
        ]
    return passes(float(mixed(np.array(logs) * (tests / fits), bets)), float(terms.risk))


def _rate(scored: Scored, terms: Terms, risk: Fraction) -> WrongRate | None:
    """The bound on wrong decisions at the loosest threshold whose loss, where it was calibrated, is in the budget."""
    fits = int(np.sum(scored.fit))
    tests = scored.fit.size - fits
    within = [
        one
        for one in terms.grid
        if float(np.sum(gone(scored, float(one)).lost[scored.fit])) <= float(terms.budget) * fits
    ]
    if not within or float(np.max(scored.wrong, initial=0.0)) > float(terms.heaviest) * ROUNDED:
        return None
    alone, _, went_wrong = gone(scored, float(within[-1]))
    automatic = int(np.sum(alone & ~scored.fit))
    if not automatic:
        return None
    heaviest = float(terms.heaviest)
    wrong = np.minimum(went_wrong / heaviest, 1.0)
    fit, test = (wrong[part & (wrong > 0)] for part in (scored.fit, ~scored.fit))
    bets = choose_bets(fit, tests, zeros=fits - fit.size)
    bound = upper_bound(test, float(risk), bets, zeros=tests - test.size) * heaviest
    return WrongRate(threshold=within[-1], rate=min(bound, 1.0), automatic=automatic / tests, risk=risk)

"""What can be certified where outcomes are too few for what was asked: a lower cap, or a rate of wrong decisions. Pure.

It is offered only where the test that was asked for could not have passed even without one error, which the number of
outcomes alone says: that test then used up nothing of the risk. One half of it goes to the lower cap, the other to the
rate, so that both hold together but for the whole risk. Which cap and which rate are tried is settled on the part that
calibrates, before anything is tested. Whoever states what is offered, with half the risk, is certified just that.
"""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction

import msgspec
import numpy as np

from interlock.autonomy.betting import Bets, Floats, choose_bets, mixed, needed_outcomes, passes
from interlock.autonomy.certify import (
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
_MARGIN = Fraction(3, 2)
_STEPS = tuple(map(Fraction, ("1", "1.2", "1.5", "2", "2.5", "3", "4", "5", "6", "8")))
RATES = (*(step / 10**power for power in range(5, 1, -1) for step in _STEPS), Fraction(1, 10))
"""The rates that may be offered, ascending, from 0.001 % to 10 %."""


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
    """This rate would be certified: no greater share of all decisions is wrong and goes by itself.

    Attributes:
        rate: The share, of ``RATES``.
        chosen: What it lets through; its loss is a share, too.
        risk: But for this probability.
    """

    rate: Fraction
    chosen: Threshold
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
        rate=_rate(records, msgspec.structs.replace(terms, risk=risk), refused),
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
    loosest = _loosest(scored, terms, tests)
    if loosest is None:
        return 0.0
    return int(np.sum(scored.fit & gone(scored, float(loosest)).alone)) / int(np.sum(scored.fit))


def _loosest(scored: Scored, terms: Terms, tests: int, *, more: int = 0) -> Fraction | None:
    """The threshold that would be certified then, with so many more of the worst in them; None: none would."""
    fits = int(np.sum(scored.fit))
    found: Fraction | None = None
    if not fits:
        return found
    for threshold in terms.grid:
        lost = gone(scored, float(threshold)).lost[scored.fit]
        lost = np.append(np.sort(lost[lost > 0]) / float(terms.worst), np.ones(more))
        bets = choose_bets(lost, tests, zeros=max(fits - lost.size, 0))
        if terms.bound < 1 and not _likely(np.minimum(lost, 1.0), max(fits, lost.size), tests, terms, bets):
            break
        found = threshold
    return found


def _likely(lost: Floats, fits: int, tests: int, terms: Terms, bets: Bets) -> bool:
    """Whether the test is passed by data in which everything is as often as in the part that calibrates."""
    m = terms.bound
    with np.errstate(divide="ignore"):
        logs = [
            np.log1p(g * m / (1 - m)) * (fits - lost.size) + np.sum(np.log1p(g * ((m - lost) / (1 - m))))
            for g in bets.sizes
        ]
    return passes(float(mixed(np.array(logs) * (tests / fits), bets)), float(terms.risk))


def _rate(records: Records, terms: Terms, refused: NotCertifiable) -> WrongRate | None:
    """The least rate that is expected to let through what keeps to the budget in the part that calibrates; its test.

    It is chosen as if that part held one wrong decision more, so that a little luck there does not choose too strictly;
    of so few that no rate is expected to do, the least of which half as many again are there as are needed without one
    wrong: that their number alone says.
    """
    money = score(records, terms, refused.fitted)
    allowed = float(terms.budget) * refused.fits
    within = [one for one in terms.grid if float(np.sum(gone(money, float(one)).lost[money.fit])) <= allowed]
    if not within or not np.any(gone(money, float(within[-1])).alone & money.fit):
        return None
    counting = msgspec.structs.replace(terms, goal=Goal.RATE, worst=terms.heaviest, smaller=())
    scored = score(records, counting, refused.fitted)

    def suffices(rate: Fraction) -> bool:
        asked = msgspec.structs.replace(counting, budget=rate)
        loosest = _loosest(scored, asked, refused.tests, more=1)
        return loosest is not None and loosest >= within[-1]

    def enough(rate: Fraction) -> bool:
        bound = msgspec.structs.replace(counting, budget=rate).bound
        return needed_outcomes(bound, float(terms.risk)) * _MARGIN <= refused.tests

    at = bisect_left(RATES, True, key=suffices)  # noqa: FBT003 - what is looked for: a greater rate suffices, too
    if at == len(RATES):
        at = bisect_left(RATES, True, key=enough)  # noqa: FBT003 - as before
    if at == len(RATES):
        return None
    found = certify(records, msgspec.structs.replace(counting, budget=RATES[at]))
    return WrongRate(rate=RATES[at], chosen=found.chosen, risk=terms.risk) if isinstance(found, Certifiable) else None

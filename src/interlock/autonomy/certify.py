"""Which threshold is certified: the loosest before the first that fails, on data that had no part in choosing. Pure.

An answer goes by itself if its score, the loss expected of it, is at most the threshold: p(wrong) of its confidence,
component version and segment, times the loss of its exposure. What is bounded is the mean over all decisions that come
to the point of what is lost by those that went by themselves. The thresholds of a grid that was fixed before are
tested from strict to loose, each at the full risk, and the first failure ends it: a true hypothesis that comes first
is rejected with at most that risk, and none that comes later counts (P. Bauer, "Multiple testing in clinical trials",
Statistics in Medicine 10, 1991; A. Angelopoulos, S. Bates, E. Candès, M. Jordan and L. Lei, "Learn then Test", 2021).

INVARIANT: grid, bets and the greatest loss never depend on budget or risk, so that a stricter one never automates more.
"""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction

import msgspec
import numpy as np

from interlock.autonomy.betting import Floats, choose_bets, mean_interval, needed_outcomes, p_value
from interlock.autonomy.calibration import Calibration, Flags, calibrate
from interlock.autonomy.in_turn import Gone, InTurn, gone_in_turn, passed_on
from interlock.autonomy.records import EVERYWHERE, Cascade, Numbers, Records

GRID_STEPS = 120
"""Steps of 6 %: half of one is what is not certified, in the mean, though it might have been."""
GRID_SPAN = 1000
_MILLIONTHS = 10**6
_INTERVAL_RISK = 0.05
ROUNDED = 1 + 1e-12


class Goal(StrEnum):
    """What is bounded: the mean loss in minor units, or the share of wrong decisions that nobody looked at."""

    LOSS = "loss"
    RATE = "rate"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner states, as numbers.

    Attributes:
        budget: The acceptable mean loss of a decision, in minor units; of the goal ``rate``, the share of wrong ones.
        risk: With which probability it may be exceeded.
        review_cost: Of one review, in minor units.
        cap: The greatest exposure that may go by itself, in minor units.
        worst: The most that one decision may count: the greatest loss over its propensity; of ``rate``, 1 over it.
        grid: The thresholds, strict to loose.
        goal: What is bounded.
        heaviest: The most that one decision may count where decisions are counted: 1 over the least propensity.
        smaller: Smaller caps, ascending, each with its own ``worst``: what may be offered instead.
    """

    budget: Fraction
    risk: Fraction
    review_cost: int
    cap: int
    worst: Fraction
    grid: tuple[Fraction, ...]
    goal: Goal = Goal.LOSS
    heaviest: Fraction = Fraction(1)
    smaller: tuple[tuple[int, Fraction], ...] = ()

    @property
    def bound(self) -> float:
        """The budget as a share of the most that one decision may count, rounded down; 1 where nothing can be lost."""
        return 1.0 if self.worst <= 0 else float(np.nextafter(float(self.budget / self.worst), 0.0))


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """One threshold on the test's data.

    Attributes:
        threshold: In minor units.
        p_value: Of the hypothesis that the budget is exceeded.
        automatic: Which share of the decisions goes by itself.
        loss: The mean loss of a decision, in minor units (or the share of wrong ones).
        low: The lower end of its own 95 % interval.
        high: The upper end.
        reviews: Which share goes to a person.
        cost: The mean cost of a decision in minor units: what is lost, and reviews with what they lose.
        passed: Whether this and all before it have a p-value of at most the risk.
    """

    threshold: Fraction
    p_value: float
    automatic: float
    loss: float
    low: float
    high: float
    reviews: float
    cost: float
    passed: bool


class Fitted(msgspec.Struct, frozen=True):
    """What confidences of one component version are worth in one segment."""

    component: int
    segment: int
    calibration: Calibration


class Certifiable(msgspec.Struct, frozen=True, kw_only=True):
    """What may be certified.

    Attributes:
        chosen: The loosest threshold that passed.
        tested: All of the grid, whatever became of them, for whoever looks at the curve.
        fitted: The calibrations, by component and segment.
        fits: How many decisions calibrated.
        tests: How many tested.
        passed_on: Of a cascade, above which expected loss of an answer it is known what came of asking the next one.
    """

    chosen: Threshold
    tested: tuple[Threshold, ...]
    fitted: tuple[Fitted, ...]
    fits: int
    tests: int
    passed_on: float | None = None


class Why(StrEnum):
    """Why nothing may be certified.

    ``few``: fewer outcomes than are needed even without one error. ``loss``: too much was lost even at the strictest
    threshold at which an answer goes by itself. ``none``: at no threshold one does. ``uncalibrated``: too few outcomes
    to know what any confidence is worth. ``beyond``: a loss was greater than what was declared to be the most.
    """

    FEW = "few"
    LOSS = "loss"
    NONE = "none"
    UNCALIBRATED = "uncalibrated"
    BEYOND = "beyond"


class NotCertifiable(msgspec.Struct, frozen=True, kw_only=True):
    """Why a person goes on deciding.

    Attributes:
        why: The reason.
        needed: How many outcomes the test would need if not one of them were wrong.
        tests: How many it has.
        fits: How many decisions calibrated.
        tested: As of what may be certified.
        fitted: The calibrations, by component and segment.
        greatest: The greatest loss over its propensity that was seen, in minor units.
    """

    why: Why
    needed: int
    tests: int
    fits: int
    tested: tuple[Threshold, ...]
    fitted: tuple[Fitted, ...]
    greatest: float


class Scored(msgspec.Struct, frozen=True):
    """Decisions by what is expected and what was.

    Attributes:
        score: What is compared with thresholds; infinite where a person decides in any case.
        lost: What counts against the budget if it goes by itself, over its propensity.
        wrong: 1 over its propensity where it was wrong, else 0.
        reviewed: What a review costs, with what it loses.
        fit: As of the records.
        in_turn: The same of each of those who were asked in turn; None: one is asked.
    """

    score: Floats
    lost: Floats
    wrong: Floats
    reviewed: Floats
    fit: Flags
    in_turn: InTurn | None = None

    @property
    def greatest(self) -> float:
        """The most that a decision counts, whoever of them answered."""
        ones = self.in_turn.lost if self.in_turn else ()
        return max(float(np.max(one, initial=0.0)) for one in (self.lost, *ones))


def make_grid(loosest: Fraction, steps: int = GRID_STEPS, span: int = GRID_SPAN) -> tuple[Fraction, ...]:
    """Thresholds in equal ratios, from ``loosest / span`` to ``loosest``, exact to a millionth of a minor unit.

    Args:
        loosest: What a review costs; beyond it a review is cheaper than what is expected to be lost.
        steps: How many there are beside the first.
        span: How many times stricter the first one is.
    """
    inner = (Fraction(int(float(loosest) * span ** (at / steps - 1) * _MILLIONTHS), _MILLIONTHS) for at in range(steps))
    return (*(one for one in inner if one > 0), loosest)


def certify(records: Records, terms: Terms) -> Certifiable | NotCertifiable:
    """The loosest threshold with which the budget holds, but for the risk; or why there is none.

    The order in which the decisions are given plays no part.
    """
    records = in_order(records)
    fitted = fit_calibrations(records)
    scored = score(records, terms, fitted)
    fits = int(np.sum(records.fit))
    tests = records.fit.size - fits
    greatest = scored.greatest
    beyond = greatest > float(terms.worst) * ROUNDED
    tested = () if beyond or not tests else walk_grid(scored, terms)
    passed = [one for one in tested if one.passed]
    if passed and passed[-1].automatic > 0:
        bar = scored.in_turn.passed_on if scored.in_turn else None
        return Certifiable(chosen=passed[-1], tested=tested, fitted=fitted, fits=fits, tests=tests, passed_on=bar)
    needed = needed_outcomes(terms.bound, float(terms.risk)) if 0 < terms.bound < 1 else 0
    return NotCertifiable(
        why=_why(
            beyond=beyond, few=tests < max(needed, 1), lost=any(one.automatic > 0 for one in tested), fitted=fitted
        ),
        needed=needed,
        tests=tests,
        fits=fits,
        tested=tested,
        fitted=fitted,
        greatest=greatest,
    )


def _why(*, beyond: bool, few: bool, lost: bool, fitted: tuple[Fitted, ...]) -> Why:
    if beyond:
        return Why.BEYOND
    if few:
        return Why.FEW
    if all(one.calibration.too_few for one in fitted):
        return Why.UNCALIBRATED
    return Why.LOSS if lost else Why.NONE


def in_order(records: Records) -> Records:
    """The same decisions in the order of the test, whatever order they were given in."""
    return records.only(np.lexsort((records.loss, records.stake, records.confidence, records.turn)))


def fit_calibrations(records: Records) -> tuple[Fitted, ...]:
    """What confidences are worth, by component version and segment, from the part that calibrates."""
    found: list[Fitted] = []
    steps = records.cascade.steps if records.cascade else (records,)
    known = [one.only(one.fit & one.observed & (one.segment >= 0)) for one in steps]
    said = [np.concatenate(one) for one in zip(*map(_said, known), strict=True)]
    component, segment = said[0].astype(np.int64), said[1].astype(np.int64)
    for pair in sorted(set(zip(component.tolist(), segment.tolist(), strict=True))):
        here = (component == pair[0]) & (segment == pair[1])
        confidence, wrong, weight = (one[here] for one in said[2:])
        found.append(Fitted(*pair, calibrate(confidence, wrong.astype(np.bool_), weight)))
    return tuple(found)


def _said(one: Records) -> tuple[Floats | Numbers | Flags, ...]:
    return one.component, one.segment, one.confidence, one.wrong, 1 / one.propensity


def score(records: Records, terms: Terms, fitted: tuple[Fitted, ...]) -> Scored:
    """Decisions by the loss that is expected of them, and what they cost either way."""
    scored = _score(records, terms, fitted)
    if records.cascade is None:
        return scored
    return msgspec.structs.replace(scored, in_turn=_in_turn(records.cascade, scored.fit, terms, fitted))


def _in_turn(cascade: Cascade, fit: Flags, terms: Terms, fitted: tuple[Fitted, ...]) -> InTurn:
    steps = [_score(one, terms, fitted) for one in cascade.steps]
    scores = tuple(one.score for one in steps)
    return InTurn(
        scores=scores,
        lost=tuple(one.lost for one in steps),
        wrong=tuple(one.wrong for one in steps),
        goes=cascade.goes,
        unasked=cascade.unasked,
        always=cascade.always,
        worst=1.0 if terms.goal is Goal.RATE else float(cascade.worst),
        passed_on=passed_on(scores, cascade.unasked & fit, int(np.sum(fit))),
    )


def gone(scored: Scored, threshold: float) -> Gone:
    """What goes by itself at a threshold, and what of it is lost and is wrong."""
    if scored.in_turn is not None:
        return gone_in_turn(scored.in_turn, threshold)
    alone = scored.score <= threshold
    return Gone(alone, np.where(alone, scored.lost, 0.0), np.where(alone, scored.wrong, 0.0))


def _score(records: Records, terms: Terms, fitted: tuple[Fitted, ...]) -> Scored:
    wrong = wrong_by(records.confidence, records.component, records.segment, fitted)
    wrong[records.segment == EVERYWHERE] = 0.0
    open_ = np.isfinite(wrong) & (records.exposure >= 0) & (records.exposure <= terms.cap)
    rate = terms.goal is Goal.RATE
    expected = np.where(open_, wrong, 0.0) * records.stake  # also of a rate: more at stake never goes more easily
    bad = np.where(open_ & records.wrong, records.weight, 0.0)
    return Scored(
        np.where(open_, expected, np.inf),
        bad if rate else bad * records.loss.astype(np.float64),
        bad,
        terms.review_cost + np.where(records.observed & ~records.wrong, records.weight * records.needless, 0.0),
        records.fit,
    )


def wrong_by(confidence: Floats, component: Numbers, segment: Numbers, fitted: tuple[Fitted, ...]) -> Floats:
    """p(wrong) of each; infinite where too little is known, of the pair or of so little confidence."""
    found = np.full(confidence.shape, np.inf)
    for one in fitted:
        if one.calibration.too_few:
            continue
        here = (component == one.component) & (segment == one.segment)
        here &= confidence >= one.calibration.steps[0].confidence
        found[here] = one.calibration.wrong_at(confidence[here])
    return found


def walk_grid(scored: Scored, terms: Terms) -> tuple[Threshold, ...]:
    """Every threshold on the test's data; the bets come from the part that calibrates."""
    found: list[Threshold] = []
    before: Gone | None = None
    passing = True
    for threshold in terms.grid:
        went = gone(scored, float(threshold))
        same = before is not None and all(map(np.array_equal, before, went))  # then it comes out the same
        one = found[-1] if same else _test(scored, terms, threshold, went)
        passing = passing and one.p_value <= terms.risk
        found.append(msgspec.structs.replace(one, threshold=threshold, passed=passing))
        before = went
    return tuple(found)


def _test(scored: Scored, terms: Terms, threshold: Fraction, went: Gone) -> Threshold:
    worst = float(terms.worst) or 1.0
    alone, lost, _ = went
    fits = int(np.sum(scored.fit))
    tests = scored.fit.size - fits
    x = np.minimum(lost / worst, 1.0)
    fit, ordered = x[scored.fit], x[~scored.fit]
    bets = choose_bets(fit[fit > 0], tests, zeros=int(np.sum(fit == 0)))
    test = ordered[ordered > 0]
    zeros = tests - test.size
    low, high = mean_interval(test, _INTERVAL_RISK, zeros=zeros)
    automatic = int(np.sum(alone & ~scored.fit)) / tests
    loss = float(np.sum(np.sort(test))) * worst / tests
    reviews = float(np.sum(np.sort(scored.reviewed[~alone & ~scored.fit]))) / tests
    return Threshold(
        threshold=threshold,
        p_value=p_value(ordered, terms.bound, bets),
        automatic=automatic,
        loss=loss,
        low=low * worst,
        high=high * worst,
        reviews=1 - automatic,
        cost=reviews + (loss if terms.goal is Goal.LOSS else 0.0),
        passed=False,
    )

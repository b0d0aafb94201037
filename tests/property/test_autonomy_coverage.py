"""Simulations with a truth that is known: how often what is promised does not hold, over 2,000 runs.

A violation is a certified threshold whose true mean loss is above the budget. Losses are those of the harshest kind for
such tests: rare and as large as they may be. ``pytest -s --long`` prints the figures that the documentation tells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from interlock.autonomy.betting import Bets, Floats, best_e_value, choose_bets, mixed, passes
from interlock.autonomy.calibration import Flags
from interlock.autonomy.certify import Certifiable, NotCertifiable, Terms, certify, make_grid
from interlock.autonomy.estimate import doubly_robust
from interlock.autonomy.monitor import begin, crossed, outcomes_to_find, path, step, watching_bets
from interlock.autonomy.offer import offer
from interlock.autonomy.records import Records
from interlock.oversight.binomial import interval

RUNS = 2_000
WHOLE = 500
"""Runs of the long form, each of which calibrates, too."""
RISK = 0.1
THRESHOLDS = np.linspace(0.005, 0.1, 12)
BUDGET = 0.012
"""As a share of the greatest loss; the third threshold keeps to it."""


def true_loss(threshold: float) -> float:
    """Scores are uniform in [0, 0.2] and true, and a loss is 1: the mean over all decisions."""
    return 0.5 * threshold * threshold / 0.2


@dataclass(frozen=True)
class Looks:
    """How outcomes become known.

    Attributes:
        propensity: Of those that would go by themselves.
        weighted: Whether values count over their propensity.
        seen: What changes it in secret where a loss came, if nobody drew by chance.
    """

    propensity: float = 1.0
    weighted: bool = True
    seen: float = 1.0


def violations(looks: Looks, decisions: int, budget: float = BUDGET) -> tuple[float, float]:
    """The share of runs whose certified threshold loses more than the budget, and of those that certify something."""
    drawn = np.random.default_rng(5)
    scores = drawn.uniform(0, 0.2, (RUNS, decisions)).astype(np.float32)
    lost = drawn.random((RUNS, decisions), dtype=np.float32) < scores
    known = drawn.random((RUNS, decisions), dtype=np.float32) < looks.propensity * np.where(lost, looks.seen, 1.0)
    weight = 1 / looks.propensity if looks.weighted else 1.0
    worst = 1 / looks.propensity
    chosen = np.zeros(RUNS)
    going = np.ones(RUNS, bool)
    for threshold in THRESHOLDS:
        some = (scores <= threshold) & lost & known
        x, before = _packed(some, weight / worst, budget / worst)
        count = decisions if looks.weighted else int(decisions * np.mean(known))
        first = x[0][: int(np.sum(some[0]))]
        bets = choose_bets(first, count, zeros=count - first.size)
        # unweighted, what was not seen is left out: of the zeros their mean part
        logs = best_e_value(x[1:], before[1:] * (count / decisions), budget / worst, bets)
        going[1:] &= logs >= -math.log(RISK)
        chosen[going] = threshold
    wrong = chosen[1:] > math.sqrt(budget * 0.4) * (1 + 1e-12)
    return float(np.mean(wrong)), float(np.mean(chosen[1:] > 0))


def _packed(some: Flags, value: float, nothing: float) -> tuple[Floats, Floats]:
    """The losses of each row in their order, with the zeros before each and after the last; filled with no change."""
    rows, columns = np.nonzero(some)
    counts = np.bincount(rows, minlength=some.shape[0])
    width = max(1, int(np.max(counts)))
    rank = np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)
    x = np.full((some.shape[0], width), nothing)
    x[rows, rank] = value
    place = np.full((some.shape[0], width + 2), some.shape[1], np.int64)
    place[:, 0] = -1
    place[rows, rank + 1] = columns
    return x, np.maximum(np.diff(place, axis=1) - 1.0, 0.0)


def within(share: float, risk: float = RISK, runs: int = RUNS) -> bool:
    """Whether a share of runs is at most the risk, but for chance."""
    return interval(round(share * runs), runs).low <= risk


def told(what: str, **figures: float) -> None:
    """Print what came out."""
    print(f"\n{what}: {', '.join(f'{name} {figure:.4g}' for name, figure in figures.items())}")  # noqa: T201 - figures


def test_what_is_certified_fails_no_more_often_than_said() -> None:
    share, some = violations(Looks(), 1_500)
    told("every outcome known", violations=share, certified=some)
    assert within(share)
    assert RISK / 20 < share <= RISK
    assert some > 0.95


def test_outcomes_seen_more_often_of_good_ones_mislead_and_the_audit_sample_does_not() -> None:
    """Of the losses of what nobody looked at only every third is ever complained of."""
    misled, _ = violations(Looks(propensity=0.5, weighted=False, seen=1 / 3), 1_500)
    audited, some = violations(Looks(propensity=0.3), 4_000)
    told("losses seen a third as often", violations=misled)
    told("audit sample", violations=audited, certified=some)
    assert misled > 3 * RISK
    assert within(audited)
    assert some > 0.5


def test_a_monitor_gives_few_false_alarms_however_often_one_looks_and_finds_a_doubled_loss() -> None:
    drawn = np.random.default_rng(6)
    alpha, m, typical = 0.05, 0.01, 0.5
    bets = watching_bets(typical, m)
    runs, horizon = 400, 4_000
    x = np.where(drawn.random((runs, horizon)) < m / typical, typical, 0.0)
    money = path(x, m, bets)
    alarms = np.count_nonzero(money.max(axis=1) >= -math.log(alpha)) / runs
    lost = np.flatnonzero(x[0])
    assert at_losses(lost, typical, m, bets) == pytest.approx(money[0][lost])
    assert within(alarms, alpha, runs)
    assert alarms > 0.005
    twice = np.where(drawn.random((200, 2_500)) < 2 * m / typical, typical, 0.0)
    over = path(twice, m, bets) >= -math.log(alpha)
    first_at: np.ndarray[tuple[int], np.dtype[np.int64]] = np.argmax(over, axis=1)
    found = np.where(np.any(over, axis=1), first_at + 1, 10**9)
    said = outcomes_to_find(np.array([typical]), 2.0, m, bets, alpha)
    assert 0.6 * said < float(np.median(found)) < 1.6 * said
    assert math.isinf(outcomes_to_find(np.array([typical]), 1.0, m, bets, alpha))
    first = int(found[0])
    watch = step(begin(bets), twice[0, : first - 1].tolist(), m, bets)
    assert not crossed(watch, alpha)
    assert crossed(step(watch, (float(twice[0, first - 1]),), m, bets), alpha)


def at_losses(at: NDArray[np.intp], loss: float, m: float, bets: Bets) -> Floats:
    """The logarithm of the monitor's money after each loss, all of one size: between them it only falls."""
    sizes = np.asarray(bets.sizes)[:, None]
    lost = np.arange(1, at.size + 1, dtype=np.float64)
    before = at + 1 - lost
    return mixed(lost * np.log1p(sizes * (loss / m - 1)) + before * np.log1p(-sizes), bets)


def test_weighted_estimates_are_right_where_plain_ones_are_not() -> None:
    drawn = np.random.default_rng(7)
    covered = {"doubly robust": 0, "a wrong model": 0}
    wide = dict.fromkeys(covered, 0.0)
    runs, count, truth, plain = 25, 800, 0.25, 0.0
    for _ in range(runs):
        chance = drawn.uniform(0, 1, count)
        values = np.where(drawn.random(count) < 0.5 * chance, 1.0, 0.0)
        propensity = 0.9 - 0.7 * chance
        seen = drawn.random(count) < propensity
        plain += float(np.mean(values[seen])) / runs
        model = 0.5 * chance
        for name, found in (
            ("doubly robust", doubly_robust(model, values, seen, propensity)),
            ("a wrong model", doubly_robust(np.full(count, 0.9), values, seen, propensity)),
        ):
            covered[name] += found.low <= truth <= found.high
            wide[name] += found.high - found.low
    assert plain < truth - 0.03
    assert all(number >= 20 for number in covered.values()), covered
    assert wide["doubly robust"] < wide["a wrong model"]


def real_runs(runs: int, decisions: int, audit: float) -> tuple[int, int]:
    """Whole certificates, calibration and all: how many certify a loss above the budget, and how many anything."""
    drawn = np.random.default_rng(9)
    wrong_ones = some = 0
    review = 600
    sure_all = drawn.uniform(0.8, 1, 200_000)
    stake_all = drawn.integers(1_000, 20_000, 200_000)
    true_wrong = (1 - sure_all) ** 1.5
    asked = Terms(
        budget=Fraction(60), risk=Fraction(1, 10), review_cost=review, cap=20_000,
        worst=Fraction(20_000) / Fraction(audit), grid=make_grid(Fraction(review), steps=20),
    )  # fmt: skip
    for _ in range(runs):
        at = drawn.integers(0, 200_000, decisions)
        wrong = drawn.random(decisions) < true_wrong[at]
        nothing = np.zeros(decisions, np.int64)
        records = Records(
            confidence=sure_all[at], exposure=stake_all[at], stake=stake_all[at], wrong=wrong,
            loss=np.where(wrong, stake_all[at], 0), needless=nothing, propensity=np.full(decisions, audit),
            observed=drawn.random(decisions) < audit, component=nothing, segment=nothing,
            fit=drawn.random(decisions) < 1 / 3, turn=np.arange(decisions),
        )  # fmt: skip
        found = certify(records, asked)
        if isinstance(found, Certifiable) and passes(-math.log(found.chosen.p_value), 0.1):
            some += 1
            alone = found.fitted[0].calibration.wrong_at(sure_all) * stake_all <= float(found.chosen.threshold)
            wrong_ones += float(np.mean(alone * true_wrong * stake_all)) > 60
    return wrong_ones, some


def test_whole_certificates_hold_too() -> None:
    wrong_ones, some = real_runs(8, 3_000, 1.0)
    assert within(wrong_ones / 8, 0.1, 8)
    assert some > 5


@pytest.mark.long
def test_whole_certificates_hold_over_many_runs_with_an_audit_sample() -> None:
    for decisions, audit in ((3_000, 1.0), (12_000, 0.3)):
        wrong_ones, some = real_runs(WHOLE, decisions, audit)
        told(f"whole certificates, {audit:.0%} known", violations=wrong_ones / WHOLE, certified=some / WHOLE)
        assert within(wrong_ones / WHOLE, 0.1, WHOLE)
        assert some > WHOLE / 2


@pytest.mark.long
def test_a_monitor_gives_few_false_alarms_over_a_hundred_thousand_outcomes() -> None:
    drawn = np.random.default_rng(10)
    m, typical = 0.005, 0.4
    bets = watching_bets(typical, m)
    alarms = 0
    for _ in range(RUNS):
        at = np.flatnonzero(drawn.random(100_000, dtype=np.float32) < m / typical)
        alarms += float(np.max(at_losses(at, typical, m, bets), initial=0.0)) >= math.log(20)
    share = alarms / RUNS
    told("monitor over 100,000 outcomes", alarms=share)
    assert within(share, 0.05)
    assert share > 0.005


@pytest.mark.long
def test_a_monitor_finds_a_greater_loss_after_few_losses_that_are_seen() -> None:
    drawn = np.random.default_rng(12)
    m, typical, longest = 0.005, 0.4, 400
    bets = watching_bets(typical, m)
    for times, most in ((1.5, 45), (2.0, 18), (4.0, 7)):
        waits = drawn.geometric(times * m / typical, (RUNS, longest))
        over = np.array([at_losses(np.cumsum(one) - 1, typical, m, bets) for one in waits]) >= math.log(20)
        found = float(np.median(np.where(over.any(axis=1), over.argmax(axis=1) + 1, longest + 1)))
        told(f"loss {times} times the budget", losses_seen_until_found=found, found=float(np.mean(over.any(axis=1))))
        assert found <= most


@pytest.mark.long
def test_what_is_offered_instead_holds_together() -> None:
    drawn = np.random.default_rng(11)
    sure, stake = drawn.uniform(0.8, 1, 100_000), drawn.integers(500, 20_000, 100_000)
    chance = (1 - sure) ** 1.5
    asked = Terms(
        budget=Fraction(20), risk=Fraction(1, 5), review_cost=600, cap=20_000, worst=Fraction(20_000),
        grid=make_grid(Fraction(600), steps=20),
        smaller=tuple((20_000 >> halved, Fraction(20_000 >> halved)) for halved in range(5, 0, -1)),
    )  # fmt: skip
    runs, bad, offered = 250, 0, 0
    for _ in range(runs):
        at = drawn.integers(0, sure.size, 2_000)
        wrong = drawn.random(at.size) < chance[at]
        nothing = np.zeros(at.size, np.int64)
        records = Records(
            confidence=sure[at], exposure=stake[at], stake=stake[at], wrong=wrong, loss=np.where(wrong, stake[at], 0),
            needless=nothing, propensity=np.ones(at.size), observed=np.ones(at.size, bool), component=nothing,
            segment=nothing, fit=drawn.random(at.size) < 1 / 3, turn=np.arange(at.size),
        )  # fmt: skip
        refused = certify(records, asked)
        assert isinstance(refused, NotCertifiable)
        instead = offer(records, asked, refused)
        assert instead is not None
        assert instead.lower_cap is not None
        expected = refused.fitted[0].calibration.wrong_at(sure) * stake
        capped = (expected <= float(instead.lower_cap.chosen.threshold)) & (stake <= instead.lower_cap.cap)
        over = float(np.mean(capped * chance * stake)) > float(asked.budget)
        if instead.rate is not None:
            offered += 1
            loose = (expected <= float(instead.rate.chosen.threshold)) & (stake <= asked.cap)
            over |= float(np.mean(loose * chance)) > instead.rate.rate
        bad += over
    told("offered instead", violations=bad / runs, rates=offered / runs)
    assert offered > 0.8 * runs
    assert within(bad / runs, 0.2, runs)

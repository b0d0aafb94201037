from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.autonomy.certify import (
    Certifiable,
    Goal,
    NotCertifiable,
    Terms,
    Why,
    certify,
    fit_calibrations,
    make_grid,
    score,
)
from interlock.autonomy.offer import offer
from interlock.autonomy.records import Records, is_fit, turn_of
from interlock.errors import Refused

CAP = 100_000
COST = 1_500
GRID = make_grid(Fraction(COST), steps=12)


def made(seed: int, count: int = 1500, *, honest: float = 1.0, **changed: object) -> Records:
    """Decisions of two components in one segment; the wrong share is (1 - confidence) * honest."""
    drawn = np.random.default_rng(seed)
    sure = drawn.uniform(0.7, 1, count)
    exposure = drawn.integers(0, 120_000, count)
    wrong = drawn.random(count) < (1 - sure) * honest
    columns: dict[str, object] = {
        "confidence": sure,
        "exposure": exposure,
        "stake": exposure,
        "wrong": wrong,
        "loss": np.where(wrong, exposure, 0),
        "needless": np.zeros(count, np.int64),
        "propensity": np.ones(count),
        "observed": np.ones(count, bool),
        "component": drawn.integers(0, 2, count),
        "segment": np.zeros(count, np.int64),
        "fit": drawn.random(count) < 1 / 3,
        "turn": drawn.permutation(count),
    }
    return Records(**(columns | changed))  # pyright: ignore[reportArgumentType]


def terms(budget: Fraction = Fraction(1_500), risk: Fraction = Fraction(1, 20), **changed: object) -> Terms:
    given_ = Terms(
        budget=budget, risk=risk, review_cost=COST, cap=CAP, worst=Fraction(CAP), grid=GRID,
        smaller=tuple((CAP // 2**at, Fraction(CAP // 2**at)) for at in range(7, 0, -1)),
    )  # fmt: skip
    return msgspec.structs.replace(given_, **changed)


def threshold(found: Certifiable | NotCertifiable) -> Fraction:
    return found.chosen.threshold if isinstance(found, Certifiable) else Fraction(0)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6), st.integers(50, 4_000), st.integers(50, 4_000), st.integers(2, 50), st.integers(2, 50))
def test_a_stricter_budget_or_risk_never_automates_more(seed: int, one: int, other: int, odds: int, more: int) -> None:
    records = made(seed, 900)
    strict, loose = sorted((Fraction(one), Fraction(other)))
    low, high = Fraction(1, odds + more), Fraction(1, odds)
    assert threshold(certify(records, terms(strict, low))) <= threshold(certify(records, terms(loose, low)))
    assert threshold(certify(records, terms(strict, low))) <= threshold(certify(records, terms(strict, high)))


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 10**6))
def test_the_order_of_the_data_plays_no_part(seed: int) -> None:
    records = made(seed, 900)
    again = np.random.default_rng(seed).permutation(900)
    mixed = records.only(again)
    assert certify(records, terms()) == certify(mixed, terms())
    few = certify(records, terms(Fraction(50)))
    assert isinstance(few, NotCertifiable)
    assert offer(records, terms(Fraction(50)), few) == offer(mixed, terms(Fraction(50)), few)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.integers(-5, 120_000), st.integers(0, 50_000))
def test_more_confidence_never_has_a_worse_score_and_more_exposure_never_a_better_one(
    one: float, other: float, exposure: int, more: int
) -> None:
    known = made(7)
    less, sure = sorted((one, other))
    asked = made(
        0, 4, confidence=np.array([less, sure, less, less]),
        exposure=np.array([exposure, exposure, exposure, exposure + more]),
        stake=np.maximum([exposure, exposure, exposure, exposure + more], 0),
        wrong=np.zeros(4, bool), loss=np.zeros(4, np.int64), component=np.zeros(4, np.int64),
    )  # fmt: skip
    scores = score(asked, terms(), fit_calibrations(known)).score
    assert scores[1] <= scores[0]
    assert scores[3] >= scores[2] or exposure < 0
    if exposure < 0 or exposure > CAP:
        assert np.all(np.isinf(scores[:3]))


def test_a_certificate_bounds_money_and_shows_its_curve() -> None:
    found = certify(made(1, 6000, honest=0.2), terms())
    assert isinstance(found, Certifiable)
    assert found.chosen.automatic > 0.4
    assert found.chosen.loss <= found.chosen.high
    assert found.chosen.loss < 1_500
    assert found.chosen.cost == pytest.approx(found.chosen.loss + COST * found.chosen.reviews)
    shares = [one.automatic for one in found.tested]
    assert shares == sorted(shares)
    assert [one.passed for one in found.tested] == sorted((one.passed for one in found.tested), reverse=True)
    assert len(found.tested) == len(GRID)
    assert found.fits + found.tests == 6000


def test_why_nothing_is_certified_is_told_with_the_number_that_is_needed() -> None:
    records = made(2)
    few = certify(records, terms(Fraction(100)))
    assert isinstance(few, NotCertifiable)
    assert (few.why, few.needed > few.tests) == (Why.FEW, True)
    instead = offer(records, terms(Fraction(100)), few)
    assert instead is not None
    assert instead.largest is not None
    assert instead.largest < CAP
    assert instead.lower_cap is not None
    assert instead.lower_cap.cap <= instead.largest
    assert instead.lower_cap.chosen.automatic > 0
    assert instead.rate is not None
    assert 0 < instead.rate.rate < 0.2
    taken = terms(instead.rate.rate, goal=Goal.RATE, worst=Fraction(1), risk=terms().risk / 2)
    again = certify(records, taken)
    assert isinstance(again, Certifiable)
    assert again.chosen == instead.rate.chosen
    everything = np.ones(1500, bool)
    large = np.full(1500, 2_000)
    hopeless = made(3, wrong=everything, confidence=np.full(1500, 0.9), exposure=large, stake=large, loss=large)
    assert getattr(certify(hopeless, terms(Fraction(2_000))), "why", None) is Why.NONE
    turned = np.arange(1500) >= 500
    worse = made(3, exposure=large, stake=large, fit=~turned, wrong=turned, loss=np.where(turned, large, 0))
    assert getattr(certify(worse, terms(Fraction(500))), "why", None) is Why.LOSS
    beyond = certify(records, terms(worst=Fraction(CAP // 2)))
    assert isinstance(beyond, NotCertifiable)
    assert (beyond.why, beyond.greatest > CAP // 2) == (Why.BEYOND, True)
    harmless = made(2, loss=np.zeros(1500, np.int64), stake=np.zeros(1500, np.int64))
    assert isinstance(certify(harmless, terms(worst=Fraction(0))), Certifiable)
    nobody = certify(records, terms(Fraction(0)))
    assert isinstance(nobody, NotCertifiable)
    unknown = made(4, fit=np.arange(1500) < 90)
    assert getattr(certify(unknown, terms()), "why", None) is Why.UNCALIBRATED
    assert getattr(certify(made(5, fit=everything), terms()), "why", None) is Why.FEW


def test_what_is_not_known_goes_to_a_person() -> None:
    records = made(6)
    found = fit_calibrations(records)
    odd = made(
        6, 4, exposure=np.array([-1, CAP + 1, 10, 10]), stake=np.array([0, CAP + 1, 10, 10]),
        segment=np.array([0, 0, -1, 0]), component=np.array([0, 0, 0, 9]),
        wrong=np.zeros(4, bool), loss=np.zeros(4, np.int64),
    )  # fmt: skip
    assert np.all(np.isinf(score(odd, terms(), found).score))


def test_thresholds_are_near_one_another_and_end_where_a_review_is_cheaper() -> None:
    grid = make_grid(Fraction(COST))
    assert (grid[0], grid[-1]) == (Fraction(COST, 1000), COST)
    assert all(one < other < one * Fraction(106, 100) for one, other in pairwise(grid))


def test_a_rate_of_wrong_decisions_is_certified_whatever_they_cost() -> None:
    asked = terms(Fraction(1, 20), goal=Goal.RATE, worst=Fraction(1))
    found = certify(made(8, 4000), asked)
    assert isinstance(found, Certifiable)
    assert 0 < found.chosen.loss < 0.05
    assert found.chosen.cost == COST * found.chosen.reviews


def test_columns_that_do_not_fit_are_refused_by_name() -> None:
    with pytest.raises(Refused, match="different length"):
        made(1, 10, fit=np.ones(9, bool))
    with pytest.raises(Refused, match="propensity that is not above 0"):
        made(1, 10, propensity=np.zeros(10))
    with pytest.raises(Refused, match="loss that is not 0 where the answer was right"):
        made(1, 10, loss=np.ones(10, np.int64), wrong=np.zeros(10, bool))


def test_the_parts_are_drawn_by_a_key_and_stay() -> None:
    ids = [b"%d" % at for at in range(3000)]
    parts = [is_fit(one, b"key", Fraction(1, 4)) for one in ids]
    assert 650 < sum(parts) < 850
    assert parts == [is_fit(one, b"key", Fraction(1, 4)) for one in ids]
    assert parts != [is_fit(one, b"other", Fraction(1, 4)) for one in ids]
    turns = [turn_of(one, b"key") for one in ids]
    assert len(set(turns)) == 3000
    assert 0 <= min(turns) < max(turns) < 2**63
    assert not any(is_fit(one, b"key", Fraction(0)) for one in ids)

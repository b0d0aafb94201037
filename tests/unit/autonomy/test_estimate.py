from __future__ import annotations

import math

import numpy as np
import pytest

from interlock.autonomy.estimate import bernstein, bounds, doubly_robust, normal, ratio, weighted

VALUES = np.array([4.0, 0.0, 8.0, 99.0])
SEEN = np.array([True, True, True, False])
CHANCE = np.array([0.5, 1.0, 0.8, 0.25])


def test_each_mean_is_what_its_formula_says() -> None:
    assert weighted(VALUES, SEEN, CHANCE, 20.0).mean == pytest.approx((8 + 0 + 10) / 4)
    assert ratio(VALUES, SEEN, CHANCE).mean == pytest.approx((8 + 0 + 10) / (2 + 1 + 1.25))
    model = np.array([1.0, 2.0, 3.0, 4.0])
    found = doubly_robust(model, VALUES, SEEN, CHANCE)
    assert found.mean == pytest.approx((1 + 6 + 2 - 2 + 3 + 6.25 + 4) / 4)
    assert found.low < found.mean < found.high
    assert bernstein(VALUES, 0.0, 100.0).mean == pytest.approx(27.75)


def test_what_was_not_seen_may_be_nothing_or_all_of_it() -> None:
    assert bounds(VALUES, SEEN, np.full(4, 20.0)) == (3.0, 8.0)
    assert bounds(VALUES[:0], SEEN[:0], VALUES[:0]) == (0.0, 0.0)


def test_of_nothing_nothing_is_known() -> None:
    nothing, unseen = VALUES[:0], np.zeros(4, bool)
    assert weighted(nothing, SEEN[:0], nothing, 5.0).high == 5
    assert ratio(VALUES, unseen, CHANCE).high == math.inf
    assert normal(VALUES[:1]).low == -math.inf
    assert bernstein(nothing, 0.0, 9.0).high == 9


def test_intervals_narrow_with_numbers_and_with_risk() -> None:
    drawn = np.random.default_rng(1)
    x = drawn.random(2_000)
    few, many = bernstein(x[:200], 0, 1), bernstein(x, 0, 1)
    assert many.high - many.low < few.high - few.low
    assert bernstein(x, 0, 1, 0.01).high > many.high
    assert many.low < 0.5 < many.high
    sure, careful = normal(x), normal(x, 0.01)
    assert careful.low < sure.low < sure.mean < sure.high < careful.high
    all_seen = np.ones(2_000, bool)
    assert ratio(x[::-1], all_seen, np.ones(2_000)) == ratio(x, all_seen, np.ones(2_000))

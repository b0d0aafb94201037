from __future__ import annotations

import math

import numpy as np
import pytest

from interlock.autonomy.estimate import doubly_robust, normal

VALUES = np.array([4.0, 0.0, 8.0, 99.0])
SEEN = np.array([True, True, True, False])
CHANCE = np.array([0.5, 1.0, 0.8, 0.25])


def test_the_mean_is_what_its_formula_says() -> None:
    model = np.array([1.0, 2.0, 3.0, 4.0])
    found = doubly_robust(model, VALUES, SEEN, CHANCE)
    assert found.mean == pytest.approx((1 + 6 + 2 - 2 + 3 + 6.25 + 4) / 4)
    assert found.low < found.mean < found.high


def test_intervals_narrow_with_risk_and_of_one_value_nothing_is_known() -> None:
    assert normal(VALUES[:1]).low == -math.inf
    x = np.random.default_rng(1).random(2_000)
    sure, careful = normal(x), normal(x, 0.01)
    assert careful.low < sure.low < sure.mean < sure.high < careful.high

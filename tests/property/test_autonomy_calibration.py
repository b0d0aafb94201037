from __future__ import annotations

import importlib
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.autonomy.calibration import FEWEST, Method, calibrate, fit
from interlock.autonomy.certificate import Certified
from interlock.autonomy.reliability import calibration_error, effective, reliability, weighted_share
from interlock.oversight.binomial import interval

seen = st.lists(
    st.tuples(st.sampled_from([0.0, 0.3, 0.5, 0.7, 0.9, 0.99, 1.0]) | st.floats(0, 1), st.booleans()),
    min_size=1,
    max_size=60,
)
library: Any = importlib.import_module("scipy.optimize")
methods: list[Method] = ["isotonic", "platt"]


@settings(max_examples=60)
@given(seen, st.floats(0, 1), st.floats(0, 1), st.integers(0, 9))
def test_more_confidence_is_never_more_probably_wrong(
    given_: list[tuple[float, bool]], one: float, other: float, seed: int
) -> None:
    sure = np.array([confidence for confidence, _ in given_])
    wrong = np.array([bad for _, bad in given_])
    found = calibrate(sure, wrong)
    less, more = found.wrong_at(np.array(sorted((one, other)))).tolist()
    assert 0 < more <= less <= 1
    again = np.random.default_rng(seed).permutation(sure.size)
    assert calibrate(sure[again], wrong[again]) == found


@settings(max_examples=60)
@given(seen)
def test_either_way_falls_from_step_to_step_and_is_never_nothing(given_: list[tuple[float, bool]]) -> None:
    sure = np.array([confidence for confidence, _ in given_])
    wrong = np.array([bad for _, bad in given_])
    for method in methods:
        steps = fit(method, sure, wrong, np.ones(sure.size))
        assert steps[0].confidence <= float(np.min(sure)) + 1e-12
        for before, after in pairwise(steps):
            assert before.confidence < after.confidence
            assert before.wrong > after.wrong > 0


def test_steps_of_many_outcomes_are_those_of_isotonic_regression() -> None:
    drawn = np.random.default_rng(1)
    place = drawn.integers(0, 10, 100_000)
    wrong = drawn.random(place.size) < np.array([0.9, 0.6, 0.7, 0.5, 0.4, 0.42, 0.41, 0.2, 0.05, 0.06])[place]
    counts = np.bincount(place)
    levels: list[float] = library.isotonic_regression(
        np.bincount(place, weights=wrong) / counts, weights=counts, increasing=False
    ).x.tolist()
    steps = fit("isotonic", place / 10, wrong, np.ones(place.size))
    said = Certified(component="a", digest="", segment="", method="isotonic", steps=steps, decisions=1, wrong=0)
    assert len(steps) == len(set(levels)) < 10
    assert all(abs((said.wrong_at(at / 10) or 0) - level) < 1e-3 for at, level in enumerate(levels))


def test_both_ways_find_a_known_truth_also_where_outcomes_are_seen_unequally() -> None:
    drawn = np.random.default_rng(2)
    sure = drawn.uniform(0.5, 1, 40_000)
    wrong = drawn.random(sure.size) > 1 - 0.6 * (1 - sure)
    chance = np.where(wrong, 0.2, 0.9)
    kept = drawn.random(sure.size) < chance
    at = np.array([0.6, 0.75, 0.9])
    for method in methods:
        steps = fit(method, sure[kept], wrong[kept], 1 / chance[kept])
        values = np.array([step.wrong for step in steps])
        found = values[np.searchsorted([step.confidence for step in steps], at, side="right") - 1]
        assert np.max(np.abs(found - 0.6 * (1 - at))) < 0.05, method


def test_too_few_outcomes_are_flagged_and_the_better_way_is_taken() -> None:
    drawn = np.random.default_rng(3)
    sure = drawn.uniform(0, 1, 4000)
    stepped = drawn.random(4000) < np.where(sure > 0.5, 0.02, 0.6)
    curved = drawn.random(4000) < 1 - sure
    assert calibrate(sure, stepped).method == "isotonic"
    assert calibrate(sure, curved).method == "platt"
    assert not calibrate(sure[:FEWEST], curved[:FEWEST]).too_few
    assert calibrate(sure[: FEWEST - 1], curved[: FEWEST - 1]).too_few
    assert calibrate(sure[:FEWEST], curved[:FEWEST], np.linspace(1, 50, FEWEST)).too_few
    assert calibrate(np.empty(0), np.empty(0, bool)).steps == ()
    assert calibrate(sure, np.zeros(4000, bool)).wrong_at(np.array([0.9])) > 0


def test_reliability_and_its_error_know_what_they_do_not_know() -> None:
    drawn = np.random.default_rng(4)
    sure = drawn.uniform(0.5, 1, 4000)
    right = drawn.random(4000) < sure
    bins = reliability(sure, right)
    assert len(bins) == 10
    assert sum(one.decisions for one in bins) == 4000
    assert sum(one.right.low <= one.confidence <= one.right.high for one in bins) >= 8
    honest, boastful = calibration_error(sure, right), calibration_error(np.full(4000, 0.99), right)
    assert honest.value < 0.03
    assert 0.2 < boastful.low <= boastful.value <= boastful.high
    assert calibration_error(sure[::-1], right[::-1]) == honest
    assert len(reliability(np.full(50, 0.9), right[:50])) == 1
    assert reliability(np.empty(0), np.empty(0, bool)) == ()
    assert calibration_error(sure[:0], right[:0]).high == 1


def test_reliability_from_a_sample_is_that_of_all_decisions_and_its_interval_holds() -> None:
    drawn = np.random.default_rng(5)
    held = above = shares = bins_seen = 0
    runs, number = 60, 3000
    for at in range(runs):
        sure = drawn.uniform(0.5, 1, number)
        truth = sure - 0.08 * (at % 2)  # every other run: perfect, or always too sure by 0.08
        right = drawn.random(number) < truth
        chance = np.where(sure > 0.8, 0.05, 0.5)  # the unsure are seen ten times as often
        seen_ = drawn.random(number) < chance
        weight = 1 / chance[seen_]
        error = calibration_error(sure[seen_], right[seen_], weight)
        true = 0.08 * (at % 2)
        held += error.low <= true + 1e-9 <= error.high + 2e-9
        above += error.low > true + 1e-9
        for one in reliability(sure[seen_], right[seen_], weight):
            inside = (sure >= one.least) & (sure <= one.most)
            shares += one.right.low <= float(np.mean(truth[inside])) <= one.right.high
            bins_seen += 1
            assert one.effective <= one.decisions + 1e-9
    assert above <= 0.05 * runs, "a low end above 0 is to say that the confidence is wrong"
    assert held >= 0.95 * runs
    assert shares >= 0.94 * bins_seen


def test_weights_take_off_what_sampling_puts_on() -> None:
    drawn = np.random.default_rng(6)
    sure = np.where(drawn.random(40_000) < 0.5, 0.6, 0.95)
    right = drawn.random(sure.size) < np.where(sure > 0.9, 0.95, 0.3)
    chance = np.where(sure > 0.9, 0.02, 0.8)  # those that are far off are seen most
    seen_ = drawn.random(sure.size) < chance
    weighed = calibration_error(sure[seen_], right[seen_], 1 / chance[seen_])
    plain = calibration_error(sure[seen_], right[seen_])
    assert weighed.low <= 0.15 <= weighed.high < 0.25 < plain.low
    assert effective(np.ones(50)) == 50
    assert effective(np.array([1.0, 1.0, 100.0])) < 1.1
    assert weighted_share(np.ones(40, bool), np.ones(40))[0] == interval(40, 40)
    whole, worth = weighted_share(right[seen_], 1 / chance[seen_])
    assert whole.low <= 0.625 <= whole.high
    assert worth < 0.2 * float(np.sum(seen_))

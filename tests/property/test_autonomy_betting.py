from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.autonomy.betting import (
    ALL_ROUND,
    BOLDEST,
    choose_bets,
    e_value,
    mean_interval,
    needed_outcomes,
    p_value,
    upper_bound,
)
from interlock.autonomy.monitor import begin, crossed, money, path, step, watching_bets

shares = st.lists(st.floats(0, 1), min_size=1, max_size=40)
bounds = st.floats(1e-4, 0.999)


@settings(max_examples=50)
@given(shares, bounds, bounds, st.permutations(range(40)))
def test_a_stricter_bound_has_no_smaller_p_value_and_no_order_is_worse_than_the_end(
    values: list[float], one: float, other: float, order: list[int]
) -> None:
    x = np.array(values)
    bets = choose_bets(x, x.size)
    strict, loose = sorted((one, other))
    assert p_value(x, strict, bets) >= p_value(x, loose, bets)
    mixed = x[[at for at in order if at < x.size]]
    assert choose_bets(mixed, x.size) == bets
    assert e_value(mixed, strict, bets) == e_value(x, strict, bets)
    assert -math.log(p_value(mixed, strict, bets)) >= float(e_value(x, strict, bets)) - 1e-6


@settings(max_examples=50)
@given(shares, bounds, st.integers(0, 39), st.floats(0, 1))
def test_a_greater_loss_never_has_a_smaller_p_value(values: list[float], m: float, at: int, more: float) -> None:
    x = np.array(values)
    worse = x.copy()
    worse[at % x.size] = max(x[at % x.size], more)
    assert p_value(worse, m, BOLDEST) >= p_value(x, m, BOLDEST)


@settings(max_examples=50)
@given(shares, bounds)
def test_an_e_value_is_the_mixture_of_its_products(values: list[float], m: float) -> None:
    x = np.array(values)
    wanted = sum(
        weight * math.prod(1 + size * (m - one) / (1 - m) for one in values)
        for size, weight in zip(ALL_ROUND.sizes, ALL_ROUND.weights, strict=True)
    )
    assert math.isclose(math.exp(float(e_value(x, m, ALL_ROUND))), wanted, rel_tol=1e-6)
    zeros = int(np.sum(x == 0))
    compact = e_value(x[x > 0], m, ALL_ROUND, zeros=zeros)
    assert math.isclose(float(compact), float(e_value(x, m, ALL_ROUND)), rel_tol=1e-9, abs_tol=1e-9)


@settings(max_examples=50)
@given(shares, bounds)
def test_the_p_value_is_one_over_the_greatest_wealth_there_ever_was(values: list[float], m: float) -> None:
    x = np.array(values)
    wealth = [math.exp(float(e_value(x[:end], m, ALL_ROUND))) for end in range(1, x.size + 1)]
    assert math.isclose(p_value(x, m, ALL_ROUND), 1 / max(1.0, *wealth), rel_tol=1e-6)


@settings(max_examples=40)
@given(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=2, max_size=5), st.floats(0, 1))
def test_in_the_mean_nothing_is_won_where_the_hypothesis_is_true(values: list[float], share: float) -> None:
    """Each value equally likely, two draws: the mean of K over all that may come is exactly its value."""
    m = float(np.mean(values)) * (0.01 + 0.99 * share)
    if not 0 < m < 1:
        return
    pairs = np.array([(one, other) for one in values for other in values])
    assert float(np.mean(np.exp(e_value(pairs, m, ALL_ROUND)))) <= 1 + 1e-9


@settings(max_examples=40)
@given(st.floats(1e-4, 0.5), st.floats(1e-3, 0.5))
def test_so_many_outcomes_without_an_error_pass_and_one_fewer_do_not(m: float, risk: float) -> None:
    needed = needed_outcomes(m, risk)
    assert p_value(np.zeros(needed), m, BOLDEST) <= risk
    assert p_value(np.zeros(needed - 1), m, BOLDEST) > risk
    assert needed >= math.log(1 / risk) / -math.log1p(-m) - 1e-6


@settings(max_examples=30)
@given(shares, st.floats(0.01, 0.5))
def test_the_mean_lies_in_its_interval_which_is_narrower_with_a_greater_risk(values: list[float], risk: float) -> None:
    x = np.array(values)
    low, high = mean_interval(x, risk)
    assert 0 <= low <= float(np.mean(x)) + 1e-9
    assert float(np.mean(x)) - 1e-9 <= high <= 1
    assert upper_bound(x, risk / 10) >= upper_bound(x, risk)


@given(st.lists(st.floats(0, 3), min_size=1, max_size=30), st.floats(1e-3, 0.5), st.floats(0.01, 1))
def test_a_monitor_is_the_same_however_outcomes_are_cut(values: list[float], m: float, typical: float) -> None:
    bets = watching_bets(typical, m)
    at_once = step(begin(bets), values, m, bets)
    watch = begin(bets)
    for value in values:
        watch = step(watch, (value,), m, bets)
    assert watch == at_once
    assert math.isclose(money(watch, bets), float(path(np.array(values), m, bets)[-1]), rel_tol=1e-9, abs_tol=1e-9)
    assert watch.count == len(values)
    assert crossed(watch, 0.05) == (watch.peak >= math.log(20))


@given(st.floats(1e-3, 0.4), st.floats(0.01, 1))
def test_what_has_crossed_stays_crossed(m: float, typical: float) -> None:
    bets = watching_bets(typical, m)
    watch = step(begin(bets), [1.0] * 60, m, bets)
    assert crossed(watch, 0.05)
    assert crossed(step(watch, [0.0] * 50, m, bets), 0.05)


def test_a_few_whole_losses_do_not_take_all_that_was_won() -> None:
    """Of 1,000 at a bound of 2 %, four whole losses are far below it, whatever was seen of them before."""
    order = np.random.default_rng(5)
    for seen in range(4):
        bets = choose_bets(np.ones(seen), 1000, zeros=500 - seen)
        for _ in range(20):
            x = order.permutation(np.repeat([1.0, 0.0], [4, 996]))
            assert p_value(x, 0.02, bets) <= 0.05

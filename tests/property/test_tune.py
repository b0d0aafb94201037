"""Tuning finds the cheapest cascade that keeps its promise: compared with trying every combination."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from interlock.decisions.tune import NEVER, Evaluations, outcome_of, tune
from interlock.oversight.binomial import at_most, interval

confidences = st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.9, 1.0])


@st.composite
def evaluations(draw: st.DrawFn) -> Evaluations:
    components = draw(st.integers(1, 3))
    row = st.tuples(*(st.tuples(confidences, st.booleans(), st.integers(0, 50)) for _ in range(components)))
    rows = draw(st.lists(row, min_size=1, max_size=25))
    return Evaluations(
        np.array([[one[0] for one in row] for row in rows], dtype=np.float64),
        np.array([[one[1] for one in row] for row in rows], dtype=np.bool_),
        np.array([[one[2] for one in row] for row in rows], dtype=np.int64),
    )


@given(evaluations(), st.fractions(0, 1, max_denominator=20), st.integers(0, 200), st.booleans())
def test_no_other_thresholds_keep_the_promise_for_less(
    found: Evaluations, error: Fraction, person: int, surely: bool  # noqa: FBT001 - drawn
) -> None:  # fmt: skip
    best = tune(found, error=error, person=person, surely=surely)
    assert best.wrong <= error * best.answered
    assert not surely or at_most(best.wrong, best.answered, error)
    assert best == outcome_of(found, [step.sure_from for step in best.steps], person)
    tried = [sorted({*found.confidence[:, place].tolist(), NEVER}) for place in range(found.components)]
    for thresholds in itertools.product(*tried):
        other = outcome_of(found, thresholds, person)
        if other.wrong <= error * other.answered and (not surely or at_most(other.wrong, other.answered, error)):
            assert best.cost <= other.cost


@given(evaluations(), st.integers(0, 200))
def test_every_example_is_decided_once_and_paid_for(found: Evaluations, person: int) -> None:
    outcome = outcome_of(found, [0.5] * found.components, person)
    assert sum(step.answered for step in outcome.steps) + outcome.person == found.examples
    left = found.examples
    for step in outcome.steps:
        assert step.asked == left
        assert step.wrong <= step.answered
        left -= step.answered
    assert outcome.person_cost == left * person


@given(st.integers(0, 60), st.integers(0, 60))
def test_an_interval_holds_what_was_observed_and_narrows(hits: int, misses: int) -> None:
    found = interval(hits, hits + misses)
    assert 0 <= found.low <= found.share <= found.high <= 1
    more = interval(hits * 4, (hits + misses) * 4)
    assert more.high - more.low <= found.high - found.low + 1e-9

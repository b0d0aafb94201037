"""Tuning a cascade: what it finds on data that are known, at scale, and what it refuses."""

from __future__ import annotations

import itertools
import json
import re
import time
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from interlock.decisions.evaluations import read_evaluations
from interlock.decisions.tune import NEVER, Evaluations, outcome_of, tune
from interlock.decisions.tuned import half_of, report_of, snippet_of, written
from interlock.errors import ManyRefused, Refused
from interlock.oversight.binomial import interval


def calibrated(examples: int, *costs: int) -> Evaluations:
    """Components that are as often right as they say, each later one surer, each with its cost."""
    random = np.random.default_rng(7)
    confidence = np.stack([random.beta(2 + 3 * place, 1, examples) for place in range(len(costs))], axis=1)
    correct = random.random(confidence.shape) < confidence
    return Evaluations(confidence, correct, np.tile(np.array(costs, dtype=np.int64), (examples, 1)))


@pytest.mark.parametrize(
    ("hits", "tries", "low", "high"),
    [  # the quantiles of the beta distribution, by scipy.stats.beta.ppf
        (0, 100, 0.0, 0.03621669),
        (3, 10, 0.06673951, 0.65245285),
        (5, 1000, 0.00162542, 0.01162947),
        (900, 1000, 0.87971206, 0.91789466),
        (7, 7, 0.59038360, 1.0),
        (500, 100000, 0.00457224, 0.00545684),
    ],
)
def test_intervals_are_those_of_clopper_and_pearson(hits: int, tries: int, low: float, high: float) -> None:
    found = interval(hits, tries)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-8), pytest.approx(high, abs=1e-8))


def test_a_cheap_component_answers_what_it_is_sure_of_and_the_dear_one_the_rest() -> None:
    found = calibrated(20_000, 1, 100)
    person = 10_000
    best = tune(found, error=Fraction(5, 100), person=person)
    cheap, dear = best.steps
    alone = outcome_of(found, [NEVER, 0.0], person)
    assert best.error.share <= 0.05
    assert cheap.asked == 20_000
    assert 0 < cheap.answered < 20_000
    assert 0 < dear.answered <= dear.asked < 20_000
    assert cheap.sure_from > 0.5
    assert alone.error.share > 0.05  # asking the dear one alone, with no threshold, is wrong more often
    no_cascade = tune(Evaluations(found.confidence[:, 1:], found.correct[:, 1:], found.cost[:, 1:]),
                      error=Fraction(5, 100), person=person)  # fmt: skip
    assert best.cost < no_cascade.cost


def test_to_be_sure_of_the_promise_more_is_left_to_people() -> None:
    found = calibrated(400, 1, 100)
    plain = tune(found, error=Fraction(5, 100), person=10_000)
    surely = tune(found, error=Fraction(5, 100), person=10_000, surely=True)
    assert plain.error.high > 0.05 >= surely.error.high
    assert surely.person > plain.person


def test_where_nothing_keeps_the_promise_people_decide_everything_and_nobody_is_asked() -> None:
    wrong = Evaluations(np.full((50, 2), 0.99), np.zeros((50, 2), dtype=np.bool_), np.full((50, 2), 5, dtype=np.int64))
    best = tune(wrong, error=Fraction(1, 100), person=7)
    assert (best.person, best.cost, [step.sure_from for step in best.steps]) == (50, 350, [NEVER, NEVER])
    assert (best.error.share, best.error.high) == (0, 1)


def test_amounts_stay_exact_where_floats_would_not() -> None:
    cost = np.array([[2**52 + 1], [2**52 + 1], [2**52 + 1]], dtype=np.int64)
    found = Evaluations(np.ones((3, 1)), np.ones((3, 1), dtype=np.bool_), cost)
    assert tune(found, error=Fraction(0), person=2**53).cost == 3 * (2**52 + 1)


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (Evaluations(np.ones((0, 2)), np.ones((0, 2), dtype=np.bool_), np.ones((0, 2), dtype=np.int64)), "nothing to"),
        (calibrated(3, *[1] * 7), "7 components are too many"),
        (calibrated(3, 2**61, 1), "more than can be counted"),
    ],
)
def test_what_cannot_be_tuned_is_refused(found: Evaluations, what: str) -> None:
    with pytest.raises(Refused, match=what):
        tune(found, error=Fraction(1, 100), person=1)


def test_a_hundred_thousand_examples_of_four_components_take_seconds() -> None:
    began = time.process_time()
    best = tune(calibrated(100_000, 1, 10, 100, 1000), error=Fraction(2, 100), person=10_000)
    assert best.error.share <= 0.02
    assert time.process_time() - began < 20


# -------------------------------------------------------------------------------------- files and reports

SMALL, BIG = "onnx:small@1", "llm:big@1"


def lines(*rows: Any) -> list[bytes]:
    return [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]


def example(small: Any = None, big: Any = None, **more: Any) -> dict[str, Any]:
    good = {"confidence": 0.5, "correct": True, "cost": "0.001 USD"}
    return {"components": {SMALL: small or good, BIG: big or good, **more}}


def test_a_file_of_evaluations_is_read_in_the_order_of_the_cascade() -> None:
    first = example(
        {"confidence": 1, "correct": False}, {"confidence": 0.25, "correct": True, "cost": "0.000000001 USD"}
    )
    found = read_evaluations(lines(first, b"", b"  \n", {**example(), "id": "r-2"}), [BIG, SMALL], "e.jsonl")
    assert found.confidence.tolist() == [[0.25, 1.0], [0.5, 0.5]]
    assert found.correct.tolist() == [[True, False], [True, True]]
    assert found.cost.tolist() == [[1, 0], [1_000_000, 1_000_000]]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (b"{", "truncated"),
        (b"\xff{}", "malformed"),
        ([], "Expected `object`"),
        ({"components": {SMALL: {"confidence": 1, "correct": True}}}, f"{BIG} is missing"),
        (example(**{"onnx:other@1": {"confidence": 1, "correct": True}}), "onnx:other@1 is no component"),
        (example({"confidence": 1.01, "correct": True}), "<= 1"),
        (example({"confidence": -1, "correct": True}), ">= 0"),
        (example({"confidence": "1", "correct": True}), "Expected `float`"),
        (b'{"components":{"onnx:small@1":{"confidence":NaN,"correct":true}}}', "invalid character"),
        (b'{"components":{"onnx:small@1":{"confidence":1e999,"correct":true}}}', "out of range"),
        (example({"confidence": 1, "correct": 1}), "Expected `bool`"),
        (example({"confidence": 1, "correct": True, "cost": 0.5}), "Expected `str`"),
        (example({"confidence": 1, "correct": True, "cost": "-1 USD"}), "is no cost"),
        (example({"confidence": 1, "correct": True, "cost": "1 EUR"}), "is no cost"),
        (example({"confidence": 1, "correct": True, "cost": "0.0000000001 USD"}), "is no cost"),
        (example({"confidence": 1, "correct": True, "cost": "1\n USD"}), "is no cost"),
        (example({"confidence": 1, "correct": True, "price": "1 USD"}), "unknown field `price`"),
    ],
)
def test_a_line_that_is_wrong_is_named(row: Any, what: str) -> None:
    with pytest.raises(ManyRefused) as refused:
        read_evaluations(lines(example(), row), [SMALL, BIG], "e.jsonl")
    (violation,) = refused.value.violations
    assert violation.where == "e.jsonl:2"
    assert what in violation.what


def test_an_empty_file_and_a_file_of_rubbish_are_refused_without_reading_on() -> None:
    with pytest.raises(ManyRefused, match="no example stands in it"):
        read_evaluations([], [SMALL], "e")
    rubbish = (b"x" for _ in itertools.count())
    with pytest.raises(ManyRefused) as refused:
        read_evaluations(rubbish, [SMALL], "e")
    assert len(refused.value.violations) == 20


def test_the_report_says_what_is_saved_and_what_is_lost() -> None:
    found = calibrated(20_000, 1_000_000, 100_000_000)
    person, error = 10**9, Fraction(5, 100)
    best = tune(found, error=error, person=person)
    checked = half_of(found, error=error, person=person, surely=False)
    report = report_of("w.p", [SMALL, BIG], found, best, person, checked)
    assert report.alone.startswith("2000 USD, ")
    assert report.steps[0].cost == "20 USD"
    assert report.person == best.person
    assert re.fullmatch(r"[0-9]+ of [0-9]+: [0-9.]+ % \([0-9.]+ to [0-9.]+ %\)", report.error)
    assert report.loss.startswith("-")  # with people behind it the cascade is wrong less often than the dear one alone
    assert checked is not None
    assert report.checked.startswith(f"{checked.wrong} of {checked.answered}: ")
    assert snippet_of([SMALL, BIG], best) == (
        f"components:\n  - {{use: {SMALL}, sure_from: {written(best.steps[0].sure_from)}}}\n"
        f"  - {{use: {BIG}, sure_from: {written(best.steps[1].sure_from)}}}\n  - person\n"
    )


def test_a_result_that_proves_nothing_says_so() -> None:
    few = Evaluations(np.full((9, 2), 0.9), np.zeros((9, 2), dtype=np.bool_), np.ones((9, 2), dtype=np.int64))
    best = tune(few, error=Fraction(1, 100), person=1)
    report = report_of("w.p", [SMALL, BIG], few, best, 1, half_of(few, error=Fraction(1, 100), person=1, surely=False))
    assert ["a person decides everything" in report.notes[0], "fewer than 40" in report.notes[1]] == [True, True]
    assert (report.checked, snippet_of([SMALL, BIG], best)) == ("", "components:\n  - person\n")


@pytest.mark.parametrize(
    ("threshold", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (0.98, "0.98"),
        (1e-05, "0.00001"),
        (5e-324, "0.000000000000000001"),
        (0.1 + 0.2, "0.30000000000000004"),
        (NEVER, "never"),
    ],
)
def test_a_threshold_is_written_as_the_file_takes_it(threshold: float, text: str) -> None:
    assert written(threshold) == text
    if threshold != NEVER:
        assert threshold <= float(text) <= 1

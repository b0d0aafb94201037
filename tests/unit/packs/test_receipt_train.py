"""Training: what is fitted is what is exported, and nothing is chosen on what it is measured on."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("sklearn", reason="the extra 'train' is not installed")
pytest.importorskip("skl2onnx", reason="the extra 'train' is not installed")

from interlock.packs.receipts.corpus import Truth, labelled
from interlock.packs.receipts.evaluate import Judged
from interlock.packs.receipts.fitting import calibration_error, fit_sureness, fit_trees
from interlock.packs.receipts.generate import Kind, generate
from interlock.packs.receipts.models import open_models
from interlock.packs.receipts.train import examples_of, fit_field, thresholds_of, weights_of


def separable(seed: int = 1, rows: int = 400) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    x = np.random.default_rng(seed).normal(size=(rows, 5)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int64)


def test_trees_learn_and_their_onnx_form_scores_the_same() -> None:
    x, y = separable()
    fitted = fit_trees(x, y, np.ones(len(y)))
    unseen, truth = separable(seed=2)
    scores = fitted.probabilities(unseen)
    assert ((scores > 0.5) == (truth == 1)).mean() > 0.9
    run = open_models({"trees": fitted.onnx()})
    np.testing.assert_allclose(run("trees", unseen), scores, atol=1e-5)


def test_the_same_data_give_the_same_bytes() -> None:
    x, y = separable()
    assert fit_trees(x, y, np.ones(len(y))).onnx() == fit_trees(x, y, np.ones(len(y))).onnx()


def test_sureness_grows_with_what_it_looks_at_and_is_calibrated() -> None:
    random = np.random.default_rng(3)
    look = random.normal(size=(2000, 1)).astype(np.float32)
    chance = 1 / (1 + np.exp(-3 * look[:, 0].astype(np.float64)))
    right = (random.random(2000) < chance).astype(np.int64)
    fitted = fit_sureness(look, right)
    grid = np.linspace(-3, 3, 50, dtype=np.float32).reshape(-1, 1)
    assert (np.diff(fitted.probabilities(grid)) > 0).all()
    scores = fitted.probabilities(look).astype(np.float64)
    assert calibration_error(scores, right.astype(np.float64)) < 0.04
    assert calibration_error(np.full(2000, 0.99), right.astype(np.float64)) > 0.4
    np.testing.assert_allclose(
        open_models({"sure": fitted.onnx()})("sure", grid), fitted.probabilities(grid), atol=1e-5
    )


def test_a_field_is_learned_from_examples() -> None:
    made = generate(8, 60, today=date(2026, 3, 10), mix={Kind.CLEAN: 1})
    examples = [examples_of(labelled(one)) for one in made]
    for field in ("total", "date", "company"):
        of_field = [example[field] for example in examples]
        assert all(example.right.sum() == 1 for example in of_field), field
        fitted = fit_field(of_field[:40], [1.0] * 40)
        found = [int(np.argmax(fitted.probabilities(example.x))) for example in of_field[40:]]
        right = [bool(example.right[place]) for example, place in zip(of_field[40:], found, strict=True)]
        assert sum(right) >= 18, field


def test_vendors_with_many_receipts_weigh_less_each_and_more_together() -> None:
    weights = weights_of([0] * 9 + [1])
    assert weights[0] == pytest.approx(1 / 3)
    assert weights[-1] == 1
    assert sum(weights[:9]) == pytest.approx(3)


def judged(total: str, confidence: float, *, right: bool, findings: tuple[str, ...] = ()) -> Judged:
    amount = Decimal(total)
    true = amount if right else amount + 1
    return Judged("k", Truth("A", None, true), amount, None, "A", confidence, {}, findings, 0.0)


def test_thresholds_let_through_as_much_as_the_wrong_share_allows() -> None:
    low = [judged("10.00", 0.97, right=True) for _ in range(98)]
    low += [judged("10.00", 0.95, right=False) for _ in range(2)]
    low += [judged("10.00", 0.9, right=False)]
    high = [judged("60.00", 0.85, right=True) for _ in range(100)]
    high += [judged("60.00", 0.8, right=False) for _ in range(3)]
    assert [(one.below, one.confidence) for one in thresholds_of([*low, *high])] == [("50", 0.91), ("100", 0.81)]


def test_no_threshold_is_below_three_chances_in_four() -> None:
    assert thresholds_of([judged("10.00", 0.3, right=True), judged("10.00", 0.99, right=True)])[0].confidence == 0.75


def test_what_a_check_finds_does_not_move_a_threshold() -> None:
    rows = [judged("10.00", 0.9, right=True) for _ in range(100)]
    wrong = [judged("10.00", 0.8, right=False) for _ in range(50)]
    assert thresholds_of([*rows, *wrong])[0].confidence == pytest.approx(0.81)
    caught = [judged("10.00", 0.8, right=False, findings=("truncated",)) for _ in range(50)]
    assert thresholds_of([*rows, *caught])[0].confidence == pytest.approx(0.75)


def test_where_no_confidence_is_enough_the_threshold_is_one() -> None:
    assert thresholds_of([judged("10.00", 0.9, right=False)])[0].confidence == 1

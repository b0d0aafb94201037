"""Training the scorer: what is exported is what was fitted, and the rows are those of the truth."""

from __future__ import annotations

import numpy as np

from interlock.components.onnx_model import Model
from interlock.packs.reconciliation.fitting import fit_line, fit_trees
from interlock.packs.reconciliation.matching.features import PAIR_FEATURES
from interlock.packs.reconciliation.matching.judging import MATCH_FEATURES, log_odds
from interlock.packs.reconciliation.matching.scorer import load_scorer
from interlock.packs.reconciliation.rehearsal import make_case
from interlock.packs.reconciliation.train import pair_rows


def test_exported_trees_give_what_was_fitted_and_calibration_is_in_the_leaves() -> None:
    dice = np.random.default_rng(7)
    x = dice.normal(size=(800, 3)).astype(np.float32)
    y = x[:, 0] + dice.normal(size=800) > 0
    fitted = fit_trees(x, y, np.ones(800), [0])
    plain = fitted.probabilities(x)
    exported = Model(fitted.onnx())
    assert exported.rowwise
    assert np.allclose(exported.run(x), plain, atol=1e-6)
    honest = 1 / (1 + np.exp(-(0.5 * log_odds(plain) + 0.25)))
    assert np.allclose(Model(fitted.onnx(0.5, 0.25)).run(x), honest, atol=1e-6)
    risen = x.copy()
    risen[:, 0] += 1
    assert (fitted.probabilities(risen) >= plain - 1e-9).all()


def test_a_line_makes_overconfident_odds_honest() -> None:
    dice = np.random.default_rng(7)
    odds = dice.normal(scale=2, size=4000)
    right = dice.random(4000) < 1 / (1 + np.exp(-odds))
    slope, shift = fit_line(2 * odds, right, np.ones(4000))
    assert abs(slope - 0.5) < 0.05
    assert abs(shift) < 0.15


def test_rows_of_a_case_are_marked_by_its_truth() -> None:
    case = make_case("rows", "invoices", 60)
    rows = pair_rows(case)
    pairs = sum(len(one) == len(other) == 1 for one, other in case.truth)
    assert rows.x.shape[1] == len(PAIR_FEATURES)
    assert 0.8 * pairs <= rows.y.sum() <= 1.1 * pairs
    scorer = load_scorer()
    likely = scorer.score("pair", rows.x)
    assert likely[rows.y].mean() > 0.8
    assert likely[~rows.y].mean() < 0.2
    assert scorer.score("match", np.zeros((1, len(MATCH_FEATURES)), dtype=np.float32)).shape == (1,)

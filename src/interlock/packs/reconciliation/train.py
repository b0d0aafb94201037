"""Train the scorer anew: ``python -m interlock.packs.reconciliation.train PAYMENTS_FOLDER``.

Two models. ``pair.onnx`` says how likely two entries are the same money, from the two alone. ``match.onnx`` says how
likely a match of the best whole is right, from its place in that whole; it learns from cases that the first model has
not seen, and its calibration and thresholds come from matches that it has not seen itself. Of the public payments only
one half is read here; the other stays unseen until ``evaluate`` reads it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from interlock.packs.reconciliation import fitting
from interlock.packs.reconciliation.card import write_card
from interlock.packs.reconciliation.evaluate import Judgement, judge_case, least_threshold
from interlock.packs.reconciliation.matching.blocking import block
from interlock.packs.reconciliation.matching.entries import take_entries
from interlock.packs.reconciliation.matching.features import PAIR_FEATURES, known_of, pair_features
from interlock.packs.reconciliation.matching.judging import MATCH_FEATURES, log_odds
from interlock.packs.reconciliation.matching.scorer import FOLDER, Scorer, load_scorer, open_scorer
from interlock.packs.reconciliation.payments import TRAIN, read_payments
from interlock.packs.reconciliation.rehearsal import Case, make_cases

Matrix = NDArray[np.float32]
Flags = NDArray[np.bool_]

FIRST, SECOND = 1, 2
"""Seeds of the made-up cases that the first and the second model learn from; evaluation has others."""
ROUNDS, SIZE = 8, 900
FOLDS = 5
_RISING_PAIRS = ("identifiers_weight", "memo_prefix_share", "account_equal", "reference_equal", "names_share")
_RISING_MATCHES = ("log_odds", "marginal", "margin", "gap")
MOST_WRONG = 1 / 2000
STEP, STRICT_STEP = 0.005, 0.0001
"""Thresholds are rounded up to these, since a handful of wrong matches decides where they fall."""
MANIFEST = """\
# Says how sure it is that entries of two sides are the same money. Written by interlock.packs.reconciliation.train;
# CARD.md says how well. The solver asks `pair` about pairs, the decision asks `match` about whole matches.
kind: onnx
name: match-scorer
version: "1"
models:
  pair: pair.onnx
  match: match.onnx
read: interlock.packs.reconciliation.deciding:read
card: CARD.md
bounded: true
"""


@dataclass(frozen=True, eq=False)
class Rows:
    """What a model learns from.

    Attributes:
        x: Features.
        y: Whether it is so.
        fold: To which fold each row belongs.
        weight: What each counts.
    """

    x: Matrix
    y: Flags
    fold: NDArray[np.int64]
    weight: NDArray[np.float64]

    def of(self, chosen: Flags) -> Rows:
        """Some of them."""
        return Rows(self.x[chosen], self.y[chosen], self.fold[chosen], self.weight[chosen])


def join(parts: Sequence[Rows]) -> Rows:
    """All of them."""
    return Rows(
        np.concatenate([part.x for part in parts]),
        np.concatenate([part.y for part in parts]),
        np.concatenate([part.fold for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )


def pair_rows(case: Case) -> Rows:
    """The pairs of a case that the terms bear; the fold is that of the expected entry."""
    one, other = take_entries(case.expected, case.actual, case.terms)
    pairs = block(one, other, case.terms)
    a, b = pairs.one[pairs.borne], pairs.other[pairs.borne]
    names = [{name: at for at, name in enumerate(side.frame["identity"].to_list())} for side in (one, other)]
    true = {
        (int(one.twins[names[0][next(iter(m[0]))]]), int(other.twins[names[1][next(iter(m[1]))]]))
        for m in case.truth
        if len(m[0]) == len(m[1]) == 1
    }
    y = [kind in true for kind in zip(one.twins[a].tolist(), other.twins[b].tolist(), strict=True)]
    x = pair_features(one, other, (a, b), case.terms, known_of(one, other))
    return Rows(x, np.array(y, dtype=np.bool_), _folds(one.frame["identity"].to_list())[a], np.ones(len(a)))


def _folds(identities: Sequence[str]) -> NDArray[np.int64]:
    return np.array([int(name[:8], 16) % FOLDS for name in identities], dtype=np.int64)


def match_rows(judged: Judgement) -> Rows:
    """The proposals of a solved case."""
    kept = judged.counted
    x = judged.solution.proposals["features"].to_numpy().astype(np.float32)
    firsts = [one[0] for one in judged.solution.proposals["expected"].to_list()]
    return Rows(x[kept], judged.right[kept], _folds(firsts)[kept], np.ones(int(kept.sum())))


def fit_pairs(rows: Rows) -> fitting.Fitted:
    """The first model."""
    return fitting.fit_trees(rows.x, rows.y, rows.weight, [PAIR_FEATURES.index(name) for name in _RISING_PAIRS])


def fit_matches(rows: Rows) -> fitting.Fitted:
    """The second model."""
    return fitting.fit_trees(rows.x, rows.y, rows.weight, [MATCH_FEATURES.index(name) for name in _RISING_MATCHES])


def scorer_of(pair: fitting.Fitted, match: bytes | None = None) -> Scorer:
    """A scorer to solve with; without a second model, the marginals stand for it."""
    models = {"pair": pair.onnx()}
    if match is not None:
        return open_scorer("onnx:match-scorer@1", b"", models | {"match": match})
    opened = open_scorer("onnx:match-scorer@1", b"", models)
    marginal = MATCH_FEATURES.index("marginal")

    def run(name: str, matrix: Matrix) -> Matrix:
        if name == "pair":
            return opened.run(name, matrix)
        return np.asarray(1.0 / (1.0 + np.exp(-matrix[:, marginal])), dtype=np.float32)

    return Scorer(opened.ref, opened.digest, run)


@dataclass(frozen=True, eq=False)
class Trained:
    """What training gives.

    Attributes:
        pair: The first model's file.
        match: The second model's file, calibrated.
        sure_from: The thresholds: of at most one wrong in two thousand, and of none.
        line: Slope and shift of the calibration.
        counts: Rows of both models.
    """

    pair: bytes
    match: bytes
    sure_from: tuple[float, float]
    line: tuple[float, float]
    counts: tuple[int, int]


def train(folder: Path) -> Trained:
    """Fit both models.

    Raises:
        NotFound: the payments are not there.
        Refused: the libraries of the extra ``train`` are not installed.
    """
    payments = read_payments(folder, TRAIN)
    made = join([pair_rows(case) for case in make_cases(FIRST, ROUNDS, SIZE)])
    real = pair_rows(payments)
    first = fit_pairs(join([made, real]))
    scorer = scorer_of(first)
    parts = [match_rows(judge_case(case, scorer)) for case in make_cases(SECOND, ROUNDS, SIZE)]
    for half in (0, 1):  # each half of the payments is proposed by a model that has not seen its pairs
        seen = real.of(real.fold % 2 == half)
        rows = match_rows(judge_case(payments, scorer_of(fit_pairs(join([made, seen])))))
        parts.append(rows.of(rows.fold % 2 != half))
    every = join(parts)
    second = fit_matches(every)
    unseen = np.zeros(len(every.y))
    for fold in range(FOLDS):
        out = every.fold == fold
        unseen[out] = fit_matches(every.of(~out)).probabilities(every.x[out])
    slope, shift = fitting.fit_line(log_odds(unseen), every.y, every.weight)
    honest = 1.0 / (1.0 + np.exp(-(slope * log_odds(unseen) + shift)))
    sure = _sure_from(honest, every.y, MOST_WRONG, STEP), _sure_from(honest, every.y, 0.0, STRICT_STEP)
    return Trained(
        first.onnx(),
        second.onnx(slope, shift),
        sure,
        (slope, shift),
        (len(made.y) + len(real.y), len(every.y)),
    )


def _sure_from(probability: NDArray[np.float64], right: Flags, most_wrong: float, step: float) -> float:
    """The least threshold by which no more than a share is wrong, rounded up to whole steps."""
    return round(math.ceil(least_threshold(probability, right, most_wrong) / step) * step, 4)


def main() -> None:
    """Write the component's folder."""
    trained = train(Path(sys.argv[1]))
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "pair.onnx").write_bytes(trained.pair)
    (FOLDER / "match.onnx").write_bytes(trained.match)
    (FOLDER / "component.yaml").write_text(MANIFEST)
    figures = {
        "sure_from": trained.sure_from,
        "line": trained.line,
        "rows": trained.counts,
        "made_with": fitting.versions(),
    }
    (FOLDER / "thresholds.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
    write_card(FOLDER / "CARD.md", Path(sys.argv[1]), load_scorer(FOLDER), trained.sure_from)
    sys.stdout.write(f"{msgspec.json.encode(figures).decode()}\n")


if __name__ == "__main__":
    main()

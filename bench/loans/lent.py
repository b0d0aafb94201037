"""The loans, a model of them, and what it proposes: decisions whose outcome is known."""

from __future__ import annotations

import gzip
import importlib
import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from interlock.autonomy.betting import Floats
from interlock.autonomy.calibration import Flags
from interlock.autonomy.records import Numbers, Records

GRANT_LOSES = 0.60
"""A wrong grant loses this share of the amount."""
REFUSAL_LOSES = 0.05
"""A wrong refusal loses the margin: this share of the amount."""
CENTS = 100
_TRAINED = 3
"""One of so many loans trains."""
_SEED = 0


@dataclass(frozen=True)
class Lent:
    """Loans that the model never saw, with what it proposes; columns.

    Attributes:
        confidence: That the proposal is right, as the model says.
        grant: Whether it proposes to grant.
        wrong: Whether the proposal is wrong.
        stake: What is lost if it is, in cents.
    """

    confidence: Floats
    grant: Flags
    wrong: Flags
    stake: Numbers

    def records(self, at: Numbers, fit: Flags) -> Records:
        """Some of them, as a certificate takes them: grants and refusals are segments, every outcome is known."""
        stake, wrong = self.stake[at], self.wrong[at]
        nothing = np.zeros(at.size, np.int64)
        return Records(
            confidence=self.confidence[at], exposure=stake, stake=stake, wrong=wrong, loss=np.where(wrong, stake, 0),
            needless=nothing, propensity=np.ones(at.size), observed=np.ones(at.size, bool), component=nothing,
            segment=self.grant[at].astype(np.int64), fit=fit, turn=np.arange(at.size),
        )  # fmt: skip


@dataclass(frozen=True)
class Loans:
    """Loans as they are on file; columns.

    Attributes:
        features: What was known when they were asked for, of shape (n, features).
        bad: Whether they went bad.
        amount: In whole units.
    """

    features: Floats
    bad: Flags
    amount: Floats

    def with_bad(self, share: float) -> Loans:
        """All that went bad, and so many of the others, drawn once, that these are a stated share: made so."""
        good = np.random.default_rng(_SEED).permutation(np.flatnonzero(~self.bad))
        wanted = round(np.count_nonzero(self.bad) * (1 - share) / share)
        kept = np.sort(np.concatenate((np.flatnonzero(self.bad), good[:wanted])))
        return Loans(self.features[kept], self.bad[kept], self.amount[kept])


def read_loans(file: Path) -> Loans:
    """All loans of the file."""
    frame = pl.read_csv(io.BytesIO(gzip.decompress(file.read_bytes())), infer_schema_length=20_000)
    bad: NDArray[np.bool_] = (frame["Class"] == "bad").to_numpy()
    return Loans(_features(frame), bad, frame["funded_amnt"].to_numpy().astype(np.float64))


def propose(loans: Loans, seed: int) -> Lent:
    """Train on a third, drawn at random, and propose for the others what costs less in expectation."""
    order = np.random.default_rng(seed).permutation(loans.bad.size)
    known, new = np.split(order, [-(-loans.bad.size // _TRAINED)])
    default = _default(loans.features, loans.bad, known)[new]
    bad, amount = loans.bad[new], loans.amount[new]
    grant = default * GRANT_LOSES <= (1 - default) * REFUSAL_LOSES
    return Lent(
        confidence=np.where(grant, 1 - default, default),
        grant=grant,
        wrong=np.where(grant, bad, ~bad),
        stake=np.ceil(amount * np.where(grant, GRANT_LOSES, REFUSAL_LOSES) * CENTS).astype(np.int64),
    )


def greatest(share: float = GRANT_LOSES, amount: int = 40_000) -> Fraction:
    """The most that one decision can lose, in cents."""
    return Fraction(round(share * amount * CENTS))


def _features(frame: pl.DataFrame) -> Floats:
    """Grade, rate, term, amount, income and what the credit file says; large amounts by their logarithm."""
    grades = sorted(frame["sub_grade"].unique().to_list())
    plain = ("int_rate", "delinq_2yrs", "inq_last_6mths", "revol_util", "open_il_6m", "open_il_12m", "open_il_24m",
             "all_util", "inq_fi", "inq_last_12m", "num_il_tl")  # fmt: skip
    by_size = ("funded_amnt", "annual_inc", "total_bal_il", "total_il_high_credit_limit")
    return np.column_stack(
        [
            np.array([grades.index(grade) for grade in frame["sub_grade"].to_list()]),
            (frame["term"] == "term_60").to_numpy(),
            *(frame[name].fill_null(0).to_numpy() for name in plain),
            *(np.log1p(frame[name].fill_null(0).to_numpy()) for name in by_size),
        ]
    ).astype(np.float64)


def _default(features: Floats, bad: Flags, known: Numbers) -> Floats:
    """The probability that a loan goes bad, by logistic regression on the known ones; scikit-learn has no types."""
    linear: Any = importlib.import_module("sklearn.linear_model")
    scaling: Any = importlib.import_module("sklearn.preprocessing")
    scale = scaling.StandardScaler().fit(features[known])
    model = linear.LogisticRegression(C=0.1).fit(scale.transform(features[known]), bad[known])
    return np.asarray(model.predict_proba(scale.transform(features))[:, 1], np.float64)

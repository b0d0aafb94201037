"""From an application to the features of the model, and from its probability to the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlock.components.component import Answer

Run = Callable[[str, NDArray[np.float32]], NDArray[np.float32]]

NUMBERS = (
    "amount", "term_months", "income", "income_other", "rent", "debts", "debt_payments", "savings", "age_years",
    "years_employed", "years_at_address", "dependants", "accounts_open", "accounts_closed", "inquiries_6m",
    "late_30d", "late_60d", "late_90d", "credit_limit", "credit_used", "collateral", "rate",
)  # fmt: skip
FLAGS = ("homeowner", "customer", "has_guarantor")
EMPLOYMENT = ("employed", "self_employed", "retired", "student")


def features(given: Mapping[str, Any]) -> list[float]:
    """One row of the matrix: numbers, flags, and the kind of employment as its place in the list."""
    row = [float(given[name]) for name in NUMBERS]
    row += [float(given[name]) for name in FLAGS]
    row.append(float(EMPLOYMENT.index(given["employment"])))
    return row


def answer(probability: float) -> Answer:
    """Sure is who is far from one half."""
    grade = min(9, int(probability * 10))
    return Answer(
        output={"repays": f"{probability:.4f}", "grade": grade},
        confidence=max(probability, 1 - probability),
        evidence={"model": "score"},
    )


def read(given: Mapping[str, Any], run: Run) -> Answer:
    """Score one application."""
    return answer(float(run("score", np.array([features(given)], dtype=np.float32))[0]))


def read_many(given: Sequence[Mapping[str, Any]], run: Run) -> list[Answer]:
    """Score several at once; each answer is the same to the bit as that of ``read``."""
    matrix = np.array([features(one) for one in given], dtype=np.float32)
    return [answer(float(probability)) for probability in run("score", matrix)]

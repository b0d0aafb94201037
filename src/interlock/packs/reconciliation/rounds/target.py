"""What the matches of a reconciliation should be: the solver's best whole as a table. Pure.

INVARIANT: it follows from the entries in force, the words of people, the terms and the scorer alone, never from the
order in which any of them came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import polars as pl

from interlock.db.gates import short_digest

_DOMAIN = b"interlock.reconciliation.members.1"

TARGET_SCHEMA: dict[str, pl.DataType] = {
    "members": pl.String(),  # digest of the reconciliation and the identities of both sides: see members_digest
    "form": pl.String(),  # 1:1, 1:n, n:1, n:m
    "currency": pl.String(),
    "expected": pl.List(pl.String()),  # ids of the entries of this side
    "actual": pl.List(pl.String()),
    "expected_minor": pl.Int64(),  # signed sums
    "actual_minor": pl.Int64(),
    "probability": pl.Float64(),  # calibrated
    "margin": pl.Float64(),
    "sure": pl.Boolean(),  # whether the probability suffices for the decision point to go by itself
    "contradicts": pl.Boolean(),  # whether a person refused a part of it, or its like: then it never goes by itself
    "beyond": pl.Boolean(),  # whether more is given up by it than is booked without a person
    "features": pl.List(pl.Float32()),  # what the decision's model is given
    "explained": pl.String(),  # what the difference is taken for
    "reasons": pl.String(),  # in words
}


@dataclass(frozen=True, slots=True)
class Target:
    """What should be.

    Attributes:
        matches: By ``TARGET_SCHEMA``, one row each; sorted by ``members``.
        expected: The entries in force of the expected side.
        actual: Those of the actual side.
        solution: All that the solver found, for breaks.
        figures: What the solver says of its work.
    """

    matches: pl.DataFrame
    expected: pl.DataFrame
    actual: pl.DataFrame
    solution: object
    figures: Mapping[str, Any] = field(default_factory=dict[str, Any])


def members_digest(reconciliation: str, expected: list[str], actual: list[str]) -> UUID:
    """Of which entries a match is: the same in whatever order they are given.

    Args:
        reconciliation: Whose entries.
        expected: The identities of the expected side.
        actual: Those of the actual side.
    """
    parts = ["expected", *sorted(expected), "actual", *sorted(actual)]
    return short_digest(_DOMAIN, reconciliation.encode(), *(part.encode() for part in parts))

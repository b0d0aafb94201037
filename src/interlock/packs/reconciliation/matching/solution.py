"""What solving gives: tables of proposed matches and of what stays open, and what it took. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

PROPOSAL_SCHEMA: dict[str, Any] = {
    "expected": "identities of the expected side, ascending",
    "actual": "identities of the actual side, ascending",
    "form": "1:1, 1:n, n:1 or n:m",
    "currency": "of both sides",
    "expected_minor": "the signed sum of the expected side",
    "actual_minor": "the signed sum of the actual side",
    "difference": "the expected sum less the actual one",
    "explained": "what the difference is taken for: none, fee, rounding, tolerance",
    "probability": "calibrated, that these entries and no others belong together; 1 where a person said so",
    "margin": "what the best whole loses without this match, in natural log odds",
    "confirmed": "whether a person said so",
    "contradicts": "whether it holds all entries of a match that a person refused, or ones that nothing tells apart",
    "identical": "how many other entries nothing tells apart from one of these",
    "runner_up_expected": "identities of the best other match of these entries; empty if there is none",
    "runner_up_actual": "the same on the actual side",
    "runner_up_probability": "that it is that one; 0 if there is none",
    "days": "from the latest expected value day to the latest actual one",
    "shared": "the words and identifiers that both sides have, the rarest first, at most three",
    "features": "MATCH_FEATURES, the input of the model match: float32 values; zeros where a person said so",
}
"""The columns of ``Solution.proposals`` and what they hold."""

OPEN_SCHEMA: dict[str, Any] = {
    "side": "expected or actual",
    "identity": "of the entry",
    "candidates": "its three best: {identity, probability, difference, days, borne, taken}, the best first",
    "twin": "the identity of another entry of its side of the same amount and party, within five days; else null",
    "cancels": "the identity of an entry of its side that it takes back or is taken back by; else null",
}
"""The columns of ``Solution.open``.

In a candidate ``difference`` is the expected amount less the actual one in minor units, ``days`` are from the expected
value day to the actual one, ``borne`` says whether the terms would bear the pair, ``taken`` whether the candidate
stands in a proposed match.
"""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What solving took.

    Attributes:
        expected: Entries of the expected side.
        actual: Entries of the actual side.
        pairs: Pairs looked at.
        borne: Of these, pairs that the terms bear.
        groups: Groups looked at.
        components: Connected components that were solved, each by itself.
        largest: Matches of the largest.
        steps: Steps of the search for sums.
        cut_neighbours: Entries with more neighbours than were looked at.
        cut_sums: Entries whose search for sums ended early.
        cut_wholes: Components whose best choice is not proved, or whose margins are bounds.
        gone: Confirmed matches of which an entry is not in force, or which contradict another.
    """

    expected: int
    actual: int
    pairs: int = 0
    borne: int = 0
    groups: int = 0
    components: int = 0
    largest: int = 0
    steps: int = 0
    cut_neighbours: int = 0
    cut_sums: int = 0
    cut_wholes: int = 0
    gone: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Solution:
    """The best whole.

    Attributes:
        proposals: One row for each match of it, by ``PROPOSAL_SCHEMA``, sorted by the first identities.
        open: One row for each entry of no match, by ``OPEN_SCHEMA``, expected ones first, by identity.
        figures: What it took.
    """

    proposals: pl.DataFrame
    open: pl.DataFrame
    figures: Figures

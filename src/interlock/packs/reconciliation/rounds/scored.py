"""The pack's own solver, with one version of its scorer. Pure."""

from __future__ import annotations

from dataclasses import asdict

import polars as pl

from interlock.packs.reconciliation.matching.scorer import Scorer
from interlock.packs.reconciliation.matching.solve import solve
from interlock.packs.reconciliation.matching.telling import reasons
from interlock.packs.reconciliation.rounds.solving import Solve, Solved, Words
from interlock.packs.reconciliation.terms import ReconciliationTerms

_SLICE = 4096


def with_scorer(scorer: Scorer) -> Solve:
    """The pack's own solver, with one version of its scorer; what is less probable than ``ask_from`` stays open."""

    def run(expected: pl.DataFrame, actual: pl.DataFrame, terms: ReconciliationTerms, words: Words) -> Solved:
        solution = solve(
            expected, actual, terms, scorer, confirmed=words.confirmed, refused=words.refused, standing=words.standing
        )
        asked = solution.proposals.filter((pl.col("probability") >= terms.ask_from) | pl.col("confirmed"))
        none = pl.Series("reasons", [], dtype=pl.String())
        slices = (  # only the texts of one slice are Python objects at a time
            pl.Series([reasons(row) for row in part.iter_rows(named=True)], dtype=pl.String())
            for part in asked.iter_slices(_SLICE)
        )
        matches = asked.with_columns(pl.concat([none, *slices]))
        return Solved(matches, {**asdict(solution.figures), "scorer": scorer.ref}, solution)

    return run

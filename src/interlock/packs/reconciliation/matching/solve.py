"""Solving: from the entries of two sides, and what people said of them, to the best whole of matches. Pure."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl
from numpy.typing import NDArray

from interlock.packs.reconciliation.matching.blocking import block
from interlock.packs.reconciliation.matching.entries import Entries, take_entries
from interlock.packs.reconciliation.matching.features import known_of
from interlock.packs.reconciliation.matching.graph import UNIT, Graph, Judged, build_graph, judge, search_groups
from interlock.packs.reconciliation.matching.judging import (
    MATCH_FEATURES,
    Neighbourhood,
    Rivals,
    log_odds,
    match_features,
    rivals_of,
)
from interlock.packs.reconciliation.matching.marginals import marginals
from interlock.packs.reconciliation.matching.packing import Whole, choose
from interlock.packs.reconciliation.matching.scorer import MATCH, Scorer
from interlock.packs.reconciliation.matching.solution import Figures, Solution
from interlock.packs.reconciliation.matching.sums import Search
from interlock.packs.reconciliation.matching.telling import Told, tell_matches, tell_open
from interlock.packs.reconciliation.matching.wishes import Members, Refusals, Wishes, read_wishes
from interlock.packs.reconciliation.terms import ReconciliationTerms

Reals = NDArray[np.float64]

DOUBTED = 0.99
"""How probable a match is told to be at most that contradicts what a person said."""


def solve(
    expected: pl.DataFrame,
    actual: pl.DataFrame,
    terms: ReconciliationTerms,
    scorer: Scorer,
    *,
    confirmed: Collection[Members] = (),
    refused: Collection[Members] = (),
    standing: Collection[Members] = (),
) -> Solution:
    """The best whole of matches between two sides.

    Args:
        expected: The expected entries, with the columns ``entries.COLUMNS``; others are passed over.
        actual: The actual entries.
        terms: What may differ, by how many days, in groups of how many, between which accounts.
        scorer: What makes probabilities.
        confirmed: Matches that a person said are right: they stand, whatever the terms say.
        refused: Matches that a person said are wrong: none of exactly these entries is proposed, and one that holds all
            of them, or entries that nothing tells apart from them, ``contradicts``.
        standing: Matches of several that stand. They are weighed like all others, and are looked at even where a bound
            ends the search for sums before it comes to them; where none does they change nothing.

    Returns:
        The same for the same sets, to the bit.

    Raises:
        Refused: a column is missing, a value absent, an identity twice, or a confirmed match of two currencies.
        ComponentFailed: a model cannot be run.
    """
    sides = take_entries(expected, actual, terms)
    wishes = read_wishes(*sides, confirmed, refused, standing)
    pairs = block(*sides, terms)
    known = known_of(*sides)
    judged = judge(sides, pairs, wishes, terms, scorer, known)
    search = search_groups(sides, judged, wishes, terms)
    graph = build_graph(sides, judged, search, terms, scorer, known)
    whole = choose(graph.candidates())
    told = [*_confirmed(wishes), *_chosen(graph, whole, scorer, Refusals(sides, wishes.refused))]
    return Solution(
        proposals=tell_matches(sides, told, terms, known),
        open=tell_open(sides, _matched(sides, told), judged),
        figures=_figures(sides, wishes, judged, search, whole),
    )


def _confirmed(wishes: Wishes) -> list[Told]:
    return [
        Told(
            members=group,
            probability=1.0,
            margin=0.0,
            confirmed=True,
            contradicts=False,
            runner_up=None,
            runner_up_probability=0.0,
            features=[0.0] * len(MATCH_FEATURES),
        )
        for group in wishes.confirmed
    ]


def _chosen(graph: Graph, whole: Whole, scorer: Scorer, refusals: Refusals) -> list[Told]:
    """The chosen matches with their calibrated probabilities; for what contradicts a no, ``DOUBTED`` at most."""
    likely = marginals(graph.match, graph.entry, graph.prior())
    rivals = rivals_of(graph.match, graph.entry, graph.odds, graph.alike, graph.sides[0])
    matrix = match_features(_neighbourhood(graph, whole, rivals, graph.of_alike(likely)))
    sure = scorer.score(MATCH, matrix).tolist()
    runners = _listed(rivals.runner_up[whole.chosen])
    contradicts = [refusals.contradict(graph.members[match]) for match in _listed(whole.chosen)]
    return [
        Told(
            members=graph.members[match],
            probability=min(sure[at], DOUBTED) if contradicts[at] else sure[at],
            contradicts=contradicts[at],
            margin=float(whole.margin[at]) / UNIT,
            confirmed=False,
            runner_up=graph.members[runners[at]] if runners[at] >= 0 else None,
            runner_up_probability=float(likely[runners[at]]) if runners[at] >= 0 else 0.0,
            features=matrix[at].tolist(),
        )
        for at, match in enumerate(_listed(whole.chosen))
    ]


def _neighbourhood(graph: Graph, whole: Whole, rivals: Rivals, likely: Reals) -> Neighbourhood:
    chosen = whole.chosen
    sizes = [(len(graph.members[at][0]), len(graph.members[at][1])) for at in _listed(chosen)]
    counts = np.array(sizes, dtype=np.int64).reshape(-1, 2)
    return Neighbourhood(
        log_odds=graph.odds[chosen],
        strongest=graph.strongest[chosen],
        marginal=log_odds(likely[chosen]),
        margin=whole.margin / UNIT,
        rival_expected=rivals.expected[chosen],
        rival_actual=rivals.actual[chosen],
        rivals=rivals.many[chosen],
        component=whole.size,
        entries_expected=counts[:, 0],
        entries_actual=counts[:, 1],
        alternatives=graph.alternatives[chosen],
        pairs=graph.features[chosen],
    )


def _listed(numbers: NDArray[np.int64]) -> list[int]:
    return numbers.tolist()


def _matched(sides: tuple[Entries, Entries], told: list[Told]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    found = np.zeros(len(sides[0]), dtype=np.bool_), np.zeros(len(sides[1]), dtype=np.bool_)
    for one in told:
        for side in (0, 1):
            found[side][list(one.members[side])] = True
    return found


def _figures(sides: tuple[Entries, Entries], wishes: Wishes, judged: Judged, search: Search, whole: Whole) -> Figures:
    return Figures(
        expected=len(sides[0]),
        actual=len(sides[1]),
        pairs=len(judged.pairs),
        borne=int(judged.pairs.borne.sum()),
        groups=len(search.groups),
        components=whole.components,
        largest=int(whole.size.max(initial=0)),
        steps=search.steps,
        cut_neighbours=judged.pairs.cut,
        cut_sums=search.cut,
        cut_wholes=whole.cut,
        gone=wishes.gone,
    )

"""Every match that may be chosen, pairs and groups together, with its odds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from interlock.packs.reconciliation.matching.blocking import Pairs
from interlock.packs.reconciliation.matching.entries import Entries, allowed_accounts
from interlock.packs.reconciliation.matching.features import PAIR_FEATURES, Known, pair_features, with_sums
from interlock.packs.reconciliation.matching.judging import MOST, log_odds
from interlock.packs.reconciliation.matching.packing import Candidates
from interlock.packs.reconciliation.matching.scorer import PAIR, Scorer
from interlock.packs.reconciliation.matching.sums import Group, Search, find_groups
from interlock.packs.reconciliation.matching.wishes import Wishes
from interlock.packs.reconciliation.terms import ReconciliationTerms

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]

UNIT = 1024.0
"""Gains are whole numbers of this part of a natural log odd, so that sums are exact."""
OPEN = 1.5
"""What it costs to leave an entry open, in natural log odds: a pair of less than one in twenty is not proposed."""
CONVINCING, CONVINCING_INEXACT = 2.0, 6.0
"""Log odds from which a pair explains its entries, so that no sums are looked for: without and with a difference."""
CLOSE = Decimal("0.05")
"""Where more than this is tolerated a difference is nothing unusual, and no sign of a sum."""
MEMBER = 0.5
"""What every entry of a group beyond two costs: the more there are, the easier any amount is reached."""
INEXACT = 3.0
"""What a group costs whose difference is neither nought nor a declared fee."""
FAINT = -8.0
"""Pairs of lower log odds compete for nothing."""


@dataclass(frozen=True, eq=False)
class Graph:
    """Matches that may be chosen: the pairs first, then the groups.

    Attributes:
        members: Positions on both sides, of each match.
        match: Of each membership, ascending.
        entry: Of each membership; actual entries are numbered after all expected ones.
        odds: Log odds of each match.
        strongest: Those of its strongest pair.
        alike: Equal where only twins differ.
        alternatives: Groups that come as near to the amount.
        features: Of the pair, or of the weakest member's.
        sides: How many entries each side has.
    """

    members: list[Group]
    match: Ints
    entry: Ints
    odds: Reals
    strongest: Reals
    alike: Ints
    alternatives: Ints
    features: NDArray[np.float32]
    sides: tuple[int, int]

    def candidates(self) -> Candidates:
        """The same for choosing."""
        gain = np.rint(self.prior() * UNIT).astype(np.int64)
        return Candidates(self.match, self.entry, gain, self.alike, self.sides[0], sum(self.sides))

    def prior(self) -> Reals:
        """The log odds of each match against its entries staying open.

        A group counts as often as the matches that could stand in its place: or else two against three that come to the
        same would always lose against two matches that each leave a difference.
        """
        instead = np.array([min(len(one), len(other)) for one, other in self.members], dtype=np.float64)
        return self.odds * instead + OPEN * np.bincount(self.match, minlength=len(self.odds))

    def of_alike(self, values: Reals) -> Reals:
        """Of each match: the sum of the values of those that only twins tell apart from it, of one entry of it."""
        kinds = np.unique(self.alike, return_inverse=True)[1].astype(np.int64)
        codes = np.unique(self.entry * (len(self.odds) + 1) + kinds[self.match], return_inverse=True)[1]
        sums = np.bincount(codes, values[self.match]) if len(codes) else np.zeros(0)
        found = np.zeros(len(self.odds))
        np.maximum.at(found, self.match, sums[codes])
        return np.minimum(found, 1.0)


@dataclass(frozen=True, eq=False)
class Judged:
    """Pairs with what the scorer makes of them.

    Attributes:
        pairs: The pairs.
        features: ``[n, len(PAIR_FEATURES)]``.
        odds: Log odds.
        free: Whether people and terms leave them to be chosen.
    """

    pairs: Pairs
    features: NDArray[np.float32]
    odds: Reals
    free: NDArray[np.bool_]


def judge(
    sides: tuple[Entries, Entries],
    pairs: Pairs,
    wishes: Wishes,
    terms: ReconciliationTerms,
    scorer: Scorer,
    known: Known,
) -> Judged:
    """Ask the scorer about each pair.

    Raises:
        ComponentFailed: the model cannot be run.
    """
    features = pair_features(*sides, (pairs.one, pairs.other), terms, known)
    many = max(len(sides[1]), 1)
    refused = [one[0] * many + other[0] for one, other in wishes.refused if len(one) == len(other) == 1]
    free = pairs.borne & wishes.open[0][pairs.one] & wishes.open[1][pairs.other]
    free &= ~np.isin(pairs.one * many + pairs.other, np.array(sorted(refused), dtype=np.int64))
    return Judged(pairs, features, log_odds(scorer.score(PAIR, features)), free)


def search_groups(sides: tuple[Entries, Entries], judged: Judged, wishes: Wishes, terms: ReconciliationTerms) -> Search:
    """Look for sums among the entries that no pair explains convincingly."""
    exact = (judged.features[:, 0] > 0) | (judged.features[:, PAIR_FEATURES.index("amount_fee")] > 0)
    inexact = CONVINCING_INEXACT if terms.tolerance_share <= CLOSE else CONVINCING
    sure = judged.free & (judged.odds >= np.where(exact, CONVINCING, inexact))
    loose: list[list[int]] = []
    for side, positions in zip((0, 1), (judged.pairs.one, judged.pairs.other), strict=True):
        open_still = wishes.open[side].copy()
        open_still[positions[sure]] = False
        loose.append(np.nonzero(open_still)[0].tolist())
    search = find_groups(*sides, (loose[0], loose[1]), terms, wishes.standing)
    fine = {
        group: rivals
        for group, rivals in sorted(search.groups.items())
        if group not in wishes.refused and _linked(sides, group, terms)
    }
    return Search(fine, search.steps, search.short)


def _cross(group: Group) -> tuple[Ints, Ints]:
    """Every pair of a group, the expected entries outside."""
    one, other = (np.array(side, dtype=np.int64) for side in group)
    return np.repeat(one, len(other)), np.tile(other, len(one))


def _linked(sides: tuple[Entries, Entries], group: Group, terms: ReconciliationTerms) -> bool:
    return not terms.links or bool(allowed_accounts(*sides, terms, _cross(group)).all())


def build_graph(
    sides: tuple[Entries, Entries],
    judged: Judged,
    search: Search,
    terms: ReconciliationTerms,
    scorer: Scorer,
    known: Known,
) -> Graph:
    """Pairs and groups together.

    Raises:
        ComponentFailed: the model cannot be run.
    """
    kept = np.nonzero(judged.free & (judged.odds > FAINT))[0]
    one, other = judged.pairs.one[kept], judged.pairs.other[kept]
    groups = list(search.groups)
    odds, strongest, features = _judge_groups(sides, groups, terms, scorer, known)
    members: list[Group] = [((a,), (b,)) for a, b in zip(one.tolist(), other.tolist(), strict=True)] + groups
    many, expected = len(kept), len(sides[0])
    counts = [len(group[0]) + len(group[1]) for group in groups]
    match = np.concatenate([np.repeat(np.arange(many), 2), np.repeat(many + np.arange(len(groups)), counts)])
    pairs = np.column_stack([one, expected + other]).ravel()
    grouped = [at for group in groups for at in (*group[0], *(expected + place for place in group[1]))]
    return Graph(
        members=members,
        match=match.astype(np.int64),
        entry=np.concatenate([pairs, np.array(grouped, dtype=np.int64)]),
        odds=np.concatenate([judged.odds[kept], odds]),
        strongest=np.concatenate([judged.odds[kept], strongest]),
        alike=np.concatenate([_alike_pairs(sides, one, other), _alike_groups(sides, groups)]),
        alternatives=np.array([*([0] * many), *search.groups.values()], dtype=np.int64),
        features=np.concatenate([judged.features[kept], features]),
        sides=(len(sides[0]), len(sides[1])),
    )


def _judge_groups(
    sides: tuple[Entries, Entries],
    groups: Sequence[Group],
    terms: ReconciliationTerms,
    scorer: Scorer,
    known: Known,
) -> tuple[Reals, Reals, NDArray[np.float32]]:
    """Log odds of each group, those of its strongest member, and the features of its weakest.

    Every pair of a group is judged as if its two entries had the sums of the group. A member counts as much as its best
    pair; the group counts as its weakest member, less what its size and an inexact sum cost.
    """
    if not groups:
        return np.zeros(0), np.zeros(0), np.zeros((0, len(PAIR_FEATURES)), dtype=np.float32)
    crossed = [_cross(group) for group in groups]
    pairs = np.concatenate([one for one, _ in crossed]), np.concatenate([other for _, other in crossed])
    of = np.repeat(np.arange(len(groups)), [len(one) for one, _ in crossed])
    sums = [
        np.array([sum(int(side.minor[at]) for at in group[place]) for group in groups], dtype=np.int64)
        for place, side in enumerate(sides)
    ]
    names = sides[0].texts("currency")
    currencies = [names[groups[at][0][0]] for at in of.tolist()]
    features = with_sums(pair_features(*sides, pairs, terms, known), sums[0][of], sums[1][of], currencies, terms)
    odds = log_odds(scorer.score(PAIR, features))
    weakest, strongest = np.zeros(len(groups), dtype=np.int64), np.zeros(len(groups))
    start = 0
    for at, (one, other) in enumerate(groups):
        table = odds[start : start + len(one) * len(other)].reshape(len(one), len(other))
        best = [
            *((start + row * len(other) + int(table[row].argmax())) for row in range(len(one))),
            *((start + int(table[:, column].argmax()) * len(other) + column) for column in range(len(other))),
        ]
        weakest[at] = min(best, key=lambda place: (float(odds[place]), place))
        strongest[at] = table.max()
        start += table.size
    sizes = np.array([len(one) + len(other) for one, other in groups], dtype=np.int64)
    exact = (features[weakest, 0] > 0) | (features[weakest, PAIR_FEATURES.index("amount_fee")] > 0)
    found = odds[weakest] - MEMBER * (sizes - 2) - INEXACT * ~exact
    return np.clip(found, -MOST, MOST), strongest, features[weakest]


def _alike_pairs(sides: tuple[Entries, Entries], one: Ints, other: Ints) -> Ints:
    return sides[0].twins[one] * (len(sides[1]) + 1) + sides[1].twins[other]


def _alike_groups(sides: tuple[Entries, Entries], groups: Sequence[Group]) -> Ints:
    """Numbers below nought, so that they are none of a pair."""
    numbers: dict[tuple[tuple[int, ...], ...], int] = {}
    found: list[int] = []
    for group in groups:
        kind = tuple(
            tuple(sorted(side.twins[list(chosen)].tolist())) for side, chosen in zip(sides, group, strict=True)
        )
        found.append(-1 - numbers.setdefault(kind, len(numbers)))
    return np.array(found, dtype=np.int64)

"""The best whole: matches of greatest total gain that share no entry, and how much each is needed for it. Pure.

Each connected component is solved by itself: pairs alone as an assignment, pairs with groups as a set packing. The
margin of a chosen match is what the best whole loses without it, found by solving its component again; in a component
of more than ``EXACT`` matches a bound stands for it, which is at most the true margin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interlock.packs.reconciliation.matching.solvers import assign, components, greedy, pack

Ints = NDArray[np.int64]

NODES = 2_000
"""Nodes of the search for the best packing of one component."""
EXACT = 400
"""Matches of a component of pairs up to which margins are exact."""
EXACT_GROUPS = 40
"""The same for a component with groups, whose solution takes a thousand times as long."""
_NONE = np.zeros(0, dtype=np.int64)
PACKED = 4_000
"""Matches of a component with groups up to which it is solved; beyond, its pairs are, and groups that are worth more
take their places."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Matches to choose from.

    Attributes:
        match: Of each membership: the match's number, ascending.
        entry: Of each membership: the entry's number; the expected side first.
        gain: Of each match: what it is worth against its entries staying open; whole units.
        alike: Of each match: equal for matches that only the identities of twins tell apart.
        expected: How many entries the expected side has.
        entries: How many both have.
    """

    match: Ints
    entry: Ints
    gain: Ints
    alike: Ints
    expected: int
    entries: int

    def of(self, matches: Ints) -> Candidates:
        """Some of the matches, ascending, numbered anew."""
        number = np.full(len(self.gain), -1, dtype=np.int64)
        number[matches] = np.arange(len(matches))
        kept = number[self.match] >= 0
        return Candidates(
            number[self.match[kept]],
            self.entry[kept],
            self.gain[matches],
            self.alike[matches],
            self.expected,
            self.entries,
        )


@dataclass(frozen=True, eq=False)
class Whole:
    """The chosen matches.

    Attributes:
        chosen: Their numbers, ascending.
        margin: Of each: what the whole loses without it, in units of gain.
        size: Of each: how many matches its component has.
        components: How many there are.
        cut: In how many the search ended before the best was proved, or margins are bounds.
    """

    chosen: Ints
    margin: Ints
    size: Ints
    components: int
    cut: int


def choose(candidates: Candidates) -> Whole:
    """The best whole. Matches that gain nothing are never in it."""
    worth = np.nonzero(candidates.gain > 0)[0].astype(np.int64)
    if not len(worth):
        none = np.zeros(0, dtype=np.int64)
        return Whole(none, none, none, 0, 0)
    positive = candidates.of(worth)
    many = len(worth)
    node = components(positive.match, many + positive.entry, many + positive.entries)[:many]
    order = np.lexsort((np.arange(many), node))
    bounds = np.nonzero(np.diff(node[order]))[0] + 1
    parts = [_solve(positive, part.astype(np.int64)) for part in np.split(order, bounds)]
    chosen = np.concatenate([part[0] for part in parts])
    sizes = np.concatenate([np.full(len(part[0]), part[2], dtype=np.int64) for part in parts])
    margin = np.concatenate([part[1] for part in parts])
    ascending = np.argsort(chosen)
    return Whole(worth[chosen[ascending]], margin[ascending], sizes[ascending], len(parts), sum(p[3] for p in parts))


def _solve(whole: Candidates, part: Ints) -> tuple[Ints, Ints, int, int]:
    """One component: the chosen matches, their margins, its size, whether effort was cut."""
    if len(part) == 1:
        return part, whole.gain[part], 1, 0
    here = whole.of(part)
    best, proved = _best(here)
    pairs = len(here.match) == 2 * len(part)
    if len(part) > (EXACT if pairs else EXACT_GROUPS):
        return part[best], _least_margins(here, best), len(part), 1
    total = int(here.gain[best].sum())
    margins = np.array([_margin(here, match, total) for match in best.tolist()], dtype=np.int64)
    return part[best], margins, len(part), int(not proved)


def _best(here: Candidates) -> tuple[Ints, bool]:
    """The best choice of a component, and whether it is proved."""
    if not len(here.gain):
        return np.zeros(0, dtype=np.int64), True
    ordered = np.lexsort((here.entry, here.match))
    match, entry = here.match[ordered], here.entry[ordered]
    if len(match) == 2 * len(here.gain) and _all_pairs(match, entry, here.expected):
        row = np.unique(entry[0::2], return_inverse=True)[1].astype(np.int64)
        column = np.unique(entry[1::2], return_inverse=True)[1].astype(np.int64)
        return assign(row, column, here.gain), True
    number = np.unique(entry, return_inverse=True)[1].astype(np.int64)
    found, proved = (_NONE, False) if len(here.gain) > PACKED else pack(match, number, here.gain, NODES)
    if proved:
        return found, True
    wholes = (found, greedy(match, number, here.gain), _pairs_first(here))
    return max(wholes, key=lambda whole: int(here.gain[whole].sum())), False


def _pairs_first(here: Candidates) -> Ints:
    """The best assignment of the pairs, with every group put in that gains more than what it displaces.

    INVARIANT: it gains no less than the best assignment of the pairs alone.
    """
    counts = np.bincount(here.match, minlength=len(here.gain))
    pairs = np.nonzero(counts == 2)[0].astype(np.int64)  # noqa: PLR2004 - one against one
    best = pairs[_best(here.of(pairs))[0]]
    starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])
    entries = here.entry[np.argsort(here.match, kind="stable")]
    members = [entries[starts[at] : starts[at + 1]] for at in range(len(here.gain))]
    holder = np.full(here.entries, -1, dtype=np.int64)
    for at in best.tolist():
        holder[members[at]] = at
    groups = np.nonzero(counts > 2)[0]  # noqa: PLR2004 - one against one
    for at in groups[np.argsort(-here.gain[groups], kind="stable")].tolist():
        displaced = np.unique(holder[members[at]])
        displaced = displaced[displaced >= 0]
        if here.gain[at] > here.gain[displaced].sum():
            for one in displaced.tolist():
                holder[members[one]] = -1
            holder[members[at]] = at
    return np.unique(holder[holder >= 0])


def _all_pairs(match: Ints, entry: Ints, expected: int) -> bool:
    paired = bool((match[0::2] == match[1::2]).all())
    return paired and bool((entry[0::2] < expected).all()) and bool((entry[1::2] >= expected).all())


def _margin(here: Candidates, match: int, total: int) -> int:
    """What the component loses without a match and those that are like it; at most its gain."""
    gain = int(here.gain[match])
    rest = np.nonzero(here.alike != here.alike[match])[0].astype(np.int64)
    without = int(here.gain[rest][_best(here.of(rest))[0]].sum())
    return max(min(total - without, gain), 0)


def _least_margins(here: Candidates, best: Ints) -> Ints:
    """A bound from below: without a match its entries gain at most what their best rivals gain.

    What such a rival displaces gains nothing by being displaced, since the whole is the best one.
    """
    rivals = np.zeros(here.entries, dtype=np.int64)
    first, alike, second = rivals.copy(), np.full(here.entries, -1, dtype=np.int64), rivals.copy()
    gains, kinds = here.gain[here.match], here.alike[here.match]
    order = np.lexsort((kinds, -gains))
    for at in order.tolist():
        entry, kind, gain = int(here.entry[at]), int(kinds[at]), int(gains[at])
        if alike[entry] < 0:
            first[entry], alike[entry] = gain, kind
        elif alike[entry] != kind and not second[entry]:
            second[entry] = gain
    rival = np.where(alike[here.entry] == kinds, second[here.entry], first[here.entry])
    lost = np.zeros(len(here.gain), dtype=np.int64)
    np.add.at(lost, here.match, rival)
    return np.maximum(here.gain[best] - lost[best], 0)

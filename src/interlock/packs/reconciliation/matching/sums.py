"""Groups whose amounts add up: one entry for several, and several for several. Pure.

Only entries of one ground that share a key (a party, an account, an identifier) and stand within the window are added
up, and only those that no pair explains convincingly. The search goes through the subsets of a bounded pool depth
first, the greatest amounts first, and leaves a branch as soon as its sum cannot be reached any more (Horowitz and
Sahni, 1974, for several against several: sums of both sides meet). It is bounded by steps, never by time.

INVARIANT: what a bound cuts off is counted, and takes nothing back that stands. What is outside of the window costs
nothing, every entry has its first steps whatever the others took, and where the search for an entry was cut the groups
of it that stand are candidates none the less.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import comb
from typing import TypeAlias

from interlock.packs.reconciliation.matching.entries import Entries
from interlock.packs.reconciliation.matching.tolerance import LARGEST, bears, fee_of, known_fees
from interlock.packs.reconciliation.matching.words import LONG_PREFIX
from interlock.packs.reconciliation.terms import ReconciliationTerms

POOL = 24
"""So many entries are added up for one, the nearest."""
FIRST_STEPS = 250
"""Steps of the search for one entry that it has in any case."""
STEPS = 4_000
"""Steps of the search for one entry for which the first do not suffice, while there are enough for all of these."""
ALL_STEPS = 1_000_000
"""Steps for all of these together; and as many for several against several."""
KEPT = 8
"""So many groups of one entry are kept, the most exact."""
CROWDS = (16, 10, 6)
"""So many entries of each side of a key and window are looked at for several against several: the most of these for
which ``ALL_STEPS`` suffice, the last in any case."""
SEVERAL = 3
"""So many of each side at most stand in a match of several against several."""
_COMMON = 2_000
_RIVALS = 16
"""So many groups of one sum and earliest entry are held against one of the other side, where amounts are equal."""

Group = tuple[tuple[int, ...], tuple[int, ...]]
"""Positions on the expected side and on the actual side, ascending."""
_Key: TypeAlias = tuple[int, str]
_Keyed: TypeAlias = dict[_Key, tuple[list[int], list[int]]]
"""Under a ground and a key: value days, and positions, the earliest first."""


@dataclass
class Search:
    """What is found, and what it took.

    Attributes:
        groups: The groups found, each with how many others of the same entry fit as well.
        steps: Steps taken.
        short: The side and position of entries for which the search ended early, or passed over others.
    """

    groups: dict[Group, int] = field(default_factory=dict[Group, int])
    steps: int = 0
    short: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])

    @property
    def cut(self) -> int:
        """For how many entries the search was not complete."""
        return len(self.short)


@dataclass(frozen=True, eq=False)
class _Space:
    """What is searched.

    Attributes:
        sides: All entries.
        minor: Their amounts.
        keys: Of each side, what may be added up.
        terms: What may differ, by how many days.
        standing: Groups that stand.
    """

    sides: tuple[Entries, Entries]
    minor: tuple[list[int], list[int]]
    keys: tuple[_Keyed, _Keyed]
    terms: ReconciliationTerms
    standing: frozenset[Group]

    def window(self, single: int, at: int) -> tuple[int, int]:
        """The first and the last value day of an entry's partners."""
        day, earlier, later = int(self.sides[single].valued[at]), self.terms.days_earlier, self.terms.days_later
        return (day - earlier, day + later) if single == 0 else (day - later, day + earlier)


def find_groups(
    expected: Entries,
    actual: Entries,
    free: tuple[Sequence[int], Sequence[int]],
    terms: ReconciliationTerms,
    standing: frozenset[Group] = frozenset(),
) -> Search:
    """Groups of entries that no pair explains convincingly.

    Args:
        expected: One side.
        actual: The other.
        free: The positions of those entries on both sides, ascending.
        terms: How many may stand in a group, what may differ, by how many days.
        standing: Groups that stand: no bound passes them over.
    """
    search = Search()
    if terms.largest_group < 2:  # noqa: PLR2004 - one against one is a pair
        return search
    keys = _by_key(expected, free[0]), _by_key(actual, free[1])
    minor: tuple[list[int], list[int]] = (expected.minor.tolist(), actual.minor.tolist())
    space = _Space((expected, actual), minor, keys, terms, standing)
    entries = [(single, at) for single in (0, 1) for at in free[single]]
    hungry = [one for one in entries if not _one_for_several(space, *one, FIRST_STEPS, search)]
    more = max(min(STEPS, ALL_STEPS // max(len(hungry), 1)), FIRST_STEPS)
    for single, at in hungry:
        _one_for_several(space, single, at, more, search, last=True)
    _several_for_several(space, search)
    left = frozenset(free[0]), frozenset(free[1])
    for group in sorted(standing):
        if all(left[side].issuperset(group[side]) for side in (0, 1)) and _passed_over(space, group, search):
            search.groups.setdefault(group, 0)
    return search


def _keys(side: Entries, at: int) -> list[str]:
    """Under which an entry may be added up with others."""
    account = str(side.frame["counterparty_account"][at])
    return sorted(
        {f"t{text[:LONG_PREFIX]}" for text in (side.memo[at], side.party[at]) if text}
        | {f"i{word}" for word in side.identifiers[at]}
        | ({f"a{account}"} if account else set[str]())
    )


def _by_key(side: Entries, chosen: Sequence[int]) -> _Keyed:
    found: defaultdict[_Key, list[tuple[int, int]]] = defaultdict(list)
    for at in chosen:
        ground = int(side.ground[at])
        if ground >= 0 and 0 < abs(int(side.minor[at])) < LARGEST:
            for key in _keys(side, at):
                found[ground, key].append((int(side.valued[at]), at))
    ordered = ((key, sorted(rows)) for key, rows in found.items())
    return {key: ([day for day, _ in rows], [at for _, at in rows]) for key, rows in ordered}


def _passed_over(space: _Space, group: Group, search: Search) -> bool:
    """Whether a group is one that a bound may have kept the search from.

    INVARIANT: where no bound was met a group that stands is no candidate by standing, or the best whole would depend on
    what was matched before.
    """
    one, other = group
    terms, sides = space.terms, space.sides
    several = min(len(one), len(other)) > 1
    looked = one if several else one if len(one) == 1 else other
    searched = 0 if looked is one else 1
    most = min(SEVERAL, terms.largest_group) if several else terms.largest_group
    if max(len(one), len(other)) > most or search.short.isdisjoint((searched, at) for at in looked):
        return False
    chosen = [(side, at) for side, part in zip(sides, group, strict=True) for at in part]
    if len({int(side.ground[at]) for side, at in chosen}) > 1 or any(side.ground[at] < 0 for side, at in chosen):
        return False
    if not all(_in_window(sides, 0, left, right, terms) for left in one for right in other):
        return False
    totals = [sum(space.minor[side][at] for at in group[side]) for side in (0, 1)]
    currency = str(sides[0].frame["currency"][one[0]])
    if several:
        exact = totals[0] - totals[1] in (0, *known_fees(terms, currency))
        return exact and not _falls_apart(sides, one, other)
    return max(map(abs, totals)) < LARGEST and bears(totals[0], totals[1], currency, terms)


def _one_for_several(space: _Space, single: int, at: int, steps: int, search: Search, *, last: bool = False) -> bool:
    """Add to the search the groups of the other side that one entry may stand for.

    Args:
        space: What is searched.
        single: The side of the entry.
        at: Its position.
        steps: So many are taken at most.
        search: Where they are added.
        last: Whether what is found counts where the steps do not suffice.

    Returns:
        Whether they did.
    """
    target, ground = abs(space.minor[single][at]), int(space.sides[single].ground[at])
    if ground < 0 or not 0 < target < LARGEST:
        return True
    currency, terms = str(space.sides[single].frame["currency"][at]), space.terms
    slack = max(terms.tolerance(target, currency), *known_fees(terms, currency), 0)
    pool, whole = _pool(space, single, at, target + slack)
    amounts = [abs(space.minor[1 - single][other]) for other in pool]
    subsets, taken, enough = _subsets(amounts, target, slack, terms.largest_group, steps)
    search.steps += taken
    if not enough and not last:
        return False
    if not (whole and enough):
        search.short.add((single, at))
    fitting: list[tuple[int, tuple[int, ...]]] = []
    for chosen in subsets:
        total = sum(amounts[place] for place in chosen)
        sign = 1 if space.minor[single][at] > 0 else -1
        one, other = (target, total) if single == 0 else (total, target)
        if bears(sign * one, sign * other, currency, terms):
            off = 0 if fee_of(sign * one, sign * other, known_fees(terms, currency)) else abs(total - target)
            fitting.append((off, tuple(sorted(pool[place] for place in chosen))))
    fitting.sort()
    for place, (off, group) in enumerate(fitting):
        found = ((at,), group) if single == 0 else (group, (at,))
        if place < KEPT or found in space.standing:
            rivals = sum(1 for also, _ in fitting if also <= off) - 1
            search.groups[found] = max(search.groups.get(found, 0), rivals)
    return enough


def _pool(space: _Space, single: int, at: int, below: int) -> tuple[list[int], bool]:
    """The entries that may be added up for one, the greatest amounts first, and whether they are all."""
    theirs, (first, last) = space.minor[1 - single], space.window(single, at)
    ground = int(space.sides[single].ground[at])
    shared: defaultdict[int, int] = defaultdict(int)
    whole = True
    for key in _keys(space.sides[single], at):
        days, places = space.keys[1 - single].get((ground, key), ([], []))
        start, end = bisect_left(days, first), bisect_right(days, last)
        whole = whole and end - start <= _COMMON
        for other in places[start : min(end, start + _COMMON)]:
            if abs(theirs[other]) < below:
                shared[other] += 1
    nearest = sorted(shared, key=lambda other: (-shared[other], abs(_days(space.sides, single, at, other)), other))
    pool = sorted(nearest[:POOL], key=lambda other: (-abs(theirs[other]), other))
    return pool, whole and len(nearest) <= POOL


def _subsets(
    amounts: list[int], target: int, slack: int, most: int, steps: int
) -> tuple[list[tuple[int, ...]], int, bool]:
    """Places of two to ``most`` amounts, given in descending order, that come to the target within the slack.

    Returns:
        What was found, the steps taken, and whether they sufficed.
    """
    found: list[tuple[int, ...]] = []
    if len(amounts) < 2:  # noqa: PLR2004 - several
        return found, 0, True
    least, greatest = target - slack, target + slack
    stack: list[tuple[int, int, tuple[int, ...]]] = [(0, 0, ())]
    taken = 0
    while stack and taken < steps:
        taken += 1
        start, total, chosen = stack.pop()
        if len(chosen) > 1 and least <= total <= greatest:
            found.append(chosen)
        left = most - len(chosen)
        for place in range(len(amounts) - 1, start - 1, -1) if left else ():
            amount = amounts[place]
            reached = total + sum(amounts[place : place + left])
            equal = place > start and amounts[place - 1] == amount
            if total + amount <= greatest and reached >= least and not equal:
                stack.append((place + 1, total + amount, (*chosen, place)))
    return found, taken, not stack


@dataclass(frozen=True, slots=True)
class _Crowd:
    """What is looked at for groups whose earliest expected entry is one: the nearest.

    Attributes:
        key: What they share.
        anchor: The entry.
        mates: The span of those of its side after it, in the order of the key.
        others: The span of the other side's.
    """

    key: _Key
    anchor: int
    mates: tuple[int, int]
    others: tuple[int, int]

    def steps(self, size: int, most: int) -> int:
        """What it takes to go through so many of each side."""
        mates, others = (min(end - start, size) for start, end in (self.mates, self.others))
        return sum(comb(mates, many - 1) + comb(others, many) for many in range(2, most + 1))


def _crowds(space: _Space) -> Iterator[_Crowd]:
    span = space.terms.days_earlier + space.terms.days_later
    for key in sorted(space.keys[0].keys() & space.keys[1].keys()):
        (mine, places), (theirs, _) = space.keys[0][key], space.keys[1][key]
        for place, anchor in enumerate(places):
            first, last = space.window(0, anchor)
            mates = place + 1, bisect_right(mine, mine[place] + span)
            others = bisect_left(theirs, first), bisect_right(theirs, last)
            if mates[1] > mates[0] and others[1] - others[0] > 1:
                yield _Crowd(key, anchor, mates, others)


def _several_for_several(space: _Space, search: Search) -> None:
    """Add groups of two or three against two or three that come to the same, or to a declared fee less."""
    most = min(SEVERAL, space.terms.largest_group)
    crowds = list(_crowds(space))
    fine = (size for size in CROWDS if sum(one.steps(size, most) for one in crowds) <= ALL_STEPS)
    size = next(fine, CROWDS[-1])
    fitting: defaultdict[tuple[int, ...], set[tuple[int, tuple[int, ...]]]] = defaultdict(set)
    for crowd in crowds:
        search.steps += crowd.steps(size, most)
        for fee, one, other in _meeting(space, crowd, size, most):
            fitting[other].add((fee, one))
        if max(crowd.mates[1] - crowd.mates[0], crowd.others[1] - crowd.others[0]) > size:
            search.short.add((0, crowd.anchor))
    for other, found in sorted(fitting.items()):
        for place, (_, one) in enumerate(sorted(found)):
            kept = place < KEPT or (one, other) in space.standing
            if kept and not _falls_apart(space.sides, one, other):
                search.groups.setdefault((one, other), len(found) - 1)


def _meeting(
    space: _Space, crowd: _Crowd, size: int, most: int
) -> Iterator[tuple[int, tuple[int, ...], tuple[int, ...]]]:
    """Groups of the anchor and groups of the other side of one sum, each with the fee that makes it so, or nought."""
    mates = space.keys[0][crowd.key][1][crowd.mates[0] : min(crowd.mates[1], crowd.mates[0] + size)]
    days, places = space.keys[1][crowd.key]
    day = int(space.sides[0].valued[crowd.anchor])
    middle = min(max(bisect_left(days, day), crowd.others[0]), crowd.others[1])
    around = places[max(crowd.others[0], middle - size) : min(crowd.others[1], middle + size)]
    nearest = sorted(around, key=lambda at: (abs(_days(space.sides, 0, crowd.anchor, at)), at))
    fees = 0, *known_fees(space.terms, str(space.sides[0].frame["currency"][crowd.anchor]))
    mine, theirs = space.minor
    sums: defaultdict[int, list[tuple[int, ...]]] = defaultdict(list)
    for many in range(1, most):
        for group in combinations(mates, many):
            equal = sums[mine[crowd.anchor] + sum([mine[at] for at in group])]
            if len(equal) < _RIVALS:
                equal.append((crowd.anchor, *group))
    for many in range(2, most + 1):
        for other in combinations(sorted(nearest[:size]), many):
            total = sum([theirs[at] for at in other])
            for fee in fees:
                for one in sums.get(total + fee, ()):
                    if all(_in_window(space.sides, 0, left, right, space.terms) for left in one for right in other):
                        yield fee, tuple(sorted(one)), other


def _falls_apart(sides: tuple[Entries, Entries], one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether a part of the one side comes to a part of the other: then these are two matches, not one."""
    parts = [
        {
            sum(int(side.minor[at]) for at in part)
            for many in range(1, len(chosen))
            for part in combinations(chosen, many)
        }
        for side, chosen in zip(sides, (one, other), strict=True)
    ]
    return not parts[0].isdisjoint(parts[1])


def _days(sides: tuple[Entries, Entries], single: int, at: int, other: int) -> int:
    """From the expected entry's value day to the actual one's."""
    expected, actual = (at, other) if single == 0 else (other, at)
    return int(sides[1].valued[actual]) - int(sides[0].valued[expected])


def _in_window(sides: tuple[Entries, Entries], single: int, at: int, other: int, terms: ReconciliationTerms) -> bool:
    return -terms.days_earlier <= _days(sides, single, at, other) <= terms.days_later

"""Groups whose amounts add up: one entry for several, and several for several. Pure.

Only entries of one ground that share a key (a party, an account, an identifier) and stand within the window are added
up, and only those that no pair explains convincingly. The search goes through the subsets of a bounded pool depth
first, the greatest amounts first, and leaves a branch as soon as its sum cannot be reached any more (Horowitz and
Sahni, 1974, for several against several: sums of both sides meet). It is bounded by steps, never by time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from interlock.packs.reconciliation.matching.entries import Entries
from interlock.packs.reconciliation.matching.tolerance import LARGEST, bears, fee_of, known_fees
from interlock.packs.reconciliation.matching.words import LONG_PREFIX
from interlock.packs.reconciliation.terms import ReconciliationTerms

POOL = 24
"""So many entries are added up for one, the nearest."""
STEPS = 4_000
"""Steps of the search for one entry."""
ALL_STEPS = 1_000_000
"""Steps of the search for all."""
KEPT = 8
"""So many groups of one entry are kept, the most exact."""
CROWD = 10
"""So many entries of each side of a key are looked at for several against several."""
SEVERAL = 3
"""So many of each side at most stand in a match of several against several."""
_COMMON = 2_000

Group = tuple[tuple[int, ...], tuple[int, ...]]
"""Positions on the expected side and on the actual side, ascending."""


@dataclass
class Search:
    """What is found, and what it took.

    Attributes:
        groups: The groups found, each with how many others of the same entry fit as well.
        steps: Steps taken.
        cut: For how many entries the search ended early.
    """

    groups: dict[Group, int] = field(default_factory=dict[Group, int])
    steps: int = 0
    cut: int = 0


def find_groups(
    expected: Entries, actual: Entries, free: tuple[Sequence[int], Sequence[int]], terms: ReconciliationTerms
) -> Search:
    """Groups of entries that no pair explains convincingly.

    Args:
        expected: One side.
        actual: The other.
        free: The positions of those entries on both sides, ascending.
        terms: How many may stand in a group, what may differ, by how many days.
    """
    search = Search()
    if terms.largest_group < 2:  # noqa: PLR2004 - one against one is a pair
        return search
    sides = (expected, actual)
    keys = [_by_key(side, chosen) for side, chosen in zip(sides, free, strict=True)]
    for single in (0, 1):
        for at in free[single]:
            _one_for_several(sides, single, at, keys[1 - single], terms, search)
    _several_for_several(sides, keys, terms, search)
    return search


def _keys(side: Entries, at: int) -> list[str]:
    """Under which an entry may be added up with others."""
    account = str(side.frame["counterparty_account"][at])
    return sorted(
        {f"t{text[:LONG_PREFIX]}" for text in (side.memo[at], side.party[at]) if text}
        | {f"i{word}" for word in side.identifiers[at]}
        | ({f"a{account}"} if account else set[str]())
    )


def _by_key(side: Entries, chosen: Sequence[int]) -> dict[tuple[int, str], list[int]]:
    found: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    for at in chosen:
        ground = int(side.ground[at])
        if ground >= 0 and 0 < abs(int(side.minor[at])) < LARGEST:
            for key in _keys(side, at):
                found[ground, key].append(at)
    return found


def _one_for_several(
    sides: tuple[Entries, Entries],
    single: int,
    at: int,
    keys: dict[tuple[int, str], list[int]],
    terms: ReconciliationTerms,
    search: Search,
) -> None:
    """Add to the search the groups of the other side that one entry may stand for."""
    mine, theirs = sides[single], sides[1 - single]
    target = abs(int(mine.minor[at]))
    ground = int(mine.ground[at])
    if ground < 0 or not 0 < target < LARGEST:
        return
    currency = str(mine.frame["currency"][at])
    slack = max(terms.tolerance(target, currency), *known_fees(terms, currency), 0)
    shared: defaultdict[int, int] = defaultdict(int)
    for key in _keys(mine, at):
        for other in keys.get((ground, key), ())[:_COMMON]:
            if abs(int(theirs.minor[other])) < target + slack and _in_window(sides, single, at, other, terms):
                shared[other] += 1
    if len(shared) < 2:  # noqa: PLR2004 - several
        return
    nearest = sorted(shared, key=lambda other: (-shared[other], _apart(sides, single, at, other), other))
    if len(nearest) > POOL:
        search.cut += 1
    pool = sorted(nearest[:POOL], key=lambda other: (-abs(int(theirs.minor[other])), other))
    amounts = [abs(int(theirs.minor[other])) for other in pool]
    fitting: list[tuple[int, tuple[int, ...]]] = []
    for chosen in _subsets(amounts, target, slack, terms.largest_group, search):
        total = sum(amounts[place] for place in chosen)
        sign = 1 if mine.minor[at] > 0 else -1
        one, other = (target, total) if single == 0 else (total, target)
        if bears(sign * one, sign * other, currency, terms):
            off = 0 if fee_of(sign * one, sign * other, known_fees(terms, currency)) else abs(total - target)
            fitting.append((off, tuple(sorted(pool[place] for place in chosen))))
    fitting.sort()
    for off, group in fitting[:KEPT]:
        rivals = sum(1 for also, _ in fitting if also <= off) - 1
        found = ((at,), group) if single == 0 else (group, (at,))
        search.groups[found] = max(search.groups.get(found, 0), rivals)


def _subsets(amounts: list[int], target: int, slack: int, most: int, search: Search) -> Iterator[tuple[int, ...]]:
    """Places of two to ``most`` amounts, given in descending order, that come to the target within the slack."""
    least, greatest = target - slack, target + slack
    steps = min(STEPS, ALL_STEPS - search.steps)
    stack: list[tuple[int, int, tuple[int, ...]]] = [(0, 0, ())]
    taken = 0
    while stack:
        if taken >= steps:
            search.cut += 1
            break
        taken += 1
        start, total, chosen = stack.pop()
        if len(chosen) > 1 and least <= total <= greatest:
            yield chosen
        left = most - len(chosen)
        for place in range(len(amounts) - 1, start - 1, -1) if left else ():
            amount = amounts[place]
            reached = total + sum(amounts[place : place + left])
            equal = place > start and amounts[place - 1] == amount
            if total + amount <= greatest and reached >= least and not equal:
                stack.append((place + 1, total + amount, (*chosen, place)))
    search.steps += taken


def _several_for_several(
    sides: tuple[Entries, Entries],
    keys: Sequence[dict[tuple[int, str], list[int]]],
    terms: ReconciliationTerms,
    search: Search,
) -> None:
    """Add groups of two or three against two or three that come to the same, or to a declared fee less."""
    most = min(SEVERAL, terms.largest_group)
    for key in sorted(keys[0].keys() & keys[1].keys()):
        crowd = keys[0][key], keys[1][key]
        if min(len(one) for one in crowd) < 2 or max(len(one) for one in crowd) > CROWD:  # noqa: PLR2004 - several
            continue
        if search.steps >= ALL_STEPS:
            search.cut += 1
            return
        sums: defaultdict[int, list[tuple[int, ...]]] = defaultdict(list)
        for group in _groups(crowd[0], most):
            sums[sum(int(sides[0].minor[at]) for at in group)].append(group)
        currency = str(sides[0].frame["currency"][crowd[0][0]])
        for other in _groups(crowd[1], most):
            search.steps += 1
            total = sum(int(sides[1].minor[at]) for at in other)
            fitting = [one for fee in (0, *known_fees(terms, currency)) for one in sums.get(total + fee, ())]
            for one in fitting[:KEPT]:
                near = all(_in_window(sides, 0, left, right, terms) for left in one for right in other)
                if near and not _falls_apart(sides, one, other):
                    search.groups.setdefault((one, other), len(fitting) - 1)


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


def _groups(crowd: list[int], most: int) -> Iterator[tuple[int, ...]]:
    for many in range(2, most + 1):
        yield from combinations(crowd, many)


def _days(sides: tuple[Entries, Entries], single: int, at: int, other: int) -> int:
    """From the expected entry's value day to the actual one's."""
    expected, actual = (at, other) if single == 0 else (other, at)
    return int(sides[1].valued[actual]) - int(sides[0].valued[expected])


def _apart(sides: tuple[Entries, Entries], single: int, at: int, other: int) -> int:
    return abs(_days(sides, single, at, other))


def _in_window(sides: tuple[Entries, Entries], single: int, at: int, other: int, terms: ReconciliationTerms) -> bool:
    return -terms.days_earlier <= _days(sides, single, at, other) <= terms.days_later

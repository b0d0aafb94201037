"""What people said of matches, in positions: some stand, some must not be proposed again. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from interlock.errors import Refused
from interlock.packs.reconciliation.matching.entries import Entries
from interlock.packs.reconciliation.matching.sums import Group

Members: TypeAlias = tuple[frozenset[Any], frozenset[Any]]
"""The identities of a match's expected entries and of its actual ones."""


@dataclass(frozen=True, eq=False)
class Wishes:
    """People's words.

    Attributes:
        confirmed: Matches that stand, in the order of their identities.
        refused: Matches that are not to be proposed.
        open: For each side, whether an entry is in no confirmed match.
        gone: Confirmed matches that cannot stand: an entry is not in force, or another one holds it.
        standing: Matches of several that stand, which no bound of the search passes over.
    """

    confirmed: tuple[Group, ...]
    refused: frozenset[Group]
    open: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    gone: int
    standing: frozenset[Group] = frozenset()


def read_wishes(
    expected: Entries,
    actual: Entries,
    confirmed: Collection[Members],
    refused: Collection[Members],
    standing: Collection[Members] = (),
) -> Wishes:
    """Turn identities into positions.

    Raises:
        Refused: a confirmed match is of two currencies, or has no entry on a side.
    """
    sides = (expected, actual)
    at = [{name: place for place, name in enumerate(side.frame["identity"].to_list())} for side in sides]
    free = np.ones(len(expected), dtype=np.bool_), np.ones(len(actual), dtype=np.bool_)
    firm: list[Group] = []
    gone = 0
    for members in sorted(set(confirmed), key=lambda one: (sorted(one[0]), sorted(one[1]))):
        group = _positions(members, at)
        if group is None or not all(bool(free[side][list(group[side])].all()) for side in (0, 1)):
            gone += 1
            continue
        _check(sides, group)
        for side in (0, 1):
            free[side][list(group[side])] = False
        firm.append(group)
    said, stand = ({_positions(members, at) for members in given} for given in (refused, standing))
    return Wishes(
        confirmed=tuple(firm),
        refused=frozenset(group for group in said if group is not None),
        open=free,
        gone=gone,
        standing=frozenset(group for group in stand if group is not None),
    )


class Refusals:
    """Matches that people refused, by what tells their entries from others.

    Args:
        sides: All entries.
        refused: The matches.
    """

    def __init__(self, sides: tuple[Entries, Entries], refused: Collection[Group]) -> None:
        self._twins: list[list[int]] = [side.twins.tolist() if refused else [] for side in sides]
        self._found: defaultdict[int, list[list[Counter[int]]]] = defaultdict(list)
        for group in sorted(refused):
            kinds = self._kinds(group)
            self._found[min(kinds[0])].append(kinds)

    def contradict(self, group: Group) -> bool:
        """Whether a match holds all entries of a refused one, or entries that nothing tells apart from them."""
        if not self._found:
            return False
        kinds = self._kinds(group)
        near = (refused for kind in kinds[0] for refused in self._found.get(kind, ()))
        return any(refused[0] <= kinds[0] and refused[1] <= kinds[1] for refused in near)

    def _kinds(self, group: Group) -> list[Counter[int]]:
        return [Counter(twins[at] for at in chosen) for twins, chosen in zip(self._twins, group, strict=True)]


def _positions(members: Members, at: list[dict[Any, int]]) -> Group | None:
    """None: one of them is not in force."""
    if not all(name in at[side] for side in (0, 1) for name in members[side]):
        return None
    one, other = (tuple(sorted(at[side][name] for name in members[side])) for side in (0, 1))
    return one, other


def _check(sides: tuple[Entries, Entries], group: Group) -> None:
    if not group[0] or not group[1]:
        raise Refused("a confirmed match has entries of one side only", todo="name entries of both sides")
    found = {str(side.frame["currency"][at]) for side, chosen in zip(sides, group, strict=True) for at in chosen}
    if len(found) > 1:
        raise Refused(
            f"a confirmed match is of {' and '.join(sorted(found))}", todo="confirm matches of one currency only"
        )

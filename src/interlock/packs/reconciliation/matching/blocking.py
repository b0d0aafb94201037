"""Which pairs are looked at: sorted neighbourhoods under several keys, bounded for every entry. Pure.

Entries that share a key (the beginning of a text, a rare word, an identifier, an account, the amount itself) are sorted
by amount and day, both sides in one order, and each looks at its nearest on the other side only (the sorted
neighbourhood method; Hernández and Stolfo, 1995). So ten thousand equal entries cost as little as ten thousand
different ones; equal ones meet in the order of their identities.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interlock.packs.reconciliation.matching.entries import Entries, allowed_accounts
from interlock.packs.reconciliation.matching.tolerance import bear_many
from interlock.packs.reconciliation.matching.words import LONG_PREFIX, PREFIX, Rarity
from interlock.packs.reconciliation.terms import ReconciliationTerms

Ints = NDArray[np.int64]

REACH = 48
"""So many neighbours to each side of its place an entry looks at, under each key."""
NEAR = 12
"""The same under the key of an equal amount and under identifiers."""
MOST = 64
"""So many pairs of an entry are kept."""
TOLD = 3
"""So many pairs of an entry that the terms do not bear are kept, to explain what stays open."""
COMMON = 400
"""A word that more entries of a side have is no key."""
RARE = 2
"""So many of its rarest words an entry is found by."""
_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs to be judged, sorted by position on the expected side, then on the actual one.

    Attributes:
        one: Positions on the expected side.
        other: Positions on the actual side.
        borne: Whether tolerance and days allow them to be matched; the others only explain what stays open.
        cut: How many entries at least had more neighbours on these terms than were looked at or kept.
    """

    one: Ints
    other: Ints
    borne: NDArray[np.bool_]
    cut: int

    def __len__(self) -> int:
        """How many."""
        return len(self.one)


@dataclass(frozen=True, eq=False)
class Keyed:
    """Under which keys the entries of a side are found: one row for each key of each entry.

    Attributes:
        entry: Positions.
        key: Numbers of keys, the same on both sides.
    """

    entry: Ints
    key: Ints


def block(expected: Entries, actual: Entries, terms: ReconciliationTerms) -> Pairs:
    """The pairs worth a look: at most ``MOST`` of each entry that the terms bear, and some that they do not."""
    if not len(expected) or not len(actual):
        none = np.zeros(0, dtype=np.int64)
        return Pairs(none, none, np.zeros(0, dtype=np.bool_), 0)
    found: list[tuple[Ints, Ints]] = []
    cut = 0
    for keyed, reach in _rules(expected, actual):
        one, other, full = _neighbours(expected, actual, keyed, reach, terms)
        found.append((one, other))
        cut = max(cut, full)
    many = len(actual)
    codes, times = np.unique(np.concatenate([one * many + other for one, other in found]), return_counts=True)
    one, other = codes // many, codes % many
    keep = allowed_accounts(expected, actual, terms, (one, other)) & (expected.ground[one] >= 0)
    one, other, times = one[keep], other[keep], times[keep]
    borne = borne_pairs(expected, actual, (one, other), terms)
    kept, left_out = _best(expected, actual, (one, other), borne, times)
    return Pairs(one[kept], other[kept], borne[kept], max(cut, left_out))


def borne_pairs(
    expected: Entries, actual: Entries, pairs: tuple[Ints, Ints], terms: ReconciliationTerms
) -> NDArray[np.bool_]:
    """Of each pair: whether the terms bear its amounts and days."""
    one, other = pairs
    days = actual.valued[other] - expected.valued[one]
    near = (days <= terms.days_later) & (days >= -terms.days_earlier)
    found = near.copy()
    currencies = expected.texts("currency")
    chosen = np.nonzero(near)[0]
    found[chosen] = bear_many(
        expected.minor[one[chosen]],
        actual.minor[other[chosen]],
        [currencies[at] for at in one[chosen].tolist()],
        terms,
    )
    return found


def _rules(expected: Entries, actual: Entries) -> Iterable[tuple[tuple[Keyed, Keyed], int]]:
    """Every kind of key, and how far one looks under it."""
    sides = (expected, actual)
    for length in (PREFIX, LONG_PREFIX):
        yield _keyed([[_beginnings(side, at, length) for at in range(len(side))] for side in sides], sides), REACH
    accounts = [side.texts("counterparty_account") for side in sides]
    yield _keyed([[[name] if name else [] for name in side] for side in accounts], sides), REACH
    both = [[*side.words] for side in sides]
    rarity = Rarity(words for side in both for words in side)
    yield _keyed([[_rarest(words, rarity) for words in side] for side in both], sides), REACH
    numbers = Rarity(words for side in sides for words in side.identifiers)
    yield _keyed([[_rarest(sorted(one), numbers, most=8) for one in side.identifiers] for side in sides], sides), NEAR
    yield _keyed([[[str(minor)] for minor in side.minor.tolist()] for side in sides], sides), NEAR


def _beginnings(side: Entries, at: int, length: int) -> list[str]:
    """The beginnings of an entry's memo and party; a short text counts whole."""
    return sorted({text[:length] for text in (side.memo[at], side.party[at]) if text})


def _rarest(words: Sequence[str], rarity: Rarity, most: int = RARE) -> list[str]:
    """The words that fewest entries have, none that too many have."""
    counted = sorted((rarity.count(word), word) for word in words)
    return [word for count, word in counted[:most] if 1 < count <= COMMON]


def _keyed(sides: Sequence[Sequence[Sequence[str]]], entries: tuple[Entries, Entries]) -> tuple[Keyed, Keyed]:
    """Number the keys; only those that both sides have, within one ground, are kept."""
    numbers: defaultdict[tuple[int, str], int] = defaultdict(lambda: len(numbers))
    rows: list[tuple[list[int], list[int]]] = []
    for keys, side in zip(sides, entries, strict=True):
        grounds = side.ground.tolist()
        at = [position for position, of in enumerate(keys) for _ in of]
        rows.append((at, [numbers[grounds[position], key] for position, of in enumerate(keys) for key in of]))
    shared = np.intersect1d(np.array(rows[0][1], dtype=np.int64), np.array(rows[1][1], dtype=np.int64))
    kept: list[Keyed] = []
    for at, key in rows:
        codes = np.array(key, dtype=np.int64)
        both = np.isin(codes, shared)
        kept.append(Keyed(np.array(at, dtype=np.int64)[both], codes[both]))
    return kept[0], kept[1]


def _neighbours(
    expected: Entries, actual: Entries, keyed: tuple[Keyed, Keyed], reach: int, terms: ReconciliationTerms
) -> tuple[Ints, Ints, int]:
    """Pairs that stand near each other in the common order of both sides, and how many rows had more than fit."""
    mine, theirs = keyed
    order_mine, order_theirs, place = _places(expected, actual, mine, theirs)
    rows, others = mine.entry[order_mine], theirs.entry[order_theirs]
    keys, other_keys = mine.key[order_mine], theirs.key[order_theirs]
    if not len(rows) or not len(others):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), 0
    offsets = np.arange(-reach, reach, dtype=np.int64)
    ones: list[Ints] = []
    twos: list[Ints] = []
    full = 0
    share = float(terms.tolerance_share)
    wide = share * 2 + 0.5  # far enough to see a wrong amount
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        at = place[part, None] + offsets
        inside = (at >= 0) & (at < len(others))
        at = np.clip(at, 0, len(others) - 1)
        inside &= other_keys[at] == keys[part, None]
        row, column = np.nonzero(inside)
        left, right = rows[part][row], others[at[row, column]]
        amounts, against = expected.minor[left].astype(np.float64), actual.minor[right].astype(np.float64)
        near = np.abs(amounts - against) <= wide * np.maximum(np.abs(amounts), np.abs(against))
        days = actual.valued[right] - expected.valued[left]
        near &= (days <= terms.days_later + _more(terms)) & (days >= -terms.days_earlier - _more(terms))
        borne = np.abs(amounts - against) <= share * np.maximum(np.abs(amounts), np.abs(against))
        borne &= (days <= terms.days_later) & (days >= -terms.days_earlier)
        edge = borne & ((column == 0) | (column == 2 * reach - 1))
        full += int(np.unique(row[edge]).size)
        ones.append(left[near])
        twos.append(right[near])
    return np.concatenate(ones), np.concatenate(twos), full


def _more(terms: ReconciliationTerms) -> int:
    """By how many days beyond the window a pair is looked at, to explain what stays open."""
    return max(terms.days_later, terms.days_earlier, 5)


def _places(expected: Entries, actual: Entries, mine: Keyed, theirs: Keyed) -> tuple[Ints, Ints, Ints]:
    """Both sides' rows in one order: key, amount, day, number among equals. Where each of mine falls among theirs."""
    rows: list[tuple[Ints, Ints, Ints, Ints]] = []
    orders: list[Ints] = []
    for side, keyed in ((expected, mine), (actual, theirs)):
        key, minor, day = keyed.key, side.minor[keyed.entry], side.valued[keyed.entry]
        order = np.lexsort((keyed.entry, day, minor, key)).astype(np.int64)
        key, minor, day = key[order], minor[order], day[order]
        orders.append(order)
        rows.append((key, minor, day, _runs(key, minor, day)))
    side = np.concatenate([np.zeros(len(rows[0][0]), np.int64), np.ones(len(rows[1][0]), np.int64)])
    key, minor, day, number = (np.concatenate([rows[0][at], rows[1][at]]) for at in range(4))
    merged = np.lexsort((side, number, day, minor, key))
    before = np.cumsum(side[merged])
    place = np.zeros(len(side), dtype=np.int64)
    place[merged] = before
    return orders[0], orders[1], place[: len(rows[0][0])]


def _runs(*columns: Ints) -> Ints:
    """For sorted columns: the number of each row within its run of equal ones, from 0."""
    if not len(columns[0]):
        return np.zeros(0, dtype=np.int64)
    new = np.zeros(len(columns[0]), dtype=np.bool_)
    new[0] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    starts = np.nonzero(new)[0]
    return np.arange(len(new), dtype=np.int64) - starts[np.cumsum(new) - 1]


def _best(
    expected: Entries, actual: Entries, pairs: tuple[Ints, Ints], borne: NDArray[np.bool_], times: Ints
) -> tuple[NDArray[np.int64], int]:
    """The pairs that are among the best of both of their entries, by keys shared, amount and day; and how many fell."""
    one, other = pairs
    amounts, against = expected.minor[one].astype(np.float64), actual.minor[other].astype(np.float64)
    apart = np.abs(amounts - against) / np.maximum(np.maximum(np.abs(amounts), np.abs(against)), 1.0)
    days = np.abs(actual.valued[other] - expected.valued[one])
    worth = times + 1.0 / (1.0 + 20.0 * apart) + 1.0 / (1.0 + 0.2 * days) + 8.0 * borne
    first = _rank(one, worth, other)
    second = _rank(other, worth, one)
    keep = borne & (first < MOST) & (second < MOST)
    others = np.nonzero(~borne)[0]
    near = np.minimum(
        _rank(one[others], worth[others], other[others]), _rank(other[others], worth[others], one[others])
    )
    keep[others[near < TOLD]] = True
    fallen = np.nonzero(~keep & borne)[0]
    return np.nonzero(keep)[0], int(np.unique(one[fallen]).size)


def _rank(side: Ints, worth: NDArray[np.float64], opposite: Ints) -> Ints:
    """The rank of each pair among those of its entry, the worthiest first; equals: the nearest in order of identity."""
    order = np.lexsort((np.abs(side - opposite), opposite, -worth, side))
    number = np.empty(len(side), dtype=np.int64)
    number[order] = _runs(side[order])
    return number

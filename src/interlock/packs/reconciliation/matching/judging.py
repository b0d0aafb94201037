"""What is known of a match in its neighbourhood: ``MATCH_FEATURES`` columns, the input of ``match.onnx``. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interlock.packs.reconciliation.matching.features import PAIR_FEATURES

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]

MOST = 16.0
"""Log odds are held within this, on both sides of nought."""
_OF_PAIR = (
    "amount_equal",
    "amount_apart",
    "amount_apart_size",
    "amount_apart_units",
    "amount_size",
    "amount_fee",
    "days",
    "memo_prefix_share",
    "memo_equal",
    "memo_words",
    "memo_edits",
    "initials_shared",
    "party_likeness",
    "party_in_text",
    "names_weight",
    "names_share",
    "identifiers_weight",
    "identifiers_share",
    "account_equal",
    "reference_equal",
)
_COLUMNS = [PAIR_FEATURES.index(name) for name in _OF_PAIR]
MATCH_FEATURES = (
    "log_odds",  # of the pair; of a group's weakest member
    "log_odds_best",  # of a group's strongest member
    "marginal",  # log odds that it is the one, when every entry belongs to one match at most
    "margin",  # what the whole loses without it
    "rival_expected",  # log odds of the best other match of its expected entries
    "rival_actual",
    "gap",  # from its own log odds to the better of them
    "rivals",  # log(1 + other matches of its entries that are worth a thought)
    "component",  # log(1 + matches of its component)
    "entries_expected",
    "entries_actual",
    "alternatives",  # log(1 + other groups that come as near to the amount)
    *(f"pair_{name}" for name in _OF_PAIR),  # of a group, the pair of its weakest member
)


@dataclass(frozen=True, eq=False)
class Rivals:
    """The other matches of each match's entries; those that only twins tell apart do not count.

    Attributes:
        expected: The greatest log odds among those of its expected entries, ``-MOST`` if there are none.
        actual: The same of its actual entries.
        runner_up: The number of the best of all, -1 if there is none.
        many: How many are worth a thought.
    """

    expected: Reals
    actual: Reals
    runner_up: Ints
    many: Ints


def rivals_of(match: Ints, entry: Ints, log_odds: Reals, alike: Ints, expected: int) -> Rivals:
    """Find them.

    Args:
        match: Of each membership.
        entry: Of each membership; the expected side is numbered first.
        log_odds: Of each match.
        alike: Of each match: equal where only twins differ.
        expected: How many entries the expected side has.
    """
    many = len(log_odds)
    odds, kind = log_odds[match], alike[match]
    order = np.lexsort((match, -odds, entry))
    first = order[np.unique(entry[order], return_index=True)[1]]
    entries = int(entry.max()) + 1 if len(entry) else 0
    best = np.full(entries, -1, dtype=np.int64)
    best[entry[first]] = first
    other = order[kind[order] != kind[best[entry[order]]]]
    second = np.full(entries, -1, dtype=np.int64)
    starts = other[np.unique(entry[other], return_index=True)[1]] if len(other) else other
    second[entry[starts]] = starts
    mine = best[entry]
    rival = np.where(kind[mine] == kind, second[entry], mine) if len(entry) else mine
    worth = np.where(rival >= 0, odds[rival], -np.inf)
    sides: list[Reals] = []
    for side in (entry < expected, entry >= expected):
        found = np.full(many, -np.inf)
        np.maximum.at(found, match[side], worth[side])
        sides.append(np.maximum(found, -MOST))
    runner_up = np.full(many, -1, dtype=np.int64)
    ascending = np.lexsort((-match[rival] if len(rival) else rival, worth))
    ascending = ascending[rival[ascending] >= 0]
    runner_up[match[ascending]] = match[rival[ascending]]
    near = np.bincount(entry, odds > -4.0, minlength=entries)  # noqa: PLR2004 - one in fifty
    around = np.bincount(match, near[entry] - (odds > -4.0), minlength=many)  # noqa: PLR2004 - as above
    return Rivals(sides[0], sides[1], runner_up, around.astype(np.int64))


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """What the whole says of chosen matches, in columns ``[n]``.

    Attributes:
        log_odds: Of the pair, or of the weakest member.
        strongest: Of the strongest member.
        marginal: Log odds.
        margin: In log odds.
        rival_expected: See ``Rivals``.
        rival_actual: See ``Rivals``.
        rivals: How many.
        component: Matches of the component.
        entries_expected: How many.
        entries_actual: How many.
        alternatives: Groups that come as near.
        pairs: The features of the pair, or of the weakest member's, ``[n, len(PAIR_FEATURES)]``.
    """

    log_odds: Reals
    strongest: Reals
    marginal: Reals
    margin: Reals
    rival_expected: Reals
    rival_actual: Reals
    rivals: Ints
    component: Ints
    entries_expected: Ints
    entries_actual: Ints
    alternatives: Ints
    pairs: NDArray[np.float32]


def match_features(of: Neighbourhood) -> NDArray[np.float32]:
    """float32 ``[n, len(MATCH_FEATURES)]``, all finite."""
    columns = [
        of.log_odds,
        of.strongest,
        np.clip(of.marginal, -MOST, MOST),
        np.clip(of.margin, 0.0, 2 * MOST),
        of.rival_expected,
        of.rival_actual,
        of.log_odds - np.maximum(of.rival_expected, of.rival_actual),
        np.log1p(of.rivals),
        np.log1p(of.component),
        of.entries_expected,
        of.entries_actual,
        np.log1p(of.alternatives),
    ]
    return np.column_stack([*columns, of.pairs[:, _COLUMNS]]).astype(np.float32)


def log_odds(probability: Reals) -> Reals:
    """The logarithm of the odds, within ``MOST``."""
    held = np.clip(probability, 1e-7, 1.0 - 1e-7)
    return np.log(held) - np.log1p(-held)

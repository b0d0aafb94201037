"""What is known of a pair: ``PAIR_FEATURES`` columns, the input of ``pair.onnx``. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process
from rapidfuzz.distance import JaroWinkler, Levenshtein, Prefix

from interlock.packs.reconciliation.matching.entries import Entries
from interlock.packs.reconciliation.matching.tolerance import known_fees
from interlock.packs.reconciliation.matching.words import Rarity, shared_weights
from interlock.packs.reconciliation.terms import ReconciliationTerms

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]
Matrix = NDArray[np.float32]

PAIR_FEATURES = (
    "amount_equal",
    "amount_apart",  # (actual - expected) / the greater, signed as money
    "amount_apart_size",
    "amount_apart_units",  # log(1 + minor units apart)
    "amount_size",  # log10 of the greater
    "amount_of_tolerance",  # how much of what is tolerated is used up
    "amount_fee",
    "amount_transposed",
    "days",  # from the expected value day to the actual one
    "days_size",
    "days_booked",
    "days_working",
    "memo_prefix",  # characters that both begin with
    "memo_prefix_share",  # of the shorter
    "memo_equal",
    "memo_words",  # whole words that both begin with
    "memo_winkler",
    "memo_edits",
    "memo_left",  # how the expected memo goes on after the common beginning: 0 not, 1 a new word, -1 within a word
    "memo_right",
    "memo_none",
    "initials_shared",
    "party_likeness",
    "party_in_text",
    "names_weight",
    "names_share",
    "identifiers_weight",
    "identifiers_share",
    "account_equal",
    "reference_equal",
    "code_equal",
)
_CHUNK = 50_000
_AMOUNTS = slice(0, 8)


@dataclass(frozen=True, eq=False)
class Known:
    """What the rarity of words is counted on: all entries of both sides.

    Attributes:
        names: Words of memos and parties.
        identifiers: Identifiers.
        listed: The identifiers of each entry of both sides, in order.
    """

    names: Rarity
    identifiers: Rarity
    listed: tuple[list[list[str]], list[list[str]]]


def known_of(expected: Entries, actual: Entries) -> Known:
    """Count the words of both sides."""
    sides = (expected, actual)
    return Known(
        Rarity(words for side in sides for words in side.words),
        Rarity(words for side in sides for words in side.identifiers),
        ([sorted(one) for one in expected.identifiers], [sorted(one) for one in actual.identifiers]),
    )


def pair_features(
    expected: Entries, actual: Entries, pairs: tuple[Ints, Ints], terms: ReconciliationTerms, known: Known
) -> Matrix:
    """The features of pairs of positions: float32 ``[n, len(PAIR_FEATURES)]``, all finite."""
    found = np.zeros((len(pairs[0]), len(PAIR_FEATURES)), dtype=np.float32)
    for start in range(0, len(pairs[0]), _CHUNK):
        part = pairs[0][start : start + _CHUNK], pairs[1][start : start + _CHUNK]
        columns = [
            *amount_features(expected.minor[part[0]], actual.minor[part[1]], _currencies(expected, part[0]), terms),
            *_day_features(expected, actual, part),
            *_memo_features(expected, actual, part),
            *_party_features(expected, actual, part),
            *_word_features(expected, actual, part, known),
            *_equalities(expected, actual, part),
        ]
        found[start : start + _CHUNK] = np.column_stack(columns).astype(np.float32)
    return found


def with_sums(
    features: Matrix, expected: Ints, actual: Ints, currencies: list[str], terms: ReconciliationTerms
) -> Matrix:
    """The same features as if the entries had other amounts: those of the groups that they stand in."""
    found = features.copy()
    found[:, _AMOUNTS] = np.column_stack(amount_features(expected, actual, currencies, terms)).astype(np.float32)
    return found


def amount_features(expected: Ints, actual: Ints, currencies: list[str], terms: ReconciliationTerms) -> list[Reals]:
    """The first eight features."""
    one, other = expected.astype(np.float64), actual.astype(np.float64)
    size = np.maximum(np.maximum(np.abs(one), np.abs(other)), 1.0)
    apart = other - one
    names, codes = np.unique(np.array(currencies, dtype=np.str_), return_inverse=True)
    amounts = np.array([terms.tolerance(0, str(name)) for name in names], dtype=np.float64)
    borne = np.maximum(float(terms.tolerance_share) * size, amounts[codes] if len(names) else 0.0)
    fee = np.zeros(len(one), dtype=np.bool_)
    for at, name in enumerate(names):
        fee |= (codes == at) & np.isin(expected - actual, np.array(known_fees(terms, str(name)), dtype=np.int64))
    return [
        (expected == actual).astype(np.float64),
        np.clip(apart / size, -1.0, 1.0),
        np.minimum(np.abs(apart) / size, 1.0),
        np.log1p(np.abs(apart)),
        np.log10(size),
        np.minimum(np.abs(apart) / np.maximum(borne, 1.0), 2.0),
        fee.astype(np.float64),
        _transposed(expected, actual),
    ]


def _transposed(expected: Ints, actual: Ints) -> Reals:
    """Whether two neighbouring digits were exchanged: the difference is nine times a power of ten times one digit."""
    apart = np.abs(expected - actual)
    found = np.zeros(len(apart))
    for at in np.nonzero((apart > 0) & (apart % 9 == 0))[0].tolist():
        one, other = str(abs(int(expected[at]))), str(abs(int(actual[at])))
        places = [place for place in range(len(one)) if len(one) == len(other) and one[place] != other[place]]
        found[at] = (
            len(places) == 2  # noqa: PLR2004 - two digits
            and places[1] == places[0] + 1
            and one[places[0]] == other[places[1]]
            and one[places[1]] == other[places[0]]
        )
    return found


def _day_features(expected: Entries, actual: Entries, pairs: tuple[Ints, Ints]) -> list[Reals]:
    days = np.clip(actual.valued[pairs[1]] - expected.valued[pairs[0]], -400, 400)
    booked = np.clip(actual.booked[pairs[1]] - expected.booked[pairs[0]], -400, 400)
    first = expected.valued[pairs[0]].astype("datetime64[D]")
    working = np.busday_count(first, first + days.astype("timedelta64[D]"))
    return [
        days.astype(np.float64),
        np.abs(days).astype(np.float64),
        booked.astype(np.float64),
        working.astype(np.float64),
    ]


def _memo_features(expected: Entries, actual: Entries, pairs: tuple[Ints, Ints]) -> list[Reals]:
    left, right = _texts(expected.memo, pairs[0]), _texts(actual.memo, pairs[1])
    lefts = np.array([len(text) for text in left], dtype=np.int64)
    rights = np.array([len(text) for text in right], dtype=np.int64)
    prefix = _compare(left, right, Prefix.similarity).astype(np.int64)
    shorter = np.minimum(lefts, rights)
    ends = list(zip(left, right, prefix.tolist(), strict=True))
    on_left = np.array([_goes_on(one, at) for one, _, at in ends], dtype=np.float64)
    on_right = np.array([_goes_on(other, at) for _, other, at in ends], dtype=np.float64)
    words = np.array([_whole_words(one, other, at) for one, other, at in ends], dtype=np.float64)
    return [
        prefix.astype(np.float64),
        prefix / np.maximum(shorter, 1),
        ((prefix == lefts) & (prefix == rights) & (prefix > 0)).astype(np.float64),
        words,
        _compare(left, right, JaroWinkler.similarity),
        _compare(left, right, Levenshtein.normalized_similarity),
        on_left,
        on_right,
        (shorter == 0).astype(np.float64),
        _compare(_texts(expected.initials, pairs[0]), _texts(actual.initials, pairs[1]), Prefix.similarity),
    ]


def _goes_on(text: str, at: int) -> float:
    """How a text goes on after its first characters."""
    if at >= len(text):
        return 0.0
    return 1.0 if text[at] == " " or (at and text[at - 1] == " ") else -1.0


def _whole_words(one: str, other: str, at: int) -> float:
    """How many whole words both begin with."""
    ended = at > 0 and _goes_on(one, at) >= 0 and _goes_on(other, at) >= 0 and one[at - 1] != " "
    return float(one[:at].count(" ") + ended)


def _party_features(expected: Entries, actual: Entries, pairs: tuple[Ints, Ints]) -> list[Reals]:
    """How alike the parties are, and whether the one side's party stands in the other's text; -1: it has none."""
    left, right = _texts(expected.party, pairs[0]), _texts(actual.party, pairs[1])
    one_text, other_text = _texts(expected.memo, pairs[0]), _texts(actual.memo, pairs[1])
    named, also = np.array([bool(text) for text in left]), np.array([bool(text) for text in right])
    likeness = np.where(named & also, _compare(left, right, fuzz.token_set_ratio) / 100, -1.0)
    forth = np.where(named, _compare(left, other_text, fuzz.partial_ratio) / 100, -1.0)
    back = np.where(also, _compare(right, one_text, fuzz.partial_ratio) / 100, -1.0)
    return [likeness, np.maximum(forth, back)]


def _word_features(expected: Entries, actual: Entries, pairs: tuple[Ints, Ints], known: Known) -> list[Reals]:
    return [
        *shared_weights(expected.words, actual.words, pairs, known.names),
        *shared_weights(*known.listed, pairs, known.identifiers),
    ]


def _equalities(expected: Entries, actual: Entries, pairs: tuple[Ints, Ints]) -> list[Reals]:
    """1: both have it and it is equal, -1: both have it and it is not, 0: one has none."""
    found: list[Reals] = []
    for name in ("counterparty_account", "reference", "code"):
        one, other = expected.texts(name), actual.texts(name)
        numbers: dict[str, int] = {"": 0}
        mine = np.array([numbers.setdefault(text, len(numbers)) for text in one], dtype=np.int64)[pairs[0]]
        theirs = np.array([numbers.setdefault(text, len(numbers)) for text in other], dtype=np.int64)[pairs[1]]
        found.append(np.where((mine == 0) | (theirs == 0), 0.0, np.where(mine == theirs, 1.0, -1.0)))
    return found


def _texts(texts: list[str], at: Ints) -> list[str]:
    return [texts[position] for position in at.tolist()]


def _currencies(side: Entries, at: Ints) -> list[str]:
    return _texts(side.texts("currency"), at)


def _compare(left: list[str], right: list[str], scorer: Any) -> Reals:
    """A scorer of rapidfuzz for each row, in one thread."""
    return cast("Reals", process.cpdist(left, right, scorer=scorer, workers=1, dtype=np.float64))

"""One side's entries as arrays, sorted by identity, with everything that matching asks of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from interlock.errors import Refused
from interlock.packs.reconciliation.matching.words import LONGEST, fold, identifiers_of, initials_of, names_of
from interlock.packs.reconciliation.terms import ReconciliationTerms

Ints = NDArray[np.int64]

TEXTS = ("memo", "counterparty", "counterparty_account", "reference", "bank_reference", "code")
COLUMNS = ("identity", "account", "currency", "minor", "booked_on", "value_on", *TEXTS, "reverses")
"""What a frame of entries must have. ``identity`` may be of any type that sorts: text, binary."""


@dataclass(frozen=True, eq=False)
class Entries:
    """The entries of one side; every field holds one value for each, in the order of their identities.

    Attributes:
        frame: As they came, sorted.
        minor: Signed amounts.
        booked: Days of booking, since 1970-01-01.
        valued: Days from which they count.
        memo: Folded.
        party: The counterparty, folded.
        words: The words of memo and counterparty that are no identifiers.
        identifiers: Of memo, reference and bank reference.
        initials: Of the memo.
        ground: Which entries may meet at all: same currency, linked accounts, same sign. -1: with none.
        twins: Equal for entries that nothing tells apart but their identity.
    """

    frame: pl.DataFrame
    minor: Ints
    booked: Ints
    valued: Ints
    memo: list[str]
    party: list[str]
    words: list[tuple[str, ...]]
    identifiers: list[frozenset[str]]
    initials: list[str]
    ground: Ints
    twins: Ints

    def __len__(self) -> int:
        """How many."""
        return len(self.minor)

    def texts(self, column: str) -> list[str]:
        """A column of texts as it came."""
        return cast("list[str]", self.frame[column].to_list())


def take_entries(expected: pl.DataFrame, actual: pl.DataFrame, terms: ReconciliationTerms) -> tuple[Entries, Entries]:
    """Both sides, ready to be matched.

    Raises:
        Refused: a column is missing, a value is absent, or two entries of a side have one identity.
    """
    _check(expected, "expected")
    _check(actual, "actual")
    sides = [frame.select(COLUMNS).sort("identity") for frame in (expected, actual)]
    linked = _links(sides, terms)
    codes: dict[tuple[str, int, int], int] = {}
    return _entries(sides[0], linked[0], codes), _entries(sides[1], linked[1], codes)


def allowed_accounts(
    expected: Entries, actual: Entries, terms: ReconciliationTerms, pairs: tuple[Ints, Ints]
) -> NDArray[np.bool_]:
    """Of each pair of positions: whether the terms link their accounts."""
    if not terms.links:
        return np.ones(len(pairs[0]), dtype=np.bool_)
    accounts = {name: at for at, name in enumerate(sorted({name for link in terms.links for name in link}))}
    many = len(accounts)
    links = np.array(sorted(accounts[one] * many + accounts[other] for one, other in terms.links), dtype=np.int64)
    mine = np.array([accounts.get(name, many) for name in expected.texts("account")], dtype=np.int64)
    theirs = np.array([accounts.get(name, many) for name in actual.texts("account")], dtype=np.int64)
    return np.isin(mine[pairs[0]] * many + theirs[pairs[1]], links)


def _check(frame: pl.DataFrame, side: str) -> None:
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise Refused(f"the {side} entries have no column {', '.join(missing)}", todo="give every column of an entry")
    absent = [name for name in COLUMNS if frame[name].null_count()]
    if absent:
        raise Refused(f"{side} entries have no {', '.join(absent)}", todo="an absent text is empty, never null")
    if frame["identity"].n_unique() != len(frame):
        raise Refused(f"two {side} entries have the same identity", todo="give each entry once")


def _links(sides: Sequence[pl.DataFrame], terms: ReconciliationTerms) -> list[Ints]:
    """For each side, for each entry: the number of the group of accounts that links lead to, or -1."""
    if not terms.links:
        return [np.zeros(len(side), dtype=np.int64) for side in sides]
    group: dict[tuple[int, str], tuple[int, str]] = {}

    def root(node: tuple[int, str]) -> tuple[int, str]:
        while group.setdefault(node, node) != node:
            node = group[node]
        return node

    for one, other in sorted(terms.links):
        first, second = sorted((root((0, one)), root((1, other))))
        group[second] = first
    roots = {node: at for at, node in enumerate(sorted({root(node) for node in list(group)}))}
    return [
        np.array(
            [
                roots[root((at, name))] if (at, name) in group else -1
                for name in cast("list[str]", side["account"].to_list())
            ],
            dtype=np.int64,
        )
        for at, side in enumerate(sides)
    ]


def _entries(frame: pl.DataFrame, linked: Ints, codes: dict[tuple[str, int, int], int]) -> Entries:
    minor = frame["minor"].cast(pl.Int64).to_numpy()
    memo, party = fold(frame["memo"]), fold(frame["counterparty"])
    whole = fold(frame["memo"] + " " + frame["reference"] + " " + frame["bank_reference"])
    memos, parties = cast("list[str]", memo.to_list()), cast("list[str]", party.to_list())
    signs = np.sign(minor).tolist()
    currencies = cast("list[str]", frame["currency"].to_list())
    ground = [
        -1 if link < 0 else codes.setdefault((currency, link, sign), len(codes))
        for currency, link, sign in zip(currencies, linked.tolist(), signs, strict=True)
    ]
    same = frame.select(name for name in COLUMNS if name not in ("identity", "bank_reference"))
    return Entries(
        frame=frame,
        minor=minor,
        booked=_days(frame["booked_on"]),
        valued=_days(frame["value_on"]),
        memo=[text[:LONGEST] for text in memos],
        party=[text[:LONGEST] for text in parties],
        words=[names_of(f"{one} {other}") for one, other in zip(memos, parties, strict=True)],
        identifiers=[identifiers_of(text) for text in cast("list[str]", whole.to_list())],
        initials=[initials_of(text) for text in memos],
        ground=np.array(ground, dtype=np.int64),
        twins=_first_alike(same),
    )


def _days(dates: pl.Series) -> Ints:
    return dates.cast(pl.Date).cast(pl.Int32).cast(pl.Int64).to_numpy()


def _first_alike(frame: pl.DataFrame) -> Ints:
    """For each row, the number of the first row that is the same."""
    numbered = frame.with_row_index("at")
    return numbered.select(pl.col("at").min().over(frame.columns)).to_series().cast(pl.Int64).to_numpy()

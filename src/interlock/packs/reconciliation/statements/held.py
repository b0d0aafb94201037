"""Entries held against the contract ``entry@1``, a table at a time."""

from __future__ import annotations

import functools
from pathlib import Path

import polars as pl

from interlock.contracts import Contract, check, load_contract
from interlock.contracts.vectorised import vectorised

_FILE = Path(__file__).parent.parent / "contracts" / "entry@1.odcs.yaml"
_DAYS = ("booked_on", "value_on")
_NOT_HELD = ("line", "where")
_MOST_WORDS = 400


@functools.cache
def entry_contract() -> Contract:
    """The contract of one entry."""
    return load_contract(_FILE)


def against_contract(
    entries: pl.DataFrame, *, account: str, currency: str
) -> tuple[pl.DataFrame, list[tuple[int, str, str]]]:
    """Hold entries against their contract.

    Args:
        entries: By ``ENTRY_SCHEMA``.
        account: Whose they are.
        currency: Theirs.

    Returns:
        Those that keep it; and of each other its line, where it stands, and every violation in words.
    """
    contract = entry_contract()
    quick = vectorised(contract)
    records = entries.select(
        pl.lit(account).alias("account"),
        pl.lit(currency).alias("currency"),
        *(
            pl.col(name).dt.to_string("%Y-%m-%d") if name in _DAYS else pl.col(name)
            for name in entries.columns
            if name not in _NOT_HELD
        ),
    )
    if not entries.height:
        return entries, []
    accepted = [False] * entries.height if quick is None else quick.accepted(records, [])
    good = pl.Series("accepted", accepted, dtype=pl.Boolean())
    keeps = dict[int, str]()
    for place in (~good).arg_true().to_list():
        if violations := check(contract, records.row(place, named=True)):
            keeps[place] = "; ".join(str(one) for one in violations)[:_MOST_WORDS]
    if not keeps:
        return entries, []
    places = list(keeps)
    named = entries[places].select("line", "where").rows()
    refused = [(int(line), str(where), keeps[place]) for place, (line, where) in zip(places, named, strict=True)]
    kept = pl.Series("kept", [place not in keeps for place in range(entries.height)], dtype=pl.Boolean())
    return entries.filter(kept), refused

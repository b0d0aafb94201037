"""The public payments: 22,540 as the sender booked them and as the receiver did, the truth kept apart.

They come from splink_datasets (transactions, MIT): made by the Splink team, so foreign to this repository, not real.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path
from typing import cast

import polars as pl

from interlock.errors import NotFound
from interlock.packs.reconciliation.rehearsal import Case
from interlock.packs.reconciliation.terms import ReconciliationTerms

FILES = ("origin.parquet", "destination.parquet")
TERMS = ReconciliationTerms(name="payments", tolerance_share=Decimal("0.15"), days_later=30, days_earlier=3)
"""Amounts differ by a tenth, days by three weeks."""
TRAIN, HELD_OUT = 0, 1


def half_of(truth: int) -> int:
    """In which half a pair is: by a hash of its number, so that nothing else decides it."""
    return hashlib.sha256(str(truth).encode()).digest()[0] % 2


def read_payments(folder: Path, half: int | None = None, *, truth_of: int | None = None) -> Case:
    """Both sides, and the truth beside them.

    Args:
        folder: Where the two Parquet files are.
        half: ``TRAIN`` or ``HELD_OUT``; None: all of them together.
        truth_of: The half whose truth is given; None: as ``half``.

    Raises:
        NotFound: a file is not there.
    """
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise NotFound(f"{folder} has no {' and no '.join(missing)}", todo="give the folder of the payments")
    frames = [pl.read_parquet(folder / name) for name in FILES]
    told = half if truth_of is None else truth_of
    sides: list[pl.DataFrame] = []
    names: list[dict[int, str]] = []
    for side, frame in enumerate(frames):
        truths = cast("list[int]", frame["ground_truth"].to_list())
        halves = pl.Series([half_of(truth) for truth in truths])
        # The number of the pair is hidden in a digest that differs from side to side: nothing orders by it.
        identity = [hashlib.sha256(f"{side}/{truth}".encode()).hexdigest()[:32] for truth in truths]
        kept = halves == half if half is not None else halves >= 0
        sides.append(_entries(frame, identity, ("sender", "receiver")[side]).filter(kept))
        names.append({t: n for t, n in zip(truths, identity, strict=True) if told is None or half_of(t) == told})
    both = sorted(names[0].keys() & names[1].keys())
    truth = frozenset((frozenset({names[0][one]}), frozenset({names[1][one]})) for one in both)
    return Case("payments", sides[0], sides[1], TERMS, truth)


def _entries(frame: pl.DataFrame, identity: list[str], account: str) -> pl.DataFrame:
    empty = pl.lit("")
    return frame.select(
        identity=pl.Series(identity, dtype=pl.String),
        account=pl.lit(account),
        currency=pl.lit("GBP"),
        minor=(pl.col("amount") * 100).round().cast(pl.Int64),
        booked_on=pl.col("transaction_date"),
        value_on=pl.col("transaction_date"),
        memo=pl.col("memo"),
        counterparty=empty,
        counterparty_account=empty,
        reference=empty,
        bank_reference=empty,
        code=empty,
        reverses=pl.lit(value=False),
    )

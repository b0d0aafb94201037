"""Real payments as two parties report them, in pieces: what is handed in, and, apart from it, the truth."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import polars as pl

from interlock.cli.demo.reconciling.truth import SIGNATURES
from interlock.errors import NotFound
from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.generated import HandedFile
from interlock.packs.reconciliation.payments import FILES, HELD_OUT, half_of

PIECES = 6
"""How many files each side hands in: of the payments of consecutive days, so that equal ones are in one file."""

_HANDED = ("transaction_date", "amount", "memo")
"""All that intake is given. The number of a payment is the truth itself, and stays here."""

SETTINGS = """
[reconciliation.payments]
tolerance = ["15 %"]
differences = "any"
days_later = 30
days_earlier = 3

[reconciliation.payments.expected.origin]
folder = "in/origin"
format = "parquet"
account = "sender"
currency = "GBP"
dialect = {columns = {booked_on = "transaction_date", amount = "amount", memo = "memo"}, float = true}

[reconciliation.payments.actual.destination]
folder = "in/destination"
format = "parquet"
account = "receiver"
currency = "GBP"
dialect = {columns = {booked_on = "transaction_date", amount = "amount", memo = "memo"}, float = true}
"""


@dataclass(frozen=True, eq=False)
class Payments:
    """What a folder of payments holds.

    Attributes:
        files: What is handed in.
        signatures: The truth, by ``SIGNATURES``; payments that nothing tells apart have one signature.
        held_out: The part of it on which no model was trained.
    """

    files: tuple[HandedFile, ...]
    signatures: pl.DataFrame
    held_out: pl.DataFrame


def read_payments(folder: Path) -> Payments:
    """Read both files.

    Raises:
        NotFound: a file is not there, or has other columns.
    """
    sides: list[pl.DataFrame] = []
    for name in FILES:
        try:
            frame = pl.read_parquet(folder / name)
            sides.append(frame.select("ground_truth", *_HANDED, key=content_key((pl.col("amount") * 100).round())))
        except (OSError, pl.exceptions.PolarsError) as cause:
            raise NotFound(
                f"{folder / name} cannot be read: {str(cause)[:200]}",
                where="--data",
                todo=f"give a folder with {' and '.join(FILES)}",
            ) from cause
    truth = (
        sides[0]
        .join(sides[1], on="ground_truth", suffix="_actual")
        .with_columns(half=pl.col("ground_truth").map_elements(half_of, return_dtype=pl.Int64))
    )
    signatures = truth.select(
        "half",
        signature=pl.concat_str("key", "key_actual", separator="|"),
        group=pl.col("ground_truth"),
        kind=pl.lit("pair"),
    )
    files = [
        *_pieces(sides[0], "origin", Side.EXPECTED),
        *_pieces(sides[1], "destination", Side.ACTUAL),
    ]
    held_out = signatures.filter(pl.col("half") == HELD_OUT)
    return Payments(tuple(files), signatures.select(list(SIGNATURES)), held_out.select(list(SIGNATURES)))


def content_key(minor: pl.Expr) -> pl.Expr:
    """By what such a payment is told from others: amount, day and memo, its spaces made one; no spaces are left in it.

    Args:
        minor: The amount in minor units.
    """
    memo = pl.col("memo").str.strip_chars().str.replace_all(r"\s+", "_")
    return pl.concat_str(minor.cast(pl.Int64), "transaction_date", memo, separator="/")


def _pieces(frame: pl.DataFrame, source: str, side: Side) -> list[HandedFile]:
    days = frame["transaction_date"].unique().sort()
    files: list[HandedFile] = []
    for piece in range(PIECES):
        own = days.slice(piece * len(days) // PIECES, (piece + 1) * len(days) // PIECES - piece * len(days) // PIECES)
        part = frame.filter(pl.col("transaction_date").is_in(own.implode())).select(_HANDED).sort(_HANDED)
        written = BytesIO()
        part.write_parquet(written)
        name = f"{source}-{piece + 1}.parquet"
        files.append(HandedFile(name=name, source=source, side=side, data=written.getvalue(), states=()))
    return files

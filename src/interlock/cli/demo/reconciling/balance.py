"""Holding the books against our rows, to the cent: every posting is a match, every booked match is posted. Pure.

Both are tables; no Python object is made for a posting, so it does not matter how many there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import msgspec
import polars as pl

from interlock.money import Money
from interlock.packs.reconciliation.terms import ReconciliationTerms

MOST_TOLD = 20

ROWS: dict[str, pl.DataType] = {
    "reference": pl.String(),  # what the posting was to say
    "currency": pl.String(),
    "expected": pl.Int64(),  # what stands on the clearing account of the expected side, in minor units
    "actual": pl.Int64(),
}
"""What should be posted."""
_POSTING: dict[str, pl.DataType] = {
    "id": pl.String(),
    "state": pl.String(),
    "reference": pl.String(),
    "currency": pl.String(),
    "reverses": pl.String(),
    "lines": pl.List(pl.Struct({"account": pl.String(), "amount": pl.String()})),
}


class BooksBalance(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides, and every difference.

    Attributes:
        ours: How many bookings should stand.
        theirs: How many postings stand in the books, reversed ones and reversals left out.
        reversed: How many postings were reversed.
        ours_in: By currency, what should stand on both clearing accounts, as amounts.
        theirs_in: By currency, what stands there.
        differences: Each in a sentence; empty when they agree.
    """

    ours: int
    theirs: int
    reversed: int
    ours_in: dict[str, str]
    theirs_in: dict[str, str]
    differences: tuple[str, ...]


def read_postings(book: bytes) -> pl.DataFrame:
    """The book of a general ledger, NDJSON, as a table."""
    if not book.strip():
        return pl.DataFrame(schema=_POSTING)
    found = pl.read_ndjson(BytesIO(book), schema=_POSTING)
    return found.with_columns(pl.col("reverses").fill_null(""))


def balance(rows: pl.DataFrame, postings: pl.DataFrame, terms: ReconciliationTerms) -> BooksBalance:
    """Compare what should be posted with what is.

    Args:
        rows: By ``ROWS``: booked matches, and entries that are written off.
        postings: See ``read_postings``.
        terms: Whose accounts.
    """
    standing = postings.filter((pl.col("state") == "posted") & (pl.col("reverses") == ""))
    posted = (
        standing.select("id", "reference", "currency", "lines")
        .explode("lines")
        .unnest("lines")
        # amounts have exactly the decimals of their currency, so without the point they are minor units
        .with_columns(minor=pl.col("amount").str.replace(".", "", literal=True).cast(pl.Int64))
        .group_by("id", "reference", "currency")
        .agg(
            expected=-pl.col("minor").filter(pl.col("account") == terms.clearing_expected).sum(),
            actual=pl.col("minor").filter(pl.col("account") == terms.clearing_actual).sum(),
            off=pl.col("minor").sum(),
        )
    )
    differences = [*_differences(rows, posted), *_pending(postings)]
    told = len(differences)
    if told > MOST_TOLD:
        differences = [*differences[:MOST_TOLD], f"and {told - MOST_TOLD} more"]
    return BooksBalance(
        ours=rows.height,
        theirs=standing.height,
        reversed=postings.filter(pl.col("state") == "reversed").height,
        ours_in=_totals(rows),
        theirs_in=_totals(posted),
        differences=tuple(differences),
    )


def _differences(rows: pl.DataFrame, posted: pl.DataFrame) -> Iterator[str]:
    for (reference,) in posted.filter(pl.col("reference").is_duplicated()).select("reference").unique().iter_rows():
        yield f"{reference} stands in the books more than once"
    for (reference,) in posted.filter(pl.col("off") != 0).select("reference").iter_rows():
        yield f"{reference} does not sum to zero in the books"
    both = rows.join(posted, on="reference", how="full", suffix="_theirs", coalesce=False).sort(
        pl.coalesce("reference", "reference_theirs")
    )
    for row in both.iter_rows(named=True):
        if row["reference_theirs"] is None:
            yield f"we say booked, the books lack it: {row['reference']}"
        elif row["reference"] is None:
            yield f"the books have it, we do not say so: {row['reference_theirs']}"
        elif any(row[name] != row[f"{name}_theirs"] for name in ("currency", "expected", "actual")):
            ours, theirs = (f"{row[f'expected{one}']} and {row[f'actual{one}']}" for one in ("", "_theirs"))
            yield f"{row['reference']}: we say {ours}, the books {theirs}, in minor units of {row['currency']}"


def _pending(postings: pl.DataFrame) -> Iterator[str]:
    for (reference,) in postings.filter(pl.col("state") == "pending").select("reference").iter_rows():
        yield f"{reference} is pending in the books"


def _totals(rows: pl.DataFrame) -> dict[str, str]:
    sums = rows.group_by("currency").agg(pl.col("expected").sum(), pl.col("actual").sum()).sort("currency")
    return {
        currency: " / ".join(f"{Money.of_minor(minor, currency).amount:f}" for minor in (expected, actual))
        for currency, expected, actual in sums.iter_rows()
    }

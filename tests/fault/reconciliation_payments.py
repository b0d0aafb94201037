"""The real payments as statements, and the trained scorer; apart, since importing it takes as long as all the rest."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import polars as pl

from interlock.packs.reconciliation.entry import ENTRY_SCHEMA, Side, Statement
from interlock.packs.reconciliation.matching.scorer import load_scorer
from interlock.packs.reconciliation.payments import TERMS, read_payments
from interlock.packs.reconciliation.rounds.scored import with_scorer
from interlock.packs.reconciliation.rounds.solving import Solve
from interlock.packs.reconciliation.terms import ReconciliationTerms

FOLDER = "INTERLOCK_TEST_PAYMENTS"
"""Where the real data are."""
SLICES = 12
MADE = datetime(2026, 4, 1, tzinfo=UTC)


def scored(terms: ReconciliationTerms) -> tuple[ReconciliationTerms, Solve]:
    """The terms with the tolerances of these payments, and the trained solver."""
    own = {key: getattr(TERMS, key) for key in ("tolerance_share", "days_later", "days_earlier")}
    return msgspec.structs.replace(terms, **own), with_scorer(load_scorer())


def payments(side: Side) -> pl.DataFrame:
    """The real entries of one side, by day."""
    read = read_payments(Path(os.environ[FOLDER]))
    frame = (read.expected if side is Side.EXPECTED else read.actual).sort("booked_on", "minor", "memo")
    line = pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
    return frame.with_columns(line=line, where=pl.lit("")).select(list(ENTRY_SCHEMA))


def spanning(side: Side, number: str, found: pl.DataFrame, made: int) -> Statement:
    """A statement of these entries."""
    days = found["booked_on"].to_list()
    return Statement(
        format="test",
        account=side.value,
        currency="GBP",
        number=number,
        made_at=MADE + timedelta(hours=made),
        first_day=min(days),
        last_day=max(days),
        entries=found,
    )


def sliced(side: Side) -> list[Statement]:
    """The real entries of one side in spans of days that overlap by one; one span was wrong at first."""
    found = payments(side)
    days = found["booked_on"].unique().sort().to_list()
    size = -(-len(days) // SLICES)
    spans = [(days[at], days[min(at + size, len(days) - 1)]) for at in range(0, len(days), size)]
    parts = [found.filter(pl.col("booked_on").is_between(first, last)) for first, last in spans]
    right = [spanning(side, f"{at}", part, 1) for at, part in enumerate(parts)]
    return [spanning(side, "0", parts[0].with_columns(pl.col("minor") + 1), 0), *right]


def at_once(side: Side) -> Statement:
    """All of one side in one statement."""
    return spanning(side, "all", payments(side), 9)

"""Service levels of ODCS that are measured here: how fresh, how complete, how often, how much. Pure.

The names are those of the data product's quality of service that ODCS points to. The standard leaves their units and
windows open; what is meant here stands in docs/reference/contracts.md. What is not one of these, such as retention, is
a promise about the product that no look at its records can measure: it is kept as it was written.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec

from interlock.contracts.shown import Path

ALL_OF_THEM = 100
"""Percent."""


class Kind(StrEnum):
    """What a level promises."""

    LATENCY = "latency"
    """The newest moment in a field is at most so old."""
    FREQUENCY = "frequency"
    """A record arrives at least so often."""
    COMPLETENESS = "completeness"
    """In at least so many percent of the records a field is given."""
    ERROR_RATE = "errorRate"
    """At most so many percent of the records are refused by the contract."""
    THROUGHPUT = "throughput"
    """At least so many records arrive."""


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One measured promise about the data that pass a contract.

    Attributes:
        kind: What is promised.
        said: In words; what the level is known by.
        element: The path of the field that it is about; empty for the records as a whole.
        age: For latency and frequency, the longest that may pass.
        least: For completeness the percent, for throughput the number of records.
        most: For the error rate, the percent.
        window: What a share or a number is taken over.
        fewest: Records of a window below which a share says nothing.
    """

    kind: Kind
    said: str
    element: Path = ()
    age: timedelta | None = None
    least: Decimal | None = None
    most: Decimal | None = None
    window: timedelta | None = None
    fewest: int = 0

    def breach(self, seen: Seen) -> str:
        """What is wrong, in words, by what was seen; empty if the level is kept, or nothing can be said yet."""
        if self.age is not None:
            since = seen.moment_age if self.kind is Kind.LATENCY else seen.arrival_age
            if since is None or since <= self.age:
                return ""
            last = "the newest moment" if self.kind is Kind.LATENCY else "the last record"
            return f"{last} is {words(since)} old"
        if self.kind is Kind.THROUGHPUT:
            if seen.whole_window and self.least is not None and seen.records < self.least:
                return f"{seen.records:,} records came in {words(self.window)}"
            return ""
        if self.most is not None:
            return self._share_breach(seen.refused, seen.records + seen.refused, "are refused")
        return self._share_breach(seen.filled, seen.records, "have it")

    def _share_breach(self, part: int, whole: int, what: str) -> str:
        if whole < max(self.fewest, 1):
            return ""
        percent = Decimal(part * ALL_OF_THEM)
        low = self.least is not None and percent < self.least * whole
        high = self.most is not None and percent > self.most * whole
        return f"{part:,} of {whole:,} records {what} ({percent / whole:.2f} %)" if low or high else ""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of the records of one contract and tenant, as far as one level asks.

    Attributes:
        records: Records that kept the contract within the level's window.
        refused: Records that broke it.
        filled: Records in which the level's field was given.
        moment_age: How old the newest moment of its field is; None if none ever came.
        arrival_age: How long ago the last record came; None if none ever did.
        whole_window: Whether the first record came at least a window ago.
    """

    records: int = 0
    refused: int = 0
    filled: int = 0
    moment_age: timedelta | None = None
    arrival_age: timedelta | None = None
    whole_window: bool = False


def words(length: timedelta | None) -> str:
    """A length of time in words: ``4 d``, ``90 s``, ``2 h 30 min``."""
    seconds = max(0, int((length or timedelta()).total_seconds()))
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"

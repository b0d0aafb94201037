"""What a report is made of: sums as they are read. Pure types."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

import msgspec


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """Entries that went the same way since the last close, summed.

    Attributes:
        side: Whose entries.
        currency: ISO 4217.
        was: Where they stood at the last close: absent, open, matched, written_off, accepted.
        now_is: Where they stand: gone, open, matched, written_off, accepted.
        earlier: Whether their day was closed already.
        why: Why they are open; empty where they are not.
        age: How old they are; empty where they are not open.
        entries: How many.
        minor: Their signed sum, in minor units; a whole number.
    """

    side: str
    currency: str
    was: str
    now_is: str
    earlier: bool
    why: str
    age: str
    entries: int
    minor: Decimal


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force and how much of it is settled, by itself.

    Attributes:
        side: Whose entries.
        currency: ISO 4217.
        entries: How many are in force.
        minor: Their signed sum.
        settled_entries: How many of them a match, a write-off or an acceptance settles.
        settled_minor: Their signed sum.
    """

    side: str
    currency: str
    entries: int
    minor: Decimal
    settled_entries: int
    settled_minor: Decimal


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What all matches that settle entries of the account differ by; it is booked as fees and differences.

    Attributes:
        currency: ISO 4217.
        matches: How many.
        minor: The actual sums less the expected ones, as they are booked.
        fees: What of it is booked as fees.
        elsewhere: What entries of these matches on other accounts come to, actual less expected.
    """

    currency: str
    matches: int
    minor: Decimal
    fees: Decimal
    elsewhere: Decimal


class Stated(msgspec.Struct, frozen=True, kw_only=True):
    """A statement in force that ends in the period.

    Attributes:
        id: Its id.
        side: Whose.
        currency: ISO 4217.
        number: Its own number.
        first_day: Its first day, if it says one.
        last_day: Its last day, if it says one.
        opening_minor: The balance that it begins with, if it says one.
        closing_minor: The balance that it ends with, if it says one.
        entries: How many good entries it states.
        minor: Their signed sum.
        broken: How many are still broken.
    """

    id: UUID
    side: str
    currency: str
    number: str
    first_day: date | None
    last_day: date | None
    opening_minor: int | None
    closing_minor: int | None
    entries: int
    minor: Decimal
    broken: int


class Unready(msgspec.Struct, frozen=True, kw_only=True):
    """What of the period is not done.

    Attributes:
        kind: statement, broken, round, match, break, balance.
        id: Of the statement, the quarantine, the round, the match or the break; all zeros where no round ever ended.
        currency: ISO 4217.
        minor: The money in it, without sign, if that is known.
        what: In words.
    """

    kind: str
    id: UUID
    currency: str
    minor: Decimal | None
    what: str


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """What should stand on an account of the books.

    Attributes:
        kind: Which: clearing_expected, clearing_actual, fees, differences, write_offs.
        currency: ISO 4217.
        minor: Debit less credit, in minor units; a whole number.
    """

    kind: str
    currency: str
    minor: Decimal


class LastRound(msgspec.Struct, frozen=True, kw_only=True):
    """The last round that came to its end.

    Attributes:
        id: Its id.
        rested_on: The news that it rested on.
        figures: What it found and did, as JSON.
    """

    id: UUID
    rested_on: str
    figures: bytes


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """All that a report is made of."""

    flows: Sequence[Flow]
    totals: Sequence[Total]
    differences: Sequence[Difference]
    stated: Sequence[Stated]

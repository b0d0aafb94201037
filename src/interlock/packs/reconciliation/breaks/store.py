"""Breaks in the database."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
import polars as pl

from interlock.db.queries import load_queries


class NewBreak(msgspec.Struct, frozen=True, kw_only=True):
    """A break, written in the commit of its case.

    Attributes:
        id: Its id.
        tenant: Whose.
        reconciliation: The reconciliation.
        round: The round that found it.
        entry: The entry that nothing explains.
        key: Of its case.
        facts: Digest of what its case was told.
        cause: What the round takes it for.
        case_id: The case that follows it.
        at: The time of the commit.
    """

    id: UUID
    tenant: UUID
    reconciliation: str
    round: UUID
    entry: UUID
    key: str
    facts: UUID
    cause: str
    case_id: UUID
    at: datetime


class WithdrawnBreak(msgspec.Struct, frozen=True, kw_only=True):
    """A break whose case is recalled, and why."""

    id: UUID
    why: str
    at: datetime


class StandingBreak(msgspec.Struct, frozen=True, kw_only=True):
    """What a round compares with what should be."""

    id: UUID
    entry: UUID
    facts: UUID
    state: str
    case_id: UUID


class EarlierBreak(msgspec.Struct, frozen=True, kw_only=True):
    """How often the same was known of the same entry before."""

    facts: UUID
    turns: int


class BreakCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many breaks stand where, the value that they hold up, and the value day of the oldest."""

    state: str
    cause: str
    currency: str
    breaks: int
    minor: Decimal
    oldest: date


class BreakRow(msgspec.Struct, frozen=True, kw_only=True):
    """A break for people.

    Attributes:
        id: Its id.
        entry: The entry.
        key: Of its case.
        cause: What it is taken for.
        state: Where it stands: open, written_off, accepted, withdrawing, withdrawn.
        case_id: The case that follows it.
        why: Why it was taken back; else empty.
        opened_at: Since when.
        side: Whose entry it is.
        account: Of which account.
        currency: ISO 4217.
        minor: Signed minor units.
        value_on: From when its age counts.
        counterparty: The other party.
        reference: Identifiers.
        case_state: Where its case stands.
        waiting_for: What that waits for, in words.
        wake_at: Until when, if that is known.
        reminded_at: When its owner was reminded.
        exception: The open exception that asks what becomes of it.
    """

    id: UUID
    entry: UUID
    key: str
    cause: str
    state: str
    case_id: UUID
    why: str
    opened_at: datetime
    side: str
    account: str
    currency: str
    minor: int
    value_on: date
    counterparty: str
    reference: str
    case_state: str
    waiting_for: str
    wake_at: datetime | None
    reminded_at: datetime | None
    exception: UUID | None


class OpenRow(msgspec.Struct, frozen=True, kw_only=True):
    """An entry in force that is not settled, for people.

    Attributes:
        entry: The entry.
        side: Whose entry it is.
        account: Of which account.
        currency: ISO 4217.
        minor: Signed minor units.
        value_on: From when its age counts.
        counterparty: The other party.
        reference: Identifiers.
        why: ``match-STATE``, the cause of its break, or ``waiting`` for the other side's statements.
        known_until: The last day that a statement of the other side covers in this currency; None: there is none.
    """

    entry: UUID
    side: str
    account: str
    currency: str
    minor: int
    value_on: date
    counterparty: str
    reference: str
    why: str
    known_until: date | None


_SQL = load_queries(__file__)
ADD_BREAKS = _SQL.bulk("add_breaks", NewBreak, distinct=("id",))
WITHDRAW_BREAKS = _SQL.bulk("withdraw_breaks", WithdrawnBreak, distinct=("id",))
PROJECT_BREAKS = _SQL.rows("project_breaks", int)
STANDING_BREAKS = _SQL.rows("standing_breaks", StandingBreak)
EARLIER_BREAKS = _SQL.rows("earlier_breaks", EarlierBreak)
COUNT_BREAKS = _SQL.rows("count_breaks", BreakCount)
LATE_ENTRIES = _SQL.rows("late_entries", UUID)
LIST_OPEN = _SQL.rows("list_open", OpenRow)
LIST_BREAKS = _SQL.rows("list_breaks", BreakRow)

STANDING_BREAK_SCHEMA: dict[str, pl.DataType] = dict.fromkeys(("id", "entry", "facts", "state", "case_id"), pl.String())
"""The breaks that are alive, as columns."""
EARLIER_BREAK_SCHEMA: dict[str, pl.DataType] = {"facts": pl.String(), "turns": pl.Int64()}
"""How often the same was known before, as columns."""
LATE_ENTRY_SCHEMA: dict[str, pl.DataType] = {"id": pl.String()}
"""The entries that are late by the calendar, as a column."""

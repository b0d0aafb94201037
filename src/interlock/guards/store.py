"""The rows of buckets and reservations."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.queries import load_queries
from interlock.guards.books import Taken
from interlock.guards.bucket import BucketKey


class BucketRow(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket: the fields of ``BucketKey``, and what is used of it."""

    guard: str
    currency: str
    slot: str
    used: int

    @property
    def key(self) -> BucketKey:
        """Which it is."""
        return BucketKey(self.guard, self.currency, self.slot)


class ReservationRow(msgspec.Struct, frozen=True, kw_only=True):
    """What an action holds of a bucket, not settled yet.

    Attributes:
        action_id: Whose.
        guard: The bucket's guard.
        currency: The bucket's currency.
        slot: The bucket's slot: the original one, however late it is settled or released.
        amount_minor: How much.
    """

    action_id: UUID
    guard: str
    currency: str
    slot: str
    amount_minor: int

    @property
    def taken(self) -> Taken:
        """As the books have it."""
        return Taken(self.action_id, BucketKey(self.guard, self.currency, self.slot), self.amount_minor)


class NewBucket(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket that may be new."""

    tenant: UUID
    guard: str
    currency: str
    slot: str


class FilledBucket(msgspec.Struct, frozen=True, kw_only=True):
    """What a bucket holds from now on."""

    tenant: UUID
    guard: str
    currency: str
    slot: str
    used: int


class WantedPeriods(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """The buckets of a guard from one slot to another, both included."""

    guard: str
    currency: str
    least: str
    most: str


class WantedCallers(msgspec.Struct, frozen=True, kw_only=True):
    """The buckets of every caller under a guard in one period."""

    guard: str
    currency: str
    period: str


class NewReservation(msgspec.Struct, frozen=True, kw_only=True):
    """What an action takes."""

    action_id: UUID
    tenant: UUID
    guard: str
    currency: str
    slot: str
    amount_minor: int
    at: datetime


class EndedReservation(msgspec.Struct, frozen=True):
    """The action whose reservations end."""

    action_id: UUID


_SQL = load_queries(__file__)
KNOWN_BUCKETS = _SQL.rows("known_buckets", BucketRow)
OPEN_BUCKETS = _SQL.bulk("open_buckets", NewBucket, distinct=("guard", "currency", "slot"))
LOCK_BUCKETS = _SQL.rows("lock_buckets", BucketRow)
READ_PERIODS = _SQL.rows("read_periods", BucketRow)
CALLER_BUCKETS = _SQL.rows("caller_buckets", BucketRow)
RESERVED_BUCKETS = _SQL.rows("reserved_buckets", BucketRow)
FIND_RESERVATIONS = _SQL.rows("find_reservations", ReservationRow)
FILL_BUCKETS = _SQL.bulk("fill_buckets", FilledBucket, distinct=("guard", "currency", "slot"))
RESERVE = _SQL.bulk("reserve", NewReservation, distinct=("action_id", "guard"))
SETTLE = _SQL.bulk("settle", EndedReservation, distinct=("action_id",))
RELEASE = _SQL.bulk("release", EndedReservation, distinct=("action_id",))

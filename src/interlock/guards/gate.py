"""The gate of the limits: last of all locks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.batch import Batch
from interlock.db.queries import encode_rows, load_queries
from interlock.db.work import Condition, Refusal, Unit, Write
from interlock.guards.bucket import BucketKey, Draw, Pace, next_arrival
from interlock.money import Money


class BucketRow(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket under its lock: the fields of ``BucketKey``, and what is used of it."""

    guard: str
    currency: str
    slot: str
    used: int


class ReservationRow(msgspec.Struct, frozen=True, kw_only=True):
    """What an action holds of a bucket.

    Attributes:
        action_id: Whose.
        guard: The bucket's guard.
        currency: The bucket's currency.
        slot: The bucket's slot: the original one, however late it is settled or released.
        amount_minor: How much.
        state: ``reserved``, ``settled`` or ``released``.
    """

    action_id: UUID
    guard: str
    currency: str
    slot: str
    amount_minor: int
    state: str


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
OPEN_BUCKETS = _SQL.bulk("open_buckets", NewBucket, distinct=("guard", "currency", "slot"))
LOCK_BUCKETS = _SQL.rows("lock_buckets", BucketRow)
FIND_RESERVATIONS = _SQL.rows("find_reservations", ReservationRow)
FILL_BUCKETS = _SQL.bulk("fill_buckets", FilledBucket, distinct=("guard", "currency", "slot"))
RESERVE = _SQL.bulk("reserve", NewReservation, distinct=("action_id", "guard"))
SETTLE = _SQL.bulk("settle", EndedReservation, distinct=("action_id",))
RELEASE = _SQL.bulk("release", EndedReservation, distinct=("action_id",))


@dataclass(frozen=True, slots=True)
class NotAfter(Condition):
    """The database's clock is not past this moment: a decision's time limit, an action's deadline."""

    moment: datetime
    what: str


@dataclass(frozen=True, slots=True)
class Spends(Condition):
    """An action reserves what it needs, all or nothing. What it already holds is not taken again.

    Attributes:
        action_id: Whose; None: this unit records the action, whose id is then the unit's own.
    """

    action_id: UUID | None
    draws: tuple[Draw, ...]
    pace: Pace | None = None


@dataclass(frozen=True, slots=True)
class GivesBack(Condition):
    """An action ends without effect: what it reserved goes back to the slot that it was taken from."""

    action_id: UUID


@dataclass(slots=True)
class _Books:
    """The buckets of one tenant while they are locked."""

    used: dict[BucketKey, int]
    reserved: dict[UUID, list[ReservationRow]]
    changed: set[BucketKey] = field(default_factory=set[BucketKey])
    taken: list[NewReservation] = field(default_factory=list[NewReservation])

    def put(self, bucket: BucketKey, used: int) -> None:
        self.used[bucket] = used
        self.changed.add(bucket)


class GuardGate:
    """Admits greedily, in order of arrival, while every bucket is locked; writes each changed bucket once."""

    async def admit(self, batch: Batch) -> None:
        """Lock the buckets in order, then decide alone."""
        for unit, condition in _flat(batch.conditions(NotAfter).values()):
            if batch.now > condition.moment:
                batch.refuse(
                    unit, Refusal("expired", f"{condition.what} ended at {condition.moment:%Y-%m-%d %H:%M} UTC")
                )
        spends, returns = batch.conditions(Spends), batch.conditions(GivesBack)
        for tenant in sorted({*spends, *returns}):
            spending, returning = spends.get(tenant, []), returns.get(tenant, [])
            books = await self._open(batch, tenant, [c for _, c in spending], [c for _, c in returning])
            for _, returned in returning:
                for row in books.reserved.pop(returned.action_id, ()):
                    bucket = BucketKey(row.guard, row.currency, row.slot)
                    books.put(bucket, books.used[bucket] - row.amount_minor)
            for unit, condition in spending:
                refusal = _draw(books, unit, condition, batch.now)
                if refusal:
                    batch.refuse(unit, refusal)
            await self._write(batch, tenant, books)

    async def retract(self, batch: Batch) -> None:
        """It is the last gate: what it admits, nobody refuses."""

    async def _open(self, batch: Batch, tenant: UUID, spends: Sequence[Spends], returns: Sequence[GivesBack]) -> _Books:
        actions = sorted({c.action_id for c in (*spends, *returns) if c.action_id})
        rows = (await batch.ask(FIND_RESERVATIONS, {tenant: {"actions": actions}}))[tenant]
        reserved: dict[UUID, list[ReservationRow]] = {}
        for row in rows:
            reserved.setdefault(row.action_id, []).append(row)
        buckets = {BucketKey(row.guard, row.currency, row.slot) for row in rows}
        for condition in spends:
            buckets |= {draw.bucket for draw in condition.draws} | (
                {condition.pace.bucket} if condition.pace else set()
            )
        if not buckets:
            return _Books({}, reserved)
        new = [NewBucket(tenant=tenant, guard=b.guard, currency=b.currency, slot=b.slot) for b in sorted(buckets)]
        await OPEN_BUCKETS.run(batch.connection, new)
        locked = (await batch.ask(LOCK_BUCKETS, {tenant: {"wanted": encode_rows(new)}}))[tenant]
        await batch.look_at_clock()
        return _Books({BucketKey(row.guard, row.currency, row.slot): row.used for row in locked}, reserved)

    async def _write(self, batch: Batch, tenant: UUID, books: _Books) -> None:
        filled = [
            FilledBucket(tenant=tenant, guard=b.guard, currency=b.currency, slot=b.slot, used=books.used[b])
            for b in sorted(books.changed)
        ]
        await batch.use(tenant)
        if filled:
            await FILL_BUCKETS.run(batch.connection, filled)
        if books.taken:
            await RESERVE.run(batch.connection, books.taken)


def _draw(books: _Books, unit: Unit, condition: Spends, now: datetime) -> Refusal | None:
    """Take everything that one action needs, or nothing and say why; each attempt keeps the rate."""
    action_id = condition.action_id or unit.id
    draws = () if action_id in books.reserved else condition.draws
    for draw in draws:
        if books.used[draw.bucket] + draw.amount_minor > draw.most_minor:
            left = Money.of_minor(max(draw.most_minor - books.used[draw.bucket], 0), draw.bucket.currency)
            return Refusal("limit", f"{draw.bucket.guard} has {left} left")
    if condition.pace:
        arrival, again = next_arrival(books.used[condition.pace.bucket], condition.pace.rate, now)
        if again:
            return Refusal("rate", f"{condition.pace.bucket.guard} is used up", until=again)
        books.put(condition.pace.bucket, arrival)
    for draw in draws:
        books.put(draw.bucket, books.used[draw.bucket] + draw.amount_minor)
        books.taken.append(
            NewReservation(
                action_id=action_id,
                tenant=unit.tenant,
                guard=draw.bucket.guard,
                currency=draw.bucket.currency,
                slot=draw.bucket.slot,
                amount_minor=draw.amount_minor,
                at=now,
            )
        )
    books.reserved.setdefault(action_id, [])
    return None


def _flat(groups: Iterable[list[tuple[Unit, NotAfter]]]) -> list[tuple[Unit, NotAfter]]:
    return [item for group in groups for item in group]


def settle(action_id: UUID) -> Write:
    """The write that makes an action's reservations final."""
    return Write(SETTLE, EndedReservation(action_id))


def release(action_id: UUID) -> Write:
    """The write that ends an action's reservations; the unit must also say ``GivesBack``, which empties the buckets."""
    return Write(RELEASE, EndedReservation(action_id))

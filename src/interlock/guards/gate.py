"""The gate of the limits: last of all locks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from interlock.db.batch import Ask, Batch
from interlock.db.database import READ_CLOCK
from interlock.db.queries import encode_rows
from interlock.db.work import Condition, Refusal, Unit, Write
from interlock.guards.books import Alarm, Books
from interlock.guards.bucket import BucketKey, Draw, Pace
from interlock.guards.stops import ADD_STOPS, NewStop
from interlock.guards.store import (
    FILL_BUCKETS,
    FIND_RESERVATIONS,
    KNOWN_BUCKETS,
    LOCK_BUCKETS,
    OPEN_BUCKETS,
    READ_PERIODS,
    RELEASE,
    RESERVE,
    SETTLE,
    EndedReservation,
    FilledBucket,
    NewBucket,
    NewReservation,
    WantedPeriods,
)
from interlock.ledger.ledger import ADD_ENTRIES, further_entry

Kind = TypeVar("Kind", bound=Condition)
STOPS_BY_ITSELF = "interlock"
"""Who stops what came to its share."""

_LAST_SLOT = "9"
"""Sorts after every period: a year has four digits."""
_LEEWAY = timedelta(minutes=10)
"""Between the time at which a batch is put together and that under its locks; beyond it the periods are read again."""


class NotAfter(Condition, frozen=True):
    """The database's clock is not past this moment: a decision's time limit, an action's deadline.

    Attributes:
        moment: Until when.
        what: What ends then, in words.
        code: The code of the refusal: ``expired``, or ``stale`` where deciding anew mends it.
    """

    moment: datetime
    what: str
    code: str = "expired"


class Spends(Condition, frozen=True):
    """An action reserves what it needs, all or nothing; what it holds of an attempt without effect is drawn anew.

    Attributes:
        action_id: The action; None: this unit records the action, whose id is then the unit's own.
        draws: What it draws on.
        paces: The rates that it keeps, at each attempt.
        never: Why its limits can never let it go; empty if they can.
        doubtful: Whether an earlier attempt may have taken effect: then what it holds stays in its period.
    """

    action_id: UUID | None
    draws: tuple[Draw, ...] = ()
    paces: tuple[Pace, ...] = ()
    never: str = ""
    doubtful: bool = False

    @property
    def heads(self) -> set[BucketKey]:
        """The buckets to lock."""
        return {draw.head for draw in self.draws} | {pace.bucket for pace in self.paces}


class GivesBack(Condition, frozen=True):
    """An action ends without effect: what it reserved goes back to the slot that it was taken from."""

    action_id: UUID


class GuardGate:
    """Admits greedily, in order of arrival, while every bucket is locked; each changed bucket is written once."""

    def foresee(self, batch: Batch) -> list[Ask]:
        """Everything, unless something is given back: which buckets that changes, only the database knows."""
        wanted = _Wanted(batch)
        if not wanted.heads or wanted.returning:
            return []
        opened = {tenant: {"rows": encode_rows(_rows(tenant, heads))} for tenant, heads in wanted.heads.items()}
        return [Ask(OPEN_BUCKETS, opened), *wanted.under_lock()]

    async def admit(self, batch: Batch) -> None:
        """Lock the buckets in order, take the time, then decide alone."""
        _refuse_the_late(batch)
        for unit, condition in _flat(batch.conditions(Spends).values()):
            if condition.never:
                batch.refuse(unit, Refusal("limit", f"refused by its limits: {condition.never}"))
        wanted = _Wanted(batch)
        if not batch.was_foreseen(OPEN_BUCKETS):
            await wanted.prepare(batch)
        if not wanted.heads:
            return
        shelf = await wanted.read(batch)
        _refuse_the_late(batch)
        for tenant, books in shelf.items():
            _decide(batch, wanted, tenant, books)
        _write(batch, shelf)

    async def retract(self, batch: Batch) -> None:
        """It is the last gate: what it admits, nobody refuses."""


def _decide(batch: Batch, wanted: _Wanted, tenant: UUID, books: Books) -> None:
    """Give back first, then let draw in order of arrival."""
    for _, returned in wanted.returning.get(tenant, ()):
        books.give_back(returned.action_id)
    for unit, condition in wanted.spending.get(tenant, ()):
        if unit.id in batch.refused:
            continue
        known = set(books.alarms)
        action_id = condition.action_id or unit.id
        refusal = books.draw(action_id, condition.draws, condition.paces, batch.now, doubtful=condition.doubtful)
        if refusal:
            batch.refuse(unit, refusal)
        for scope in books.alarms.keys() - known:
            _stop(batch, unit, books.alarms[scope])


class _Wanted:
    """What a batch needs of the buckets, by tenant."""

    def __init__(self, batch: Batch) -> None:
        self.spending = batch.conditions(Spends)
        self.returning = batch.conditions(GivesBack)
        self.heads = {
            tenant: heads
            for tenant, pairs in self.spending.items()
            if (heads := {head for _, condition in pairs for head in condition.heads})
        }
        self.back: dict[UUID, set[WantedPeriods]] = {}

    async def prepare(self, batch: Batch) -> None:
        """Find what will be given back, make the buckets that are not there yet, and ask for the rest in one flush."""
        asked = {tenant: {"actions": [c.action_id for _, c in pairs]} for tenant, pairs in self.returning.items()}
        for tenant, rows in (await batch.ask(FIND_RESERVATIONS, asked)).items() if asked else ():
            for bucket in (row.taken.bucket for row in rows):
                self.heads.setdefault(tenant, set()).add(bucket.head)
                self.back.setdefault(tenant, set()).add(_only(bucket))
        if self.heads:
            await self._make(batch)
            await batch.ask_ahead(self.under_lock())

    async def _make(self, batch: Batch) -> None:
        """In order and before any lock, so that no two writers cross."""
        asked = {tenant: {"wanted": encode_rows(_rows(tenant, heads))} for tenant, heads in self.heads.items()}
        for tenant, rows in (await batch.ask(KNOWN_BUCKETS, asked)).items():
            new = self.heads[tenant] - {row.key for row in rows}
            if new:
                await batch.use(tenant)
                await OPEN_BUCKETS.run(batch.connection, _rows(tenant, new))

    def under_lock(self) -> list[Ask]:
        """First the locks; only then the time, and what actions and periods hold."""
        locks = {tenant: {"wanted": encode_rows(_rows(tenant, heads))} for tenant, heads in self.heads.items()}
        likely = {tenant: {"wanted": encode_rows(self._likely(tenant))} for tenant in self.heads}
        return [
            Ask(LOCK_BUCKETS, locks),
            Ask(READ_CLOCK, {tenant: {} for tenant in self.heads}),
            Ask(FIND_RESERVATIONS, self._actions()),
            Ask(READ_PERIODS, likely),
        ]

    async def read(self, batch: Batch) -> dict[UUID, Books]:
        """The books: what was asked for under the lock."""
        shelf = {tenant: Books() for tenant in sorted(self.heads)}
        tenants: dict[UUID, dict[str, object]] = {tenant: {} for tenant in shelf}
        for tenant, locked in (await batch.ask(LOCK_BUCKETS, tenants)).items():
            for row in locked:
                shelf[tenant].open(row.key, row.used)
        batch.now = max(batch.now, *(read for one in (await batch.ask(READ_CLOCK, tenants)).values() for read in one))
        for tenant, held in (await batch.ask(FIND_RESERVATIONS, tenants)).items():
            for row in held:
                shelf[tenant].hold(row.taken)
        periods = await batch.ask(READ_PERIODS, tenants)
        late = {
            tenant: {"wanted": encode_rows(sorted(needed))}
            for tenant, books in shelf.items()
            if not _covers(self._likely(tenant), needed := self._needed(tenant, batch.now) | _original(books))
        }
        for found in (periods, await batch.ask(READ_PERIODS, late) if late else {}):
            for tenant, rows in found.items():
                for row in rows:
                    shelf[tenant].open(row.key, row.used)
        return shelf

    def _actions(self) -> dict[UUID, dict[str, object]]:
        return {
            tenant: {
                "actions": sorted(
                    {c.action_id or unit.id for unit, c in self.spending.get(tenant, ())}
                    | {c.action_id for _, c in self.returning.get(tenant, ())}
                )
            }
            for tenant in self.heads
        }

    def _needed(self, tenant: UUID, now: datetime) -> set[WantedPeriods]:
        """The buckets beside the heads that count at a moment, or that something goes back to."""
        draws = {draw for _, condition in self.spending.get(tenant, ()) for draw in condition.draws}
        return {counted_periods(draw, now) for draw in draws if draw.bucket(now) != draw.head} | self.back.get(
            tenant, set()
        )

    def _likely(self, tenant: UUID) -> list[WantedPeriods]:
        """Those that will count, by the time at which the units were put together."""
        stamps = [unit.stamp.now for unit, _ in self.spending.get(tenant, ()) if unit.stamp]
        if not stamps:
            return sorted(self.back.get(tenant, set()))
        early, late = self._needed(tenant, min(stamps) - _LEEWAY), self._needed(tenant, max(stamps) + _LEEWAY)
        return sorted(early | late)


def counted_periods(draw: Draw, now: datetime) -> WantedPeriods:
    """What counts against a limit at a moment; of a sliding span every later period too."""
    if not draw.is_sliding:
        return _only(draw.bucket(now))
    first = draw.first_bucket(now)
    return WantedPeriods(guard=first.guard, currency=first.currency, least=first.slot, most=_LAST_SLOT)


def _only(bucket: BucketKey) -> WantedPeriods:
    return WantedPeriods(guard=bucket.guard, currency=bucket.currency, least=bucket.slot, most=bucket.slot)


def _original(books: Books) -> set[WantedPeriods]:
    """The periods from which something is held: an action that is sent again gives it back there."""
    held = (taken.bucket for holds in books.held.values() for taken in holds.values())
    return {_only(bucket) for bucket in held if bucket != bucket.head}


def _covers(likely: Iterable[WantedPeriods], needed: Iterable[WantedPeriods]) -> bool:
    read = list(likely)
    return all(
        any(
            (one.guard, one.currency) == (want.guard, want.currency)
            and one.least <= want.least
            and want.most <= one.most
            for one in read
        )
        for want in needed
    )


def _write(batch: Batch, shelf: Mapping[UUID, Books]) -> None:
    for tenant, books in shelf.items():
        filled = [
            FilledBucket(tenant=tenant, guard=b.guard, currency=b.currency, slot=b.slot, used=books.used[b])
            for b in sorted(books.changed)
        ]
        reserved = [
            NewReservation(
                action_id=taken.action_id,
                tenant=tenant,
                guard=taken.bucket.guard,
                currency=taken.bucket.currency,
                slot=taken.bucket.slot,
                amount_minor=taken.amount,
                at=batch.now,
            )
            for taken in books.taken
        ]
        batch.write_first(tenant, FILL_BUCKETS, filled)
        batch.write_first(tenant, RESERVE, reserved)


def _stop(batch: Batch, unit: Unit, alarm: Alarm) -> None:
    """Stop what came to its share in the very commit that brought it there: every later dispatch sees it."""
    if unit.stamp is None:
        raise AssertionError("a unit at the gate has its stamp")
    stop = NewStop(
        id=unit.stamp.new_id(),
        tenant=unit.tenant,
        scope=alarm.scope,
        who=STOPS_BY_ITSELF,
        why=alarm.why,
        until=alarm.until,
        created_at=batch.now,
    )
    entry = further_entry(
        unit.stamp, unit.tenant, "guard.stopped", subject=stop.id, scope=stop.scope, who=stop.who, why=stop.why,
        until=stop.until,
    )  # fmt: skip
    batch.write_first(unit.tenant, ADD_STOPS, [stop])
    batch.write_first(unit.tenant, ADD_ENTRIES, [entry.row])


def _refuse_the_late(batch: Batch) -> None:
    for unit, condition in _flat(batch.conditions(NotAfter).values()):
        if batch.now > condition.moment:
            what = f"{condition.what} ended at {condition.moment:%Y-%m-%d %H:%M} UTC"
            batch.refuse(unit, Refusal(condition.code, what))


def _rows(tenant: UUID, buckets: Iterable[BucketKey]) -> list[NewBucket]:
    return [NewBucket(tenant=tenant, guard=b.guard, currency=b.currency, slot=b.slot) for b in sorted(buckets)]


def _flat(groups: Iterable[Sequence[tuple[Unit, Kind]]]) -> list[tuple[Unit, Kind]]:
    return [item for group in groups for item in group]


def settle(action_id: UUID) -> Write:
    """The write that makes an action's reservations final."""
    return Write(SETTLE, EndedReservation(action_id))


def release(action_id: UUID) -> Write:
    """The write that ends an action's reservations; the unit must also say ``GivesBack``, which empties the buckets."""
    return Write(RELEASE, EndedReservation(action_id))

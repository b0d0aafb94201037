"""Sign-ins that are tried: counted before they are tried, so that many at once are as slow as one after the other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from interlock.db.database import Database
from interlock.db.gates import short_digest
from interlock.db.queries import load_queries
from interlock.identity.pauses import FREE, Counted, network_of, pause_after
from interlock.identity.written import write_entry


class HeldAttempts(msgspec.Struct, frozen=True):
    """A count under its lock."""

    failures: int
    paused_until: datetime
    now: datetime


class Place(NamedTuple):
    """What one attempt counts by.

    Attributes:
        id: The row.
        counted: By what.
        paused_until: What this attempt has set: should it be taken back, so is that.
    """

    id: UUID
    counted: Counted
    paused_until: datetime | None = None


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt, counted.

    Attributes:
        places: What it counts by.
        pause: How long nothing may be tried: before this one, or, should it fail, after it.
        admitted: Whether it may be tried.
    """

    places: tuple[Place, ...]
    pause: timedelta
    admitted: bool


_SQL = load_queries(__file__)
HOLD_ATTEMPTS = _SQL.rows("hold_attempts", HeldAttempts)
COUNT_ATTEMPT = _SQL.command("count_attempt")
CLEAR_ATTEMPTS = _SQL.command("clear_attempts")
UNCOUNT_ATTEMPT = _SQL.command("uncount_attempt")
FORGET_ATTEMPTS = _SQL.command("forget_attempts")
KNOWS_BROWSER = _SQL.rows("knows_browser", bool)


async def count_attempt(database: Database, tenant: UUID, *, name: str, address: str, browser: bytes | None) -> Tried:
    """Count an attempt as failed, before it is tried.

    Args:
        database: Where it is counted.
        tenant: Whose people.
        name: Whom somebody says that they are.
        address: Where they ask from.
        browser: The digest of what tells their browser from others; None: it has signed nobody in.
    """
    async with database.tenant(tenant) as connection:
        asked = {"name": name, "browser": browser}
        known = browser is not None and bool(await KNOWS_BROWSER.one(connection, asked))
        places = _places(tenant, name, address, browser if known else None)
        held = [(place, await _hold(connection, tenant, place)) for place in places]
        waits = max(row.paused_until - row.now for _, row in held)
        if waits > timedelta(0):
            return Tried(places=places, pause=waits, admitted=False)
        counted = [await _count(database, connection, tenant, place, row) for place, row in held]
        await FORGET_ATTEMPTS.run(connection)
        longest = max(pause for _, pause in counted)
        return Tried(places=tuple(place for place, _ in counted), pause=longest, admitted=True)


async def clear_attempts(database: Database, tenant: UUID, tried: Tried) -> None:
    """Somebody has proved who they are: forget what failed under their name.

    From their address others may be guessing, and they themselves other names: there only this attempt is taken back,
    with the pause that it would have made.
    """
    own = [place.id for place in tried.places if place.counted is not Counted.ADDRESS]
    async with database.tenant(tenant) as connection:
        await CLEAR_ATTEMPTS.run(connection, {"ids": own})
    await take_back_attempt(database, tenant, [place for place in tried.places if place.counted is Counted.ADDRESS])


async def take_back_attempt(database: Database, tenant: UUID, places: Sequence[Place]) -> None:
    """What was counted failed at nothing: it counts no more, and the pause that it made is over."""
    async with database.tenant(tenant) as connection:
        for place in places:
            await UNCOUNT_ATTEMPT.run(connection, {"id": place.id, "paused_until": place.paused_until})


def browser_digest(secret: str) -> bytes:
    """What is stored of what tells a browser from others."""
    return hashlib.sha256(secret.encode()).digest()


def _places(tenant: UUID, name: str, address: str, browser: bytes | None) -> tuple[Place, ...]:
    """Sorted, so that two attempts never wait for one another in a circle."""
    folded = name.lower().encode()
    wanted: Sequence[tuple[Counted, bytes]] = (
        [(Counted.NAME, folded), (Counted.ADDRESS, network_of(address).encode())]
        if browser is None
        else [(Counted.BROWSER, browser + folded)]
    )
    places = (Place(short_digest(tenant.bytes, b"sign-in", kind.encode(), what), kind) for kind, what in wanted)
    return tuple(sorted(places))


async def _hold(connection: AsyncConnection[Any], tenant: UUID, place: Place) -> HeldAttempts:
    row = await HOLD_ATTEMPTS.one(connection, {"id": place.id, "tenant": tenant, "kind": place.counted})
    if row is None:
        raise AssertionError("a row that was just made is there")
    return row


async def _count(
    database: Database, connection: AsyncConnection[Any], tenant: UUID, place: Place, row: HeldAttempts
) -> tuple[Place, timedelta]:
    failures = row.failures + 1
    pause = pause_after(place.counted, failures)
    until = row.now + pause
    values = {"id": place.id, "failures": failures, "paused_until": until}
    await COUNT_ATTEMPT.run(connection, values)
    if failures == FREE[place.counted]:  # once for each series: nobody fills the ledger from outside
        await write_entry(
            database, connection, tenant, "session.paused", subject=place.id, by=place.counted, failures=failures
        )
    return place._replace(paused_until=until), pause

"""How declared feeds of outcomes stand: since when they are asked, and which of their lines are not on record."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from interlock.autonomy.outcomes.plan import Became, Result
from interlock.db.database import Database, connect_service
from interlock.db.queries import load_queries
from interlock.db.text import storable

MOST_HELD = 10_000
"""Lines of one feed that are named. Where there are more, the feed is read from the same place again."""
_LONGEST = 500
_AGAIN = 20
"""A line is read again each time it has been held for one part in so many longer."""


class FeedStands(msgspec.Struct, frozen=True, kw_only=True):
    """How a feed stands.

    Attributes:
        feed: Its name.
        since: What a query is asked for next; None: everything.
        pulled_at: When it was pulled last.
        lines: How many lines the last pull read.
        new_lines: How many of these are on record since.
        trouble: Why it did not go through; empty: it did.
    """

    feed: str
    since: datetime | None
    pulled_at: datetime
    lines: int
    new_lines: int
    trouble: str


class HeldLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is not on record.

    Attributes:
        feed: Its feed.
        place: The file and its line, or the row's key.
        became: ``unknown``: its decision is not there yet; or ``refused``.
        what: Why.
        since: What the query was asked for when it gave the row; None: for everything.
        first_at: When it came first.
        last_at: When it came last.
    """

    feed: str
    place: str
    became: str
    what: str
    since: datetime | None
    first_at: datetime
    last_at: datetime


class _NewStands(FeedStands, frozen=True, kw_only=True):
    tenant: UUID


class _NewHeld(HeldLine, frozen=True, kw_only=True):
    tenant: UUID


class _Ours(msgspec.Struct, frozen=True):
    is_ours: bool


_SQL = load_queries(__file__)
_TAKE_FEED = _SQL.rows("take_feed", _Ours)
_END_FEED = _SQL.command("end_feed")
_FEEDS_OF = _SQL.rows("feeds_of", FeedStands)
_HELD_OF = _SQL.rows("held_of", HeldLine)
_SET_FEEDS = _SQL.bulk("set_feeds", _NewStands, distinct=("tenant", "feed"))
_HOLD_LINES = _SQL.bulk("hold_lines", _NewHeld, distinct=("tenant", "feed", "place"))
_LET_LINES_GO = _SQL.command("let_lines_go")


class Pull:
    """One pull of a feed: what it reads, and what of that is not on record.

    Args:
        feed: The feed.
        stands: How it stood; None: it is new.
        held: What was held of it.
        now: The time.
    """

    def __init__(self, feed: str, stands: FeedStands | None, held: Sequence[HeldLine], now: datetime) -> None:
        self.feed = feed
        self.since = stands.since if stands else None
        self.now = now
        self.lines = self.new_lines = self.beyond = 0
        self.told: list[HeldLine] = []
        self._held = {one.place: one for one in held}
        self._known = dict(self._held)
        self._seen: dict[str, HeldLine] = {}

    @property
    def held(self) -> Mapping[str, HeldLine]:
        """What is held now, by place."""
        return self._held

    def note(self, place: str, result: Result) -> None:
        """What became of a line, which stands in this place. What is not on record is told once."""
        self.lines += 1
        self.new_lines += result.became in (Became.RECORDED, Became.CORRECTED)
        place = storable(place)[:_LONGEST]
        if result.refused is None:
            self.let_go(place)
        else:
            self.hold(place, result.became, str(result.refused))

    def hold(self, place: str, became: str, what: str) -> None:
        """Hold what is not on record."""
        place, what = storable(place)[:_LONGEST], storable(what)[:_LONGEST]
        before = self._known.get(place)
        if before is None and place not in self._held and len(self._held) >= MOST_HELD:
            self.beyond += 1
            return
        since, first_at = (before.since, before.first_at) if before else (self.since, self.now)
        one = HeldLine(
            feed=self.feed, place=place, became=became, what=what, since=since, first_at=first_at, last_at=self.now
        )
        if before is None or (before.became, before.what) != (became, what):
            self.told.append(one)
        self._held[place] = self._seen[place] = one

    def let_go(self, place: str) -> None:
        """Hold no longer what stands in this place."""
        place = storable(place)[:_LONGEST]
        self._held.pop(place, None)
        self._seen.pop(place, None)

    def looks_again(self, before: str) -> bool:
        """Whether a held line whose place begins so is to be read again: the longer it has been held, the rarer."""
        return any(
            (self.now - one.last_at) * _AGAIN >= self.now - one.first_at
            for one in self._held.values()
            if one.place.startswith(storable(before))
        )

    def next_since(self, overlap: timedelta, wait: timedelta) -> datetime | None:
        """What a query is asked for next. A line that is not on record is asked for again for as long as it waits."""
        if self.beyond:
            return self.since
        waiting = [one.since for one in self._held.values() if self.now - one.first_at < wait]
        since = self.now - overlap
        for one in waiting:
            if one is None:
                return None
            since = min(since, one)
        return since

    async def keep(self, database: Database, tenant: UUID, since: datetime | None, trouble: str) -> None:
        """Write how the feed stands, in one commit."""
        stands = _NewStands(
            tenant=tenant, feed=self.feed, since=since, pulled_at=self.now, lines=self.lines,
            new_lines=self.new_lines, trouble=storable(trouble)[:_LONGEST],
        )  # fmt: skip
        held = [_NewHeld(tenant=tenant, **msgspec.structs.asdict(one)) for one in self._seen.values()]
        gone = sorted(self._known.keys() - self._held.keys())
        async with database.tenant(tenant) as connection:
            await _SET_FEEDS.run(connection, [stands])
            if held:
                await _HOLD_LINES.run(connection, held)
            if gone:
                await _LET_LINES_GO.run(connection, {"feed": self.feed, "places": gone})


async def begin_pull(database: Database, tenant: UUID, feed: str) -> Pull:
    """A pull of a feed that goes on where the last one was."""
    stands = {one.feed: one for one in await feeds_of(database, tenant)}
    held = await held_of(database, tenant, [feed])
    return Pull(feed, stands.get(feed), held, database.clock.now())


async def feeds_of(database: Database, tenant: UUID) -> list[FeedStands]:
    """How every feed stands that was ever pulled."""
    async with database.tenant(tenant) as connection:
        return await _FEEDS_OF.all(connection)


async def held_of(database: Database, tenant: UUID, feeds: Iterable[str], *, most: int = MOST_HELD) -> list[HeldLine]:
    """Lines of these feeds that are not on record, those that came first before the others."""
    async with database.tenant(tenant) as connection:
        return await _HELD_OF.all(connection, {"feeds": list(feeds), "most": most})


@asynccontextmanager
async def alone_with(url: str, tenant: UUID, feed: str) -> AsyncGenerator[bool]:
    """Be the only process that pulls a feed while this is open; False: another one does."""
    connection = await connect_service(url)
    async with connection:
        named = {"tenant": str(tenant), "feed": feed}
        ours = await _TAKE_FEED.one(connection, named)
        yield ours is not None and ours.is_ours
        if ours is not None and ours.is_ours:  # where this is not reached, it ends with the connection
            await _END_FEED.run(connection, named)

"""The ledger: how far it is sealed, signed and published; its entries; and one entry with its place in the tree."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, cast
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from msgspec import Meta

from interlock.api.bodies import Utc
from interlock.clock import first_id
from interlock.console.asking import address, asked_of
from interlock.console.case import as_file
from interlock.console.in_ledger import MOST_ENTRIES, read_places
from interlock.console.render import render
from interlock.console.store import ENTRIES_IN, GAPS_OPEN
from interlock.console.stored import as_lines, as_value, in_words
from interlock.console.visit import Visit, needs
from interlock.errors import NotFound, StateConflict
from interlock.ledger.checkpoint import checkpoint_of
from interlock.ledger.lag import Lag, lag_of
from interlock.ledger.ledger import ReadEntry
from interlock.ledger.prove import newest_checkpoint
from interlock.ledger.store import ENTRIES_ABOUT, FIND_HEAD, Head, KeptCheckpoint
from interlock.oversight.review import ReviewState
from interlock.oversight.store import FIND_REVIEW

PAGE = 50
LONGEST_S = 0.04
"""For how long one page looks for entries; then it says where the next one goes on."""
FIRST_STRETCH = timedelta(minutes=10)
UNTOLD = ("review.verdict",)
"""Kinds of which nobody learns more than that there is one, until their review is settled: see ``_is_blind``."""


class EntriesAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries.

    Attributes:
        kind: Only of this kind.
        about: Only those that tell of this thing: its id, that of its case, or of what it is about.
        until: Only those before this moment.
        since: Only those from this moment on.
        before: Only those before this entry: where an earlier page ended.
    """

    kind: Annotated[str, Meta(max_length=100)] | None = None
    about: UUID | None = None
    until: Utc | None = None
    since: Utc | None = None
    before: UUID | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How the ledger stands: its head, the newest checkpoint with what it says, and what waits for too long."""

    head: Head | None
    checkpoint: KeptCheckpoint | None
    origin: str
    lag: Lag


@get("/console/ledger", opt=needs("ledger.read"))
async def show_ledger(request: Visit) -> Response[bytes]:
    """How the ledger stands, and its entries, the newest first."""
    asked, node = asked_of(request, EntriesAsked), request.node
    more = ""
    async with node.database.tenant(request.tenant) as connection:
        gaps = await GAPS_OPEN.all(connection)
        about = await ENTRIES_ABOUT.all(connection, {"id": asked.about, "most": MOST_ENTRIES}) if asked.about else None
    if about is not None:
        places = await read_places(node.database, request.tenant, about)
        entries = [one.entry for one in places.entries if asked.kind in (None, one.entry.kind)]
    else:
        entries, goes_on = await _entries(request, asked)
        if goes_on is not None:
            since = asked.since.isoformat() if asked.since else None
            more = address("/console/ledger", kind=asked.kind, since=since, before=goes_on)
    return render(
        request, "ledger.html", asked=asked, entries=entries, next=more, gaps=gaps, standing=await _standing(request),
    )  # fmt: skip


@get("/console/ledger/checkpoint", opt=needs("ledger.read"))
async def download_checkpoint(request: Visit) -> Response[bytes]:
    """The newest signed note: kept outside, it shows later whether the ledger still begins with it."""
    async with request.node.database.installation() as connection:
        kept = await newest_checkpoint(connection)
    headers = {"Content-Disposition": f'attachment; filename="checkpoint-{kept.size}.txt"'}
    return Response(kept.note, media_type="text/plain; charset=utf-8", headers=headers)


@get("/console/ledger/{entry_id:uuid}", opt=needs("ledger.read"))
async def show_entry(request: Visit, entry_id: FromPath[UUID]) -> Response[bytes]:
    """One entry: what it tells, in words and as it is hashed, and its place."""
    places = await read_places(request.node.database, request.tenant, [entry_id])
    if not places.entries:
        raise NotFound(f"there is no entry {entry_id}", todo="see the list of entries")
    placed = places.entries[0]
    blind = await _is_blind(request, placed.entry)
    told = as_value(placed.entry.body)
    facts = cast("dict[str, Any]", told) if isinstance(told, dict) and not blind else {}
    return render(
        request, "entry.html", placed=placed, checkpoint=places.checkpoint, blind=blind,
        facts={name: (in_words(value), _link(name, value)) for name, value in facts.items()},
        body="" if blind else as_lines(placed.entry.body),
    )  # fmt: skip


@get("/console/ledger/{entry_id:uuid}/body", opt=needs("ledger.read"))
async def download_entry(request: Visit, entry_id: FromPath[UUID]) -> Response[bytes]:
    """What an entry tells, byte for byte as it is hashed."""
    places = await read_places(request.node.database, request.tenant, [entry_id])
    if not places.entries:
        raise NotFound(f"there is no entry {entry_id}", todo="see the list of entries")
    if await _is_blind(request, places.entries[0].entry):
        raise StateConflict("its review is not settled yet", todo="whoever gives the second verdict is not to know it")
    return as_file(places.entries[0].entry.body, f"entry-{entry_id}.json")


async def _is_blind(visit: Visit, entry: ReadEntry) -> bool:
    """Whether an entry tells a verdict that the second person is not to know yet."""
    if not entry.kind.startswith(UNTOLD):
        return False
    async with visit.node.database.tenant(visit.tenant) as connection:
        review = await FIND_REVIEW.one(connection, {"id": entry.subject})
    return review is not None and review.state in (ReviewState.OPEN, ReviewState.CLAIMED)


def _link(name: str, value: object) -> str:
    """Where the thing that a fact names has its page; empty: nowhere."""
    place = {"decision": "decisions", "action": "actions", "undo_of": "actions", "quarantine": "quarantine"}.get(name)
    return f"/console/{place}/{value}" if place and isinstance(value, str) else ""


async def _entries(visit: Visit, asked: EntriesAsked) -> tuple[list[ReadEntry], UUID | None]:
    """A page of entries, and where the next one goes on; None: there are no others.

    No index leads to the newest entries of one tenant or kind, so time is looked through in stretches that double, and
    a page ends when it is full or has taken its time.
    """
    database = visit.node.database
    now = database.clock.now()
    oldest = asked.since or now - timedelta(days=400)
    before = asked.before or first_id(min(asked.until or now, now) + timedelta(seconds=1))
    until, stretch, found = _moment(before), FIRST_STRETCH, list[ReadEntry]()
    give_up = time.monotonic() + LONGEST_S
    async with database.tenant(visit.tenant) as connection:
        while until > oldest:
            since = max(oldest, until - stretch)
            wanted = {"least": first_id(since), "before": before, "kind": asked.kind, "most": PAGE + 1 - len(found)}
            found += await ENTRIES_IN.all(connection, wanted)
            if len(found) > PAGE:
                return found[:PAGE], found[PAGE - 1].id
            before, until, stretch = first_id(since), since, stretch * 2
            if time.monotonic() > give_up:
                return found, before
    return found, None


def _moment(entry: UUID) -> datetime:
    """The moment in a UUIDv7, RFC 9562 section 5.7; the latest that there is for one that is none."""
    return datetime.fromtimestamp(min(entry.int >> 80, 253_402_300_799_000) / 1000, UTC)


async def _standing(visit: Visit) -> Standing:
    node = visit.node
    async with node.database.installation() as connection:
        head = await FIND_HEAD.one(connection)
        lag = await lag_of(connection, node.settings)
        try:
            kept = await newest_checkpoint(connection)
        except StateConflict:
            kept = None
    origin = checkpoint_of(kept.text).origin if kept else ""
    return Standing(head=head, checkpoint=kept, origin=origin, lag=lag)


ROUTES = (show_ledger, download_checkpoint, show_entry, download_entry)

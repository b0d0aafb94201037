"""What counts in this process: watched, loaded beside the running decisions, swapped in one assignment.

Every process looks at each notification and four times a second whether anything was published or reverted. What is new
is loaded in a thread; only when all of it is ready does one assignment replace what every tenant has. A decision takes
its tenant's value once and keeps it: nothing in that value ever changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Self, TypeAlias
from uuid import UUID

import msgspec
import psycopg

from interlock.db.database import Database
from interlock.db.signals import Notifier, news_within
from interlock.errors import DatabaseUnavailable, NotFound, PublicationUnusable
from interlock.publications.publication import Kind, Reference
from interlock.publications.publish import CHANNEL, content_of
from interlock.publications.reading import Loaded, load_published
from interlock.publications.store import COUNT_CHANGES, FIND_IN_FORCE, FoundInForce

POLL_S = 0.25
log = logging.getLogger("interlock.publications")


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """What counts for one reference.

    Attributes:
        version: Its whole version.
        digest: SHA-256 of its content.
        loaded: What decides; None where this process cannot load it.
        why_not: Why it cannot.
    """

    version: str
    digest: bytes
    loaded: Loaded | None
    why_not: PublicationUnusable | None = None


Snapshot: TypeAlias = Mapping[Reference, InForce]
"""What counts in one tenant at one moment. INVARIANT: it never changes; the next moment has another one."""
NOTHING: Snapshot = MappingProxyType({})
Before: TypeAlias = Callable[[Mapping[UUID, Snapshot]], Awaitable[None]]
"""What is done with the new values of some tenants before any decision sees them."""


async def _nothing(_changed: Mapping[UUID, Snapshot]) -> None:
    return


class Publications:
    """What counts, by tenant; a quarter of a second late at worst while the database answers.

    Args:
        database: Where it is published.
        notifier: Says when there is news.
        wanted: What the workflows of this process refer to; nothing else is loaded. Without any, nothing is watched.
        poll_s: How often it looks when there is no news.
        before: Awaited with what changes, before it takes effect; what it raises puts that off until the next look.
    """

    def __init__(
        self,
        database: Database,
        notifier: Notifier,
        wanted: Iterable[Reference],
        *,
        poll_s: float = POLL_S,
        before: Before = _nothing,
    ) -> None:
        self._database = database
        self._wanted = tuple(dict.fromkeys(wanted))
        self._poll_s = poll_s
        self._before = before
        self._news = asyncio.Event()
        self._changes = -1
        self._known: dict[tuple[Kind, str, bytes], InForce] = {}
        self._snapshots: Mapping[UUID, Snapshot] = MappingProxyType({})
        self._loop: asyncio.Task[None] | None = None
        notifier.listen(CHANNEL, self._news.set)

    async def __aenter__(self) -> Self:
        if self._wanted:
            await self._look()  # nothing is decided before it is known what counts
            self._loop = asyncio.create_task(self._watch(), name="interlock-publications")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._loop:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)

    def of(self, tenant: UUID) -> Snapshot:
        """What counts in a tenant now."""
        return self._snapshots.get(tenant, NOTHING)

    @property
    def unusable(self) -> tuple[str, ...]:
        """What counts and cannot be loaded by this process, with the reason; by name."""
        found = {
            f"{reference.kind} {reference.name}@{one.version}: {one.why_not.what}"
            for snapshot in self._snapshots.values()
            for reference, one in snapshot.items()
            if one.why_not is not None
        }
        return tuple(sorted(found))

    async def _watch(self) -> None:
        while (task := asyncio.current_task()) and not task.cancelling():
            await news_within(self._news, self._poll_s)
            try:
                await self._look()
            except (DatabaseUnavailable, NotFound, psycopg.Error):
                log.warning("what is published cannot be read now; looking again")
            except Exception:
                # whatever goes wrong here, the process must not stay for ever with what counted before
                log.exception("what is published could not be looked at; looking again")

    async def _look(self) -> None:
        """Compare, and load and swap if anything changed."""
        async with self._database.installation() as connection:
            changes = await COUNT_CHANGES.one(connection) or 0
            if changes == self._changes:
                return
            wanted = {
                "kinds": [str(one.kind) for one in self._wanted],
                "names": [one.name for one in self._wanted],
                "versions": [one.version for one in self._wanted],
            }
            rows = await FIND_IN_FORCE.all(connection, wanted)
        known: dict[tuple[Kind, str, bytes], InForce] = {}
        snapshots: dict[UUID, dict[Reference, InForce]] = {}
        for row in rows:
            key = (row.kind, row.name, row.digest)
            known[key] = known.get(key) or self._known.get(key) or await self._load(row)
            snapshots.setdefault(row.tenant, {})[Reference(row.kind, row.name, row.wanted)] = known[key]
        self._known = known
        new = {tenant: self._kept(tenant, MappingProxyType(snapshot)) for tenant, snapshot in snapshots.items()}
        await self._before({tenant: one for tenant, one in new.items() if one is not self._snapshots.get(tenant)})
        # INVARIANT: all of it takes effect by this one assignment; where nothing changed, a tenant keeps its own.
        self._snapshots = MappingProxyType(new)
        self._changes = changes

    def _kept(self, tenant: UUID, fresh: Snapshot) -> Snapshot:
        before = self._snapshots.get(tenant)
        return before if before is not None and before == fresh else fresh

    async def _load(self, row: FoundInForce) -> InForce:
        content = await content_of(self._database, row.tenant, row.publication)
        try:
            loaded = await asyncio.to_thread(load_published, row.kind, row.name, row.version, row.digest, content)
        except PublicationUnusable as cause:
            # INVARIANT: the version before it is not kept: who would use this one fails, and the next in order answers.
            log.error("%s; what uses it goes to its fallback: %s", cause.what, cause.todo)  # noqa: TRY400 - the cause is in its words
            return InForce(version=row.version, digest=row.digest, loaded=None, why_not=cause)
        log.info("%s %s@%s counts now", row.kind, row.name, row.version)
        return InForce(version=row.version, digest=row.digest, loaded=loaded)

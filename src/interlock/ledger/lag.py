"""Whether the ledger keeps up: what has waited for longer than it may to be sealed, signed or published."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from interlock.config import Settings
from interlock.db.database import READ_CLOCK
from interlock.errors import InterlockError
from interlock.ledger.checkpoint import checkpoint_of
from interlock.ledger.publish import Outside
from interlock.ledger.store import (
    CHECKPOINTS_AFTER,
    FIND_HEAD,
    LEAF_AT,
    NEWEST_CHECKPOINT,
    UNSEALED,
    Unsealed,
)

LATE = timedelta(seconds=10)
"""How long an entry may wait for its place in the tree, and that for its publication: ten times what it takes."""
FOLDER_S = 1.0
"""How long the folder has to answer; one that does not is one that publishes nothing."""
_folder_reader = ThreadPoolExecutor(1, "interlock-published")  # its own, so that a folder that hangs holds up nobody


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for too long; all 0 where the ledger keeps up.

    Attributes:
        unsealed: Entries that wait for a place in the tree; 10000 stands for more.
        since: Since when the oldest of them waits.
        unpublished: Entries in the tree that no published checkpoint covers; always 0 without a key.
    """

    unsealed: int = 0
    since: datetime | None = None
    unpublished: int = 0

    @property
    def what(self) -> str:
        """In a sentence; empty where the ledger keeps up."""
        said: list[str] = []
        if self.since is not None:
            said.append(f"{self.unsealed} entries wait to be sealed, since {self.since:%Y-%m-%d %H:%M:%S} UTC")
        if self.unpublished:
            said.append(f"{self.unpublished} sealed entries are in no published checkpoint")
        return "; ".join(said)


async def lag_of(connection: AsyncConnection[Any], settings: Settings | None, *, late: timedelta = LATE) -> Lag:
    """What waits for too long.

    Args:
        connection: Of the installation.
        settings: Say whether checkpoints are signed, and where they are published; None: nowhere.
        late: What is too long.
    """
    now = await READ_CLOCK.one(connection) or datetime.now(UTC)
    waiting = await UNSEALED.one(connection) or Unsealed(entries=0, since=None)
    since = waiting.since if waiting.since and now - waiting.since > late else None
    unpublished = 0
    # the embedded database makes a key of its own
    if settings is not None and (settings.ledger_key is not None or not settings.database_url):
        unpublished = await _unpublished(connection, await published_size(settings.ledger_folder), now - late)
    return Lag(unsealed=waiting.entries if since else 0, since=since, unpublished=unpublished)


async def _unpublished(connection: AsyncConnection[Any], published: int, long_ago: datetime) -> int:
    """How many entries no published checkpoint covers, if any of them is sealed or signed since before a moment."""
    head = await FIND_HEAD.one(connection)
    kept = await NEWEST_CHECKPOINT.one(connection)
    signed = kept.size if kept else 0
    if head is None:  # it was taken away: nothing is covered by what nobody can tell
        return max(signed, 1)
    if signed < head.size and (kept is None or kept.signed_at < long_ago):
        first = await LEAF_AT.one(connection, {"index": signed})
        if head.sealed_at < long_ago or first is None or _moment_of(first) < long_ago:
            return head.size - min(signed, published)
    if published < signed:
        missing = await CHECKPOINTS_AFTER.all(connection, {"size": published, "most": 1})
        if missing and missing[0].signed_at < long_ago:
            return head.size - published
    return 0


async def published_size(folder: Path) -> int:
    """Of how many entries the newest checkpoint in a folder is; 0 where there is none that can be read."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(FOLDER_S):
            note = await loop.run_in_executor(_folder_reader, Outside(folder).newest)
        return checkpoint_of(note).size if note else 0
    except (TimeoutError, InterlockError):
        return 0


def _moment_of(entry: UUID) -> datetime:
    """The moment in a UUIDv7, RFC 9562 section 5.7."""
    return datetime.fromtimestamp(min(entry.int >> 80, 253_402_300_799_000) / 1000, UTC)

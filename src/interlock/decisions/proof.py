"""A bundle of proofs: entries of the ledger with the decisions' records that they hold the hashes of."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from interlock.clock import first_id
from interlock.db.database import Database
from interlock.decisions.sealed_record import record_text
from interlock.decisions.store import FIND_DECISIONS
from interlock.ledger.checkpoint import checkpoint_of
from interlock.ledger.prove import (
    PAGE,
    BundleHeader,
    ProvedEntry,
    bundle_header,
    entries_about,
    prove_entries,
)
from interlock.ledger.store import DECISIONS_OF_ENTRIES, ENTRIES_BETWEEN


class Bundle(BundleHeader, frozen=True, kw_only=True):
    """A bundle as one document: see docs/reference/bundle.md.

    Attributes:
        entries: The entries, in the order of the tree.
    """

    entries: tuple[ProvedEntry, ...]


async def prove(database: Database, tenant: UUID, about: UUID, *, earlier: str | None = None) -> Bundle:
    """The proof of everything that the ledger tells of an entry, a decision, a case, an action or a review.

    Raises:
        NotFound: it tells nothing of it.
        StateConflict: one of its entries is not in a signed checkpoint yet.
        Refused: the earlier checkpoint is damaged, or of another log.
        LedgerBroken: the earlier checkpoint is not of the beginning of this ledger.
    """
    async with database.tenant(tenant) as connection:
        entries = await entries_about(connection, about)
        header = await bundle_header(connection, earlier=earlier)
    proved = [one async for one in proofs(database, tenant, entries, header)]
    return Bundle(**msgspec.structs.asdict(header), entries=tuple(sorted(proved, key=lambda one: one.index)))


async def header_of(database: Database, tenant: UUID, *, earlier: str | None = None) -> BundleHeader:
    """What a bundle says once: see ``bundle_header``."""
    async with database.tenant(tenant) as connection:
        return await bundle_header(connection, earlier=earlier)


async def proofs(
    database: Database, tenant: UUID, entries: Sequence[UUID], header: BundleHeader, *, only_sealed: bool = False
) -> AsyncGenerator[ProvedEntry]:
    """Entries with their proofs and records, a page at a time, each page in the order of the tree.

    Raises:
        StateConflict: one of them is not in the checkpoint yet, and ``only_sealed`` is not said.
    """
    size = checkpoint_of(header.checkpoint).size
    for start in range(0, len(entries), PAGE):
        page = entries[start : start + PAGE]
        async with database.tenant(tenant) as connection:
            holders = await DECISIONS_OF_ENTRIES.all(connection, {"entries": list(page)})
            ids = sorted(one.decision for one in holders)
            rows = (
                await FIND_DECISIONS.all(connection, {"ids": ids, "least": ids[0], "greatest": ids[-1]}) if ids else []
            )
            texts = {row.id: record_text(row, tenant).decode() for row in rows}
            records = {one.entry: texts[one.decision] for one in holders if one.decision in texts}
            async for proved in prove_entries(connection, page, size, records, only_sealed=only_sealed):
                yield proved


async def entries_between(
    database: Database, tenant: UUID, since: datetime, until: datetime
) -> AsyncGenerator[list[UUID]]:
    """The ids of a tenant's entries of a time, in pages."""
    after, before = first_id(since), first_id(until)
    while True:
        async with database.tenant(tenant) as connection:
            page = await ENTRIES_BETWEEN.all(connection, {"since": after, "before": before, "most": PAGE})
        if not page:
            return
        yield page
        after = UUID(int=page[-1].int + 1)

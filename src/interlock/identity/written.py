"""Entries of what is written without the writer: rare changes, each in a transaction that reads what it changes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from interlock.db.database import Database
from interlock.db.work import Stamp
from interlock.ledger.ledger import ADD_ENTRIES, Entry, first_entry


async def write_entry(
    database: Database, connection: AsyncConnection[Any], tenant: UUID, kind: str, *, subject: UUID, **facts: Any
) -> None:
    """Write an entry of the ledger in a transaction that is open."""
    stamp = Stamp(database.clock.now(), database.clock.new_id(), database.clock)
    row = first_entry(stamp, tenant, kind, subject=subject, **facts).row
    if isinstance(row, Entry):
        await ADD_ENTRIES.run(connection, [row])

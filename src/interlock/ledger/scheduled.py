"""The whole ledger computed again on a schedule, by whoever leads: nobody has to think of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import psycopg

from interlock.db.database import connect_service
from interlock.db.work import Unit
from interlock.db.writer import Writer
from interlock.errors import InterlockError
from interlock.ledger.audit import Audited, audit_tree
from interlock.ledger.ledger import INSTALLATION, first_entry
from interlock.ledger.publish import Outside
from interlock.ledger.seal import LedgerTerms

EVERY = timedelta(days=1)
FIRST = timedelta(minutes=10)
"""After a process began to lead: it may be one of many that are being started."""
PAUSE_S = 0.2
"""After each page: the audit takes its time, and leaves the processor to decisions."""
log = logging.getLogger("interlock.ledger")


class ScheduledAudit:
    """A duty of the leader: see ``Sealer``.

    Args:
        url: The database.
        writer: For the entry that says what was found.
        terms: The keys and the folder.
        records: Holds the records against their entries, too; None: the tree alone.
        every: How long after an audit the next one begins.
        first: How long after the first call of the duty the first one begins.
    """

    def __init__(
        self,
        url: str,
        writer: Writer,
        terms: LedgerTerms,
        records: Callable[[Audited], Awaitable[None]] | None = None,
        *,
        every: timedelta = EVERY,
        first: timedelta = FIRST,
    ) -> None:
        self._records = records
        self._url, self._writer, self._terms = url, writer, terms
        self._every = every.total_seconds()
        self._due = time.monotonic() + first.total_seconds()
        self._task: asyncio.Task[None] | None = None

    async def duty(self) -> None:
        """Begin an audit when it is due; the caller does not wait for it."""
        if time.monotonic() < self._due or (self._task is not None and not self._task.done()):
            return
        self._due = time.monotonic() + self._every
        self._task = asyncio.create_task(self._audit(), name="interlock-audit")

    async def close(self) -> None:
        """End what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _audit(self) -> None:
        try:
            connection = await connect_service(self._url)
            try:
                published = await asyncio.to_thread(Outside(self._terms.folder).all)
                found = await audit_tree(connection, self._terms.keys, published=published, pause_s=PAUSE_S)
            finally:
                await connection.close()
            if self._records is not None:
                await self._records(found)
            await self._note(found)
        except (InterlockError, psycopg.Error, OSError) as cause:
            log.warning("the ledger could not be audited, trying again in %.0f h: %s", self._every / 3600, cause)

    async def _note(self, found: Audited) -> None:
        for fault in found.faults:
            log.error("the ledger is not what it was: %s", fault.what)
        first = found.first.what if found.first else None
        await self._writer.write(
            Unit(
                INSTALLATION,
                lambda stamp: [
                    first_entry(
                        stamp, INSTALLATION, "ledger.audited", subject=stamp.entry, entries=found.size, root=found.root,
                        checkpoints=found.checkpoints, faults=found.count, first=first,
                    )
                ],
            )
        )  # fmt: skip
        if not found.count:
            log.info("the ledger was audited: %s entries are what they were", found.size)

"""Going on with a ledger that is not the one that was published: somebody says so, and it stands in the ledger."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from interlock.authority.judge import Verdict, verdict_facts
from interlock.db.database import Database
from interlock.db.work import Unit
from interlock.db.writer import Writer
from interlock.errors import LedgerBroken
from interlock.ledger.ledger import INSTALLATION, first_entry
from interlock.ledger.publish import Outside
from interlock.ledger.seal import LedgerTerms
from interlock.ledger.store import ACCEPT_LEDGER


async def accept_as_it_is(
    database: Database,
    writer: Writer,
    terms: LedgerTerms,
    *,
    who: str,
    why: str,
    broken: str,
    now: datetime,
    verdict: Verdict | None = None,
) -> Path | None:
    """Put what was published aside, after an entry that says who accepted it, why, and what is no longer kept.

    What the policies said of it (``verdict``) is in that entry. Whoever is killed in the middle of it begins again.

    Returns:
        Where the old checkpoints are now; None where there were none.
    """
    outside = Outside(terms.folder)
    note: str | None = None
    with suppress(LedgerBroken):  # what is damaged is put aside as it stands
        note = await asyncio.to_thread(outside.newest)
    await writer.write(
        Unit(
            INSTALLATION,
            lambda stamp: [
                first_entry(
                    stamp, INSTALLATION, "ledger.accepted", subject=stamp.entry, who=who, why=why, broken=broken,
                    abandoned=note, **verdict_facts(verdict),
                )
            ],
        )
    )  # fmt: skip
    aside = await asyncio.to_thread(outside.abandon, now)
    async with database.installation() as connection:
        await ACCEPT_LEDGER.one(connection)
    return aside

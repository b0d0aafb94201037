"""What the ledger tells of files and statements: in the transaction of the change, ids, digests and sums, no names."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from interlock.authority.judge import Verdict, verdict_facts
from interlock.db.database import Database
from interlock.db.work import Stamp
from interlock.ledger.ledger import ADD_ENTRIES, first_entry, hash_of
from interlock.packs.reconciliation.standing import amount_text
from interlock.packs.reconciliation.store import NewFile, NewStatement, StatementRow


async def tell(
    connection: AsyncConnection[Any],
    database: Database,
    tenant: UUID,
    kind: str,
    row: NewStatement | StatementRow,
    *,
    who: str,
    why: str | None = None,
    file_digest: bytes | None = None,
    corrected_by: UUID | None = None,
    verdict: Verdict | None = None,
) -> None:
    """Write the entry of what happened to a statement.

    Args:
        connection: In the transaction that changes it.
        database: Its clock makes the entry's id.
        tenant: Whose.
        kind: ``statement.taken``, ``statement.held``, ``statement.accepted``, ...
        row: The statement.
        who: Who did it.
        why: What they gave as the reason.
        file_digest: SHA-256 of the file that it came in.
        corrected_by: The statement that is in force instead.
        verdict: What the policies said of it; None: the program itself does it.
    """
    written = first_entry(
        _stamp(database), tenant, kind, subject=row.id, reconciliation=row.reconciliation, side=row.side,
        source=row.source, file=row.file, file_digest=file_digest, content=row.content,
        findings_hash=hash_of(row.findings), entries=row.entries, broken=row.broken,
        credit=amount_text(row.credit_minor, row.currency), debit=amount_text(row.debit_minor, row.currency), who=who,
        why=why, corrected_by=corrected_by, **verdict_facts(verdict),
    )  # fmt: skip
    await ADD_ENTRIES.run(connection, [written.row])  # pyright: ignore[reportArgumentType] - an Entry, by its statement


async def tell_refused(connection: AsyncConnection[Any], database: Database, file: NewFile, *, who: str) -> None:
    """Write the entry of a file that was refused. Why stands in its row: it may repeat what the file says."""
    written = first_entry(
        _stamp(database), file.tenant, "statement.refused", subject=file.id, reconciliation=file.reconciliation,
        side=file.side, source=file.source, file_digest=file.digest, why_hash=hash_of(file.why), who=who,
    )  # fmt: skip
    await ADD_ENTRIES.run(connection, [written.row])  # pyright: ignore[reportArgumentType] - as above


def _stamp(database: Database) -> Stamp:
    return Stamp(database.clock.now(), database.clock.new_id(), database.clock)

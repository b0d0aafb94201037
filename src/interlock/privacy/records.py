"""Which records are kept under whose keys: rows for the commit that writes the record. Pure."""

from __future__ import annotations

from uuid import UUID

from interlock.db.work import Write
from interlock.privacy.store import ADD_RECORDS, SubjectRecord
from interlock.privacy.token import keys_in


def records_of(tenant: UUID, kind: str, record: UUID, *kept: bytes) -> list[Write]:
    """A row for each key that the bytes of a record name.

    Args:
        tenant: Whose.
        kind: ``case``, ``decision``, ``quarantine`` or ``event``.
        record: Its id.
        kept: What is kept of it.
    """
    keys = frozenset[UUID]().union(*map(keys_in, kept))
    return [Write(ADD_RECORDS, SubjectRecord(tenant=tenant, key=key, kind=kind, record=record)) for key in sorted(keys)]

"""Entries of the ledger: every change of state is one, written in the commit that makes the change.

A body holds ids, versions, amounts and times, never a personal value: those stay in the tables that it points to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from interlock.db.queries import load_queries
from interlock.db.work import Stamp, Write

_canonical = msgspec.json.Encoder(order="sorted", decimal_format="string")

INSTALLATION = UUID("00000000-0000-7000-8000-000000000000")
"""The tenant of what happens to the installation as a whole: migrations, tenants, builds, components, workflows.

No row of ``tenant`` and no key is of it, so row security shows its entries to no caller of a tenant.
"""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry on its way in.

    Attributes:
        id: A UUIDv7; the first entry of a unit of work bears the unit's id.
        tenant: Whose it is.
        kind: What happened: ``case.received``, ``decision.taken``, ``action.done``, ...
        subject: What it happened to.
        case_id: The case that it belongs to, if any.
        at: When, UTC.
        body: The facts, as canonical JSON.
    """

    id: UUID
    tenant: UUID
    kind: str
    subject: UUID
    case_id: UUID | None
    at: datetime
    body: bytes


class ReadEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as it is read: the fields of ``Entry``."""

    id: UUID
    kind: str
    subject: UUID
    case_id: UUID | None
    at: datetime
    body: bytes


_SQL = load_queries(__file__)
ADD_ENTRIES = _SQL.bulk("add_entries", Entry, distinct=("id",))
ENTRIES_OF_CASE = _SQL.rows("entries_of_case", ReadEntry)


def hash_of(stored: bytes | str | None) -> bytes | None:
    """The SHA-256 of what a row holds, for its entry's fields ``*_hash``; None where the row holds nothing.

    What is hashed is what is stored, never what came: of personal data a row holds tokens, which are safe to hash.
    """
    if stored is None:
        return None
    return hashlib.sha256(stored if isinstance(stored, bytes) else stored.encode()).digest()


def facts_of(**facts: Any) -> bytes:
    """The body of an entry that a statement writes by itself, for each row that it finds to change."""
    return _canonical.encode(facts)


def first_entry(
    stamp: Stamp, tenant: UUID, kind: str, *, subject: UUID, case_id: UUID | None = None, **facts: Any
) -> Write:
    """The entry that a unit of work is found by."""
    return entry_of(stamp, stamp.entry, tenant, kind, subject, case_id, facts)


def further_entry(
    stamp: Stamp, tenant: UUID, kind: str, *, subject: UUID, case_id: UUID | None = None, **facts: Any
) -> Write:
    """Another entry of the same unit of work."""
    return entry_of(stamp, stamp.new_id(), tenant, kind, subject, case_id, facts)


def entry_of(
    stamp: Stamp,
    entry_id: UUID,
    tenant: UUID,
    kind: str,
    subject: UUID,
    case_id: UUID | None,
    facts: Mapping[str, Any],
) -> Write:
    """An entry under an id that is given: that of the thing that it is about."""
    return Write(
        ADD_ENTRIES,
        Entry(
            id=entry_id,
            tenant=tenant,
            kind=kind,
            subject=subject,
            case_id=case_id,
            at=stamp.now,
            body=_canonical.encode(facts),
        ),
    )

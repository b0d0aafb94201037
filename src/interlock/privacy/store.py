"""The rows of keys and of what is kept under them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.queries import load_queries


class StoredSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's secret, wrapped; ``master`` is the id of the master key that it is wrapped under."""

    tenant: UUID
    wrapped: bytes
    master: bytes


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """The key of one person, or of one record whose person is not known.

    Attributes:
        id: Its id, which tokens name.
        tenant: Whose.
        subject: The digest of the subject, or of the one record.
        alone: Whether it is the key of one record whose person is not known.
        wrapped: The key under the tenant's key; None: it is erased.
        master: The id of the master key above that.
        created_at: Since when.
        held_until: The latest end of the legal holds in force; None: there is none, or never was.
        erased_at: Since when nothing opens under it.
        erased_by: Who erased it.
        erased_why: Why.
    """

    id: UUID
    tenant: UUID
    subject: bytes
    alone: bool
    wrapped: bytes | None
    master: bytes
    created_at: datetime
    held_until: datetime | None
    erased_at: datetime | None
    erased_by: str | None
    erased_why: str | None


class SubjectRecord(msgspec.Struct, frozen=True, kw_only=True):
    """That a record holds tokens of a key.

    Attributes:
        tenant: Whose.
        key: The key.
        kind: ``case``, ``decision``, ``quarantine`` or ``event``.
        record: Its id.
    """

    tenant: UUID
    key: UUID
    kind: str
    record: UUID


_SQL = load_queries(__file__)
FIND_SECRET = _SQL.rows("find_secret", StoredSecret)
ADD_SECRET = _SQL.command("add_secret")
FIND_KEYS = _SQL.rows("find_keys", StoredKey)
FIND_LIVE_KEY = _SQL.rows("find_live_key", StoredKey)
ADD_KEY = _SQL.command("add_key")
KEYS_OF_SUBJECT = _SQL.rows("keys_of_subject", StoredKey)
ADD_RECORDS = _SQL.bulk("add_records", SubjectRecord, distinct=("tenant", "key", "kind", "record"))

"""What replays read."""

from __future__ import annotations

from uuid import UUID

import msgspec

from interlock.db.queries import load_queries
from interlock.publications.publication import Kind


class PublishedThen(msgspec.Struct, frozen=True, kw_only=True):
    """What counted for one reference at a moment.

    Attributes:
        kind: Rules or a contract.
        name: Its name.
        wanted: What the workflow's file names: a line, or a whole version.
        version: The whole version that counted.
        digest: SHA-256 of its content.
        content: The file, byte for byte.
    """

    kind: Kind
    name: str
    wanted: str
    version: str
    digest: bytes
    content: bytes


_SQL = load_queries(__file__)
PUBLISHED_CONTENT = _SQL.rows("published_content", bytes)
IN_FORCE_AT = _SQL.rows("in_force_at", PublishedThen)
SAMPLED_DECISIONS = _SQL.rows("sampled_decisions", UUID)
NEXT_DECISIONS = _SQL.rows("next_decisions", UUID)
TAKEN_ENTRIES = _SQL.rows("taken_entries", bytes)

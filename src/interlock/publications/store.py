"""The rows of what is published."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.queries import load_queries
from interlock.publications.publication import Kind, Publication, Standing


class NewPublication(Publication, frozen=True, kw_only=True):
    """A publication on its way in: its fields, its tenant, and the file."""

    tenant: UUID
    content: bytes


class NewInForce(msgspec.Struct, frozen=True, kw_only=True):
    """A change of what counts, on its way in.

    Attributes:
        tenant: Whose.
        kind: Of what kind.
        name: Of which name.
        line: Of which line.
        change: Which change of this line it is, from 1.
        publication: What counts from now on.
        since: When, UTC.
        author: Who changed it.
        why: Why.
    """

    tenant: UUID
    kind: Kind
    name: str
    line: str
    change: int
    publication: UUID
    since: datetime
    author: str
    why: str


class LastChange(msgspec.Struct, frozen=True, kw_only=True):
    """The last change of a line: its number, and what counts since."""

    change: int
    publication: UUID


class FoundInForce(msgspec.Struct, frozen=True, kw_only=True):
    """What counts in one tenant for one reference.

    Attributes:
        tenant: Whose.
        kind: Of what kind.
        name: Of which name.
        wanted: The version as the reference gives it: a line, or a whole version.
        publication: What counts.
        version: Its whole version.
        digest: SHA-256 of its content.
    """

    tenant: UUID
    kind: Kind
    name: str
    wanted: str
    publication: UUID
    version: str
    digest: bytes


_SQL = load_queries(__file__)
ADD_PUBLICATIONS = _SQL.bulk("add_publications", NewPublication, distinct=("tenant", "kind", "name", "version"))
ADD_IN_FORCE = _SQL.bulk("add_in_force", NewInForce, distinct=("tenant", "kind", "name", "line"))
LIST_PUBLISHED = _SQL.rows("list_published", Standing)
FIND_CONTENT = _SQL.rows("find_content", bytes)
LAST_CHANGE = _SQL.rows("last_change", LastChange)
LIST_COUNTED = _SQL.rows("list_counted", str)
COUNT_CHANGES = _SQL.rows("count_changes", int)
FIND_IN_FORCE = _SQL.rows("find_in_force", FoundInForce)

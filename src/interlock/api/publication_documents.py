"""What callers send and get of published rules and contracts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from interlock.api.bodies import Name, Why
from interlock.api.documents import Document
from interlock.contracts import Party
from interlock.publications.publication import Kind


class PublishBody(msgspec.Struct, frozen=True, kw_only=True):
    """A version to be published.

    Attributes:
        content: The whole file, as text; its bytes in UTF-8 are what is published.
        why: For whoever reads the ledger.
    """

    content: Annotated[str, Meta(min_length=1)]
    why: Why


class RevertBody(msgspec.Struct, frozen=True, kw_only=True):
    """Which version shall count.

    Attributes:
        to: The whole version; it counts for its line from now on.
        why: For whoever reads the ledger.
    """

    to: Name
    why: Why


class PublicationsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which publications.

    Attributes:
        name: Only of this name.
    """

    name: Name | None = None


class PublicationDocument(Document, frozen=True, kw_only=True):
    """A published version.

    Attributes:
        id: Its id; also that of its ledger entry.
        kind: rules or contract.
        name: Its name.
        version: Its whole version.
        line: Its major version: what workflows name.
        digest: SHA-256 of the file.
        author: Who published it.
        why: Why.
        at: When.
        in_force: Whether it counts for its line.
        since: Since when it counts.
        by: Who made it count, by publishing or by reverting.
    """

    id: UUID
    kind: Kind
    name: str
    version: str
    line: str
    digest: str
    author: str
    why: str
    at: datetime
    in_force: bool
    since: datetime | None
    by: str | None


class PublicationPage(Document, frozen=True, kw_only=True):
    """Every published version, by name, in the order of publishing.

    Attributes:
        publications: They.
    """

    publications: tuple[PublicationDocument, ...]


class FullPublication(PublicationDocument, frozen=True, kw_only=True):
    """A published version with its file.

    Attributes:
        content: The file, as text.
    """

    content: str


class BreakDocument(Document, frozen=True, kw_only=True):
    """One promise of the line before that a contract of a new line breaks.

    Attributes:
        where: The JSON Pointer of the field, with ``*`` for every item.
        what: The change.
        breaks: For whom.
    """

    where: str
    what: str
    breaks: Party


class FitDocument(Document, frozen=True, kw_only=True):
    """A decision point that names the line of the rules.

    Attributes:
        point: Its full name.
        notes: What is not known of how the version fits it, or sends decisions to a person.
    """

    point: str
    notes: tuple[str, ...]


class PublishedDocument(PublicationDocument, frozen=True, kw_only=True):
    """What became of a publication or a revert.

    Attributes:
        new: Whether this request changed what counts; false: it was so already, or the line was reverted since.
        fits: For rules: the decision points of this process that name the line.
        breaks: For a contract of a new line: what it breaks of the newest line before it.
    """

    new: bool
    fits: tuple[FitDocument, ...] = ()
    breaks: tuple[BreakDocument, ...] = ()

"""Where a question about influence begins: one source, by its kind and name, as a person writes it. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

import msgspec

from interlock.db.gates import short_digest
from interlock.db.text import storable
from interlock.decisions.origin import event_key
from interlock.errors import Refused
from interlock.spelling import meant


class Kind(StrEnum):
    """The kinds of sources."""

    CONTRACT = "contract"
    """A contract's line or version, of an input or an output: ``receipt@1``, ``receipt@1.2.0``."""
    COMPONENT = "component"
    """Who was asked: ``rules:approve@2``, ``person``."""
    DIGEST = "digest"
    """SHA-256 of a component, or of a feature's function."""
    PUBLICATION = "publication"
    """A published version, by its id."""
    DECLARATION = "declaration"
    """SHA-256 of a workflow's file."""
    BUILD = "build"
    """SHA-256 of all that decided: code, files, versions."""
    CODE = "code"
    """The content hash of the code that a case finishes on."""
    POINT = "point"
    """A decision point: ``receipts.approve``."""
    FEATURE = "feature"
    """A feature, or what it says of one thing: ``vendor_spend@2``, ``vendor_spend@2/ACME``."""
    LOAD = "load"
    """Where a feature's values came from: what its load said, or its function."""
    FACT = "fact"
    """A fact that a decision assumed, by its name."""
    CALLER = "caller"
    """Who asked: the name of an API key, a stream's caller, who ran a command."""
    STREAM = "stream"
    """A stream, by its name in the settings."""
    EVENT = "event"
    """An event: its source, a space, and its id."""
    JOB = "job"
    """A run over a table."""
    ROW = "row"
    """A row of it: ``JOB/17``."""
    INPUT = "input"
    """SHA-256 of an input as it is stored."""


HEX = frozenset({Kind.DIGEST, Kind.DECLARATION, Kind.BUILD, Kind.INPUT, Kind.CODE})
"""Kinds whose names are hashes in hexadecimal."""
_LONGEST = 10_000
_ROW = re.compile(r"(.{1,200})/([1-9][0-9]{0,17})\Z", re.DOTALL)
_FEATURE = re.compile(r"([a-z][a-z0-9_-]{0,62})@([1-9][0-9]{0,8})(?:/(.{1,500}))?\Z", re.DOTALL)
_ENTITY = "entity"
_EXAMPLES: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.ROW: "write row:JOB/17, where JOB is what `interlock decide` called the run",
        Kind.FEATURE: "write feature:NAME@VERSION, or feature:NAME@VERSION/ENTITY",
        Kind.EVENT: "write event:SOURCE ID, with a space between them",
        Kind.PUBLICATION: "write publication:ID; `interlock rules list` shows ids",
    }
)


class Source(msgspec.Struct, frozen=True):
    """One source.

    Attributes:
        kind: Of what kind.
        name: Its name, in the form in which it is counted.
        shown: As it was asked for.
    """

    kind: str
    name: str
    shown: str

    def digest(self, tenant: UUID) -> UUID:
        """Under what its influence is counted: the same as ``lineage_source`` in the database."""
        text = f"{tenant} {self.kind}:{self.name}"
        return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


def read_source(text: str) -> Source:
    """A source as it was written: ``contract:receipt@1``.

    Raises:
        Refused: it is none; what would be one is said.
    """
    kind, colon, name = text.partition(":")
    known = [one.value for one in Kind]
    if not colon or kind not in known or not name:
        listed = ", ".join(f"{one}:" for one in known)
        raise Refused(
            f"{storable(text[:60])!r} names no source",
            where="of",
            todo=f"{meant(kind, known)}; write one of {listed} and its name",
        )
    if len(name) > _LONGEST or storable(name) != name:
        raise Refused("that is no name that could be on record", where="of", todo="copy it from a record")
    return Source(*_counted(Kind(kind), name), text)


def _counted(kind: Kind, name: str) -> tuple[str, str]:
    """Kind and name in the form in which they are counted."""
    if kind in HEX:
        return kind, _hex(kind, name)
    if kind is Kind.FEATURE:
        found = _FEATURE.match(name)
        if found is None:
            raise _unlike(kind, name)
        feature = f"{found[1].replace('-', '_')}@{found[2]}"
        return (_ENTITY, f"{feature}/{short_digest(found[3].encode()).hex}") if found[3] else (kind, feature)
    if kind is Kind.EVENT:
        source, space, event_id = name.partition(" ")
        if not space or not source or not event_id:
            raise _unlike(kind, name)
        return kind, name if source == "<sha256>" else event_key(source, event_id)
    if kind is Kind.ROW and not _ROW.match(name):
        raise _unlike(kind, name)
    if kind is Kind.PUBLICATION:
        try:
            return kind, str(UUID(name))
        except ValueError as cause:
            raise _unlike(kind, name) from cause
    return kind, name


def _hex(kind: Kind, name: str) -> str:
    text = name.removeprefix("sha256:").replace("-", "").lower()
    length = 32 if kind is Kind.CODE else 64
    if len(text) != length or not set(text) <= set("0123456789abcdef"):
        raise Refused(
            f"{name[:60]!r} is no hash", where="of", todo=f"write {kind}: and {length} digits from 0 to f, all of them"
        )
    return text


def _unlike(kind: Kind, name: str) -> Refused:
    return Refused(f"{name[:60]!r} is no {kind}", where="of", todo=_EXAMPLES[kind])

"""What is published: kinds, versions, lines, and the records of who published what and why. Pure."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from interlock.errors import Refused

LARGEST_FILE = 1024 * 1024
"""Bytes of a file that can be published."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_VERSION = re.compile(r"(0|[1-9][0-9]{0,5})(\.(0|[1-9][0-9]{0,5})){0,2}\Z")
_LONGEST_WORDS = 4000


class Kind(StrEnum):
    """What can be published."""

    RULES = "rules"
    CONTRACT = "contract"


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """One published version. It never changes.

    Attributes:
        id: Its id; also that of its ledger entry.
        kind: Rules or a contract.
        name: Its name, as its file says.
        version: Its whole version, as its file says: ``1.1``.
        line: Its major version: what a workflow's file names.
        digest: SHA-256 of the file's bytes.
        author: Who published it: the key's name, or the person's.
        why: Why.
        at: When, UTC.
    """

    id: UUID
    kind: Kind
    name: str
    version: str
    line: str
    digest: bytes
    author: str
    why: str
    at: datetime

    @property
    def reference(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


class Standing(Publication, frozen=True, kw_only=True):
    """A published version, and whether it is what counts for its line.

    Attributes:
        in_force: Whether it counts now.
        since: Since when it counts; None where it does not.
        by: Who made it count: by publishing it, or by reverting to it.
    """

    in_force: bool
    since: datetime | None
    by: str | None


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A file that may be published, read and checked by itself.

    Attributes:
        kind: Rules or a contract.
        name: Its name.
        version: Its whole version.
        content: The file, byte for byte.
        file: Its name, for messages.
    """

    kind: Kind
    name: str
    version: str
    content: bytes
    file: str

    @property
    def line(self) -> str:
        """The line that it would count for."""
        return line_of(self.version)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the content."""
        return hashlib.sha256(self.content).digest()

    @property
    def reference(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


class Reference(msgspec.Struct, frozen=True):
    """What a workflow's file names: a line, such as ``1``, or with a point one whole version of it.

    Attributes:
        kind: Rules or a contract.
        name: Its name.
        version: The line, or the whole version.
    """

    kind: Kind
    name: str
    version: str

    @property
    def is_line(self) -> bool:
        """Whether it means the version in force of a line."""
        return "." not in self.version

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def line_of(version: str) -> str:
    """The line of a version: its first number."""
    return version.partition(".")[0]


def order_of(version: str) -> tuple[int, ...]:
    """What versions are compared by: ``1`` is ``1.0.0``."""
    numbers = [int(part) for part in version.split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))


def check_version(version: str, where: str) -> str:
    """See that a version can be published.

    Raises:
        Refused: it is not one to three whole numbers with points between them.
    """
    if not _VERSION.match(version):
        raise Refused(
            f"{version[:60]!r} is no version that can be published",
            where=where,
            todo="write one to three whole numbers, as in 1, 1.1 or 1.2.0; the first is the line that workflows name",
        )
    return version


def check_name(name: str, where: str) -> str:
    """See that a name can be published.

    Raises:
        Refused: it holds more than letters, digits and ``. _ -``, or is too long.
    """
    if not _NAME.match(name):
        raise Refused(
            f"{name[:60]!r} is no name that can be published",
            where=where,
            todo="use at most 100 letters, digits and . _ - after the first",
        )
    return name


def check_reason(why: str) -> str:
    """The reason, without white space at its ends.

    Raises:
        Refused: there is none, it is too long, or it holds what cannot be stored.
    """
    words = why.strip()
    if not words:
        raise Refused("a reason is needed", where="why", todo="say why, for whoever reads the ledger")
    try:
        words.encode()
    except UnicodeEncodeError as cause:
        raise Refused("the reason holds what is no text", where="why", todo="write it in UTF-8") from cause
    if len(words) > _LONGEST_WORDS or "\0" in words:
        raise Refused(
            "the reason cannot be stored", where="why", todo=f"write at most {_LONGEST_WORDS} characters, without NUL"
        )
    return words


def split_reference(text: str, kind: Kind) -> Reference:
    """``NAME@VERSION`` as somebody wrote it.

    Raises:
        Refused: it is not of that form.
    """
    name, mark, version = text.partition("@")
    if not mark:
        raise Refused(f"{text[:80]!r} names no version", where="NAME@VERSION", todo="write it as in approve@1.1")
    return Reference(kind, check_name(name, "NAME@VERSION"), check_version(version, "NAME@VERSION"))

"""A table that rows are read from: what every kind of it offers, and how to tell whether it is still the same one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from interlock.batch.rows import Reading, Row
from interlock.errors import NotFound, StateConflict

CHUNK = 4096
"""Rows that are read at a time: enough that a column costs little for each of its values."""
_BLOCK = 1 << 20


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What a table is told from another by.

    Attributes:
        kind: How it is read: csv, jsonl, parquet or sql.
        name: The file's name, or ``sql``.
        size: The file's bytes; 0 for a query.
        digest: SHA-256 of the file's bytes, or of the query's text, in hex.
    """

    kind: str
    name: str
    size: int
    digest: str


class Place(msgspec.Struct, frozen=True):
    """Between two rows.

    Attributes:
        row: How many rows are before it.
        offset: Where in the file it is, in bytes; 0 where a row is found by its number.
    """

    row: int = 0
    offset: int = 0


class Table(Protocol):
    """A table that can be read from a place on, in constant memory."""

    @property
    def identity(self) -> Identity:
        """What it is."""
        ...

    @property
    def reading(self) -> Reading:
        """How its rows are read."""
        ...

    @property
    def resumes(self) -> bool:
        """Whether the rows before a place are the same ones when it is read again."""
        ...

    @property
    def total(self) -> int | None:
        """How many rows it has, or how many bytes: whatever ``Place`` counts; None if nobody knows."""
        ...

    def chunks(self, place: Place) -> Generator[Sequence[Row]]:
        """The rows after a place, some at a time; none is empty.

        Raises:
            Refused: the table itself cannot be read.
        """
        ...

    def check_unchanged(self) -> None:
        """See that it is still what it was.

        Raises:
            StateConflict: it has changed since the run began.
        """
        ...


class File:
    """A file whose content is known by its digest; it must not change while it is read."""

    def __init__(self, path: Path, kind: str) -> None:
        self.path = path
        try:
            self._seen = _stamp(path)
            with path.open("rb") as stream:
                digest = hashlib.sha256()
                while block := stream.read(_BLOCK):
                    digest.update(block)
        except (OSError, ValueError) as cause:  # ValueError: no file can have that name
            why = cause.strerror if isinstance(cause, OSError) else None
            what = f"the table cannot be read: {why or cause}"
            raise NotFound(what, where=str(path), todo="check its name and its rights") from cause
        self.identity = Identity(kind=kind, name=path.name, size=self._seen[0], digest=digest.hexdigest())

    def check_unchanged(self) -> None:
        """See that nobody has written to it since.

        Raises:
            StateConflict: somebody has.
        """
        try:
            same = _stamp(self.path) == self._seen
        except OSError:
            same = False
        if not same:
            raise StateConflict(
                "the table has changed while it was read",
                where=str(self.path),
                todo="put back what it was and run the same command again, or decide the new one into another --out",
            )


def _stamp(path: Path) -> tuple[int, int, int, int]:
    found = os.stat(path)  # noqa: PTH116 - one call gives all four
    return found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev

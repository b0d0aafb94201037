"""Files in pieces, with their digests: read in constant memory, and refused where they are too large."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from interlock.archive.build import LARGEST_BUILD, LARGEST_PIECE, Kept
from interlock.errors import ArchiveRefused

Source: TypeAlias = Path | bytes
"""Where the bytes of a file are: on disk, or here."""


def look_at(source: Source, name: str, *, largest: int = LARGEST_BUILD) -> Kept:
    """The digests of a file, for a manifest.

    Args:
        source: Where its bytes are.
        name: What it is called, for errors.
        largest: How many bytes it may have.

    Raises:
        ArchiveRefused: it cannot be read, or is larger than that.
    """
    told, size, pieces = hashlib.sha256(), 0, list[str]()
    for piece in _read(source, name):
        told.update(piece)
        size += len(piece)
        if size > largest:
            raise ArchiveRefused(
                f"{name} is too large to be kept: all files that a workflow's decisions depend on may have "
                f"{LARGEST_BUILD:,} bytes together",
                where=name,
                todo="use a smaller model, or move what no decision needs out of its component's folder",
            )
        pieces.append(hashlib.sha256(piece).hexdigest())
    return Kept(told.hexdigest(), size, tuple(pieces) if len(pieces) > 1 else ())


def pieces_of(source: Source, kept: Kept) -> Iterator[bytes]:
    """The pieces of a file, each of which is what was looked at.

    Raises:
        ArchiveRefused: the file has changed since.
    """
    name = source.name if isinstance(source, Path) else "it"
    found = 0
    for piece, digest in zip(_read(source, name), kept.digests, strict=False):
        if hashlib.sha256(piece).hexdigest() != digest:
            break
        found += 1
        yield piece
    if found != len(kept.digests):
        raise ArchiveRefused(
            f"{name} changed while it was being kept", where=str(source)[:500], todo="start again once it is whole"
        )


def _read(source: Source, name: str) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield from (source[at : at + LARGEST_PIECE] for at in range(0, max(len(source), 1), LARGEST_PIECE))
        return
    try:
        with source.open("rb") as opened:
            piece = opened.read(LARGEST_PIECE)
            while True:
                yield piece  # an empty file is one empty piece
                piece = opened.read(LARGEST_PIECE)
                if not piece:
                    return
    except OSError as cause:
        raise ArchiveRefused(f"{name} cannot be read: {cause}", where=str(source), todo="restore the file") from cause

"""What one build is made of: every file by its path and digest, and which code and versions ran. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import msgspec

from interlock.errors import ArchiveDamaged

LARGEST_PIECE = 4 * 1024 * 1024
"""Bytes of one row; a longer file is kept in pieces."""
LARGEST_BUILD = 4 * 1024 * 1024 * 1024
"""Bytes of all files of one build together."""
MOST_FILES = 10_000
MOST_ROOTS = 1_000
"""Folders that are searched."""
FORMAT = "interlock.build.1"
_PATH = re.compile(r"[^/\x00]+(/[^/\x00]+)*\Z")


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """One file.

    Attributes:
        sha256: SHA-256 of all of it, in hex.
        size: In bytes.
        pieces: The digests of its pieces in order, in hex; none where it is one piece.
    """

    sha256: str
    size: int
    pieces: tuple[str, ...] = ()

    @property
    def digests(self) -> tuple[str, ...]:
        """Under which digests its bytes stand, in order."""
        return self.pieces or (self.sha256,)


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """The code that ran.

    Attributes:
        workflow: The content hash of the workflow's own code.
        modules: The source of each module that checks, features and models run, by its name.
        interlock: The version of Interlock.
        engine: SHA-256 over the source of the part of it that decides, in hex.
        python: Python's version and the machine's kind.
        distributions: What is installed: a text of lines ``name==version``.
    """

    workflow: str
    modules: Mapping[str, Kept]
    interlock: str
    engine: str
    python: str
    distributions: Kept


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """One published version that counted.

    Attributes:
        kind: ``rules`` or ``contract``.
        name: Its name.
        wanted: What the workflow's file names: a line, or a whole version.
        version: Its whole version.
        sha256: Of its content, in hex.
    """

    kind: str
    name: str
    wanted: str
    version: str
    sha256: str


class Build(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that the decisions of a workflow are made with.

    Attributes:
        format: Of the manifest.
        workflow: The workflow's name.
        version: As its author wrote it.
        declaration: The path of the workflow's file among ``files``.
        roots: How many folders are searched, in order: their files stand under ``0/``, ``1/``, ...
        files: Every file by its path.
        code: The code that ran.
        only_published: Whether rules and contracts counted only as published.
        tenant: Whose publications counted; None where none did.
        published: What was published and counted, in the order of kind, name and what is wanted.
    """

    format: str
    workflow: str
    version: str
    declaration: str
    roots: int
    files: Mapping[str, Kept]
    code: Code
    only_published: bool = False
    tenant: str | None = None
    published: tuple[InForce, ...] = ()


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(Build)


def manifest_of(build: Build) -> bytes:
    """The build as canonical JSON; its SHA-256 is what decisions name."""
    return _encoder.encode(build)


def digest_of(manifest: bytes) -> bytes:
    """SHA-256 of a manifest."""
    return hashlib.sha256(manifest).digest()


def read_manifest(manifest: bytes, where: str) -> Build:
    """A build from its manifest.

    Raises:
        ArchiveDamaged: it is none, or it names a path that leads out of its folder.
    """
    try:
        build = _decoder.decode(manifest)
    except msgspec.MsgspecError as cause:
        raise ArchiveDamaged(f"the manifest cannot be read: {cause}", where=where) from cause
    if build.format != FORMAT:
        raise ArchiveDamaged(
            f"the manifest is of the form {build.format[:60]!r}", where=where, todo="use a release that reads it"
        )
    size = sum(kept.size for kept in build.files.values())
    if build.roots > MOST_ROOTS or len(build.files) > MOST_FILES or size > LARGEST_BUILD:
        raise ArchiveDamaged("the manifest names more than a build may hold", where=where)
    wrong = next((path for path in build.files if not is_inside(path)), None)
    if wrong is not None or build.declaration not in build.files:
        raise ArchiveDamaged(f"the manifest names {wrong or build.declaration!r}, which is no file of it", where=where)
    return build


def is_inside(path: str) -> bool:
    """Whether a path of a manifest stays in the folder that it is unpacked into."""
    return bool(_PATH.match(path)) and not {".", ".."} & set(path.split("/"))

"""Keeping builds, and bringing them back.

Pieces are kept first, each in a commit of its own, and the manifest last. INVARIANT: where a manifest is, all of its
pieces are; a process that dies before leaves pieces that the next one finds.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from uuid import UUID

import msgspec

from interlock.archive.build import Build, Kept, digest_of, manifest_of, read_manifest
from interlock.archive.pieces import Source, pieces_of
from interlock.authority.judge import Authority
from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.errors import ArchiveDamaged, ArchiveMissing, InterlockError

_SQL = load_queries(__file__)
KNOWN_ARTIFACTS = _SQL.rows("known_artifacts", bytes)
ADD_ARTIFACT = _SQL.command("add_artifact")
FIND_ARTIFACT = _SQL.rows("find_artifact", bytes)


class Manifest(msgspec.Struct, frozen=True):
    """A build with its canonical bytes.

    Attributes:
        build: What it says.
        content: The same as canonical JSON.
        digest: SHA-256 of that: what decisions name.
    """

    build: Build
    content: bytes
    digest: bytes

    @classmethod
    def of(cls, build: Build) -> Manifest:
        """The manifest of a build."""
        content = manifest_of(build)
        return cls(build, content, digest_of(content))


async def keep_build(database: Database, build: Build, sources: Mapping[str, Source]) -> Manifest:
    """Keep a build with all that it is made of; where it is kept already, one look and nothing more.

    Args:
        database: Where.
        build: What it says; no publication stands in it.
        sources: Where the bytes of each file are, by the SHA-256 of all of it, in hex.

    Raises:
        ArchiveRefused: a file changed since it was looked at, or is too large.
    """
    manifest = Manifest.of(build)
    async with database.installation() as connection:
        if await KNOWN_ARTIFACTS.one(connection, {"digests": [manifest.digest]}):
            return manifest
        files = [*build.files.items(), *build.code.modules.items(), ("distributions", build.code.distributions)]
        wanted = {bytes.fromhex(one) for _, kept in files for one in kept.digests}
        known = set(await KNOWN_ARTIFACTS.all(connection, {"digests": list(wanted)}))
    for name, kept in files:
        if all(bytes.fromhex(one) in known for one in kept.digests):
            continue
        for piece in pieces_of(sources[kept.sha256], kept):
            digest = hashlib.sha256(piece).digest()
            if digest not in known:
                await _add(database, digest, None, "piece", name, piece)
                known.add(digest)
    await _add(database, manifest.digest, None, "build", build.workflow, manifest.content)
    return manifest


async def keep_published(database: Database, tenant: UUID, manifests: Iterable[Manifest]) -> None:
    """Keep manifests that name what one tenant has published; what they are made of is kept already."""
    wanted = {one.digest: one for one in manifests}
    async with database.tenant(tenant) as connection:
        for digest in await KNOWN_ARTIFACTS.all(connection, {"digests": list(wanted)}):
            del wanted[digest]
        for one in wanted.values():
            row = {"digest": one.digest, "tenant": tenant, "kind": "build", "name": one.build.workflow}
            await ADD_ARTIFACT.run(connection, {**row, "content": one.content})


async def keep_policies(database: Database, authority: Authority) -> None:
    """Keep the policies that verdicts name by their digest, and the schema that they are read by."""
    await _add(database, bytes.fromhex(authority.digest), None, "piece", "policies", authority.content)


async def read_policies(database: Database, tenant: UUID, digest: bytes) -> tuple[str, str]:
    """The policies that a verdict rested on, and their schema.

    Raises:
        ArchiveMissing: they are not here.
        ArchiveDamaged: they are not what their digest says.
    """
    schema, _, text = (await _content(database, tenant, digest, "the policies")).partition(b"\0")
    return text.decode(), schema.decode()


async def _add(database: Database, digest: bytes, tenant: UUID | None, kind: str, name: str, content: bytes) -> None:
    row = {"digest": digest, "tenant": tenant, "kind": kind, "name": name[:500], "content": content}
    async with database.installation() as connection:
        await ADD_ARTIFACT.run(connection, row)


async def read_build(database: Database, tenant: UUID, digest: bytes) -> Build:
    """A build by the digest that a decision of this tenant names.

    Raises:
        ArchiveMissing: it is not here.
        ArchiveDamaged: it is not what its digest says, or cannot be read.
    """
    return read_manifest(await _content(database, tenant, digest, "the build"), f"build {digest.hex()[:12]}")


async def read_file(database: Database, tenant: UUID, name: str, kept: Kept) -> AsyncIterator[bytes]:
    """The bytes of a file of a build, piece by piece.

    Raises:
        ArchiveMissing: a piece is not here.
        ArchiveDamaged: its bytes are not those that were kept.
    """
    told = hashlib.sha256()
    for digest in kept.digests:
        piece = await _content(database, tenant, bytes.fromhex(digest), name)
        told.update(piece)
        yield piece
    if told.hexdigest() != kept.sha256:
        raise ArchiveDamaged(f"{name} is not what its manifest says", where=f"artifact {kept.sha256[:12]}")


async def unpack(database: Database, tenant: UUID, build: Build, folder: Path) -> dict[str, InterlockError]:
    """Write the files of a build into a folder, as they stood when it decided; none of which a part is not as it was.

    Returns:
        The files that are not there, and why: ``ArchiveMissing`` or ``ArchiveDamaged``.
    """
    lacking: dict[str, InterlockError] = {}
    for name, kept in build.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("wb") as opened:
                async for piece in read_file(database, tenant, name, kept):
                    opened.write(piece)
        except (ArchiveMissing, ArchiveDamaged) as cause:
            path.unlink(missing_ok=True)
            lacking[name] = cause
    return lacking


async def _content(database: Database, tenant: UUID, digest: bytes, what: str) -> bytes:
    async with database.tenant(tenant) as connection:
        content = await FIND_ARTIFACT.one(connection, {"digest": digest})
    where = f"artifact {digest.hex()[:12]}"
    if content is None:
        raise ArchiveMissing(f"{what} is not in the archive", where=where, todo="restore the database that kept it")
    if hashlib.sha256(content).digest() != digest:
        raise ArchiveDamaged(
            f"{what} in the archive is not what its digest says", where=where, todo="restore the database"
        )
    return content

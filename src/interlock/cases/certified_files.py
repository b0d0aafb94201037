"""Under which files of a workflow a point was as it is now: what was decided under others is no evidence of it."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from interlock.archive.store import read_build, read_file
from interlock.cases.declaration import read_declaration
from interlock.db.database import Database
from interlock.decisions.point_digest import point_digest
from interlock.errors import InterlockError


async def files_alike(
    database: Database, tenant: UUID, point: str, digest: str, seen: Mapping[bytes, bytes | None]
) -> frozenset[bytes]:
    """Which files say the same of a point; one that is not in the archive, or cannot be read, does not.

    Args:
        database: Where the archive is.
        tenant: Whose decisions.
        point: The decision point.
        digest: Its digest now.
        seen: By the SHA-256 of each file, a build that holds it, if its decisions name one.
    """
    return frozenset(
        [
            file
            for file, build in seen.items()
            if build is not None and await _digest_then(database, tenant, point, file, build) == digest
        ]
    )


async def _digest_then(database: Database, tenant: UUID, point: str, file: bytes, build: bytes) -> str | None:
    try:
        kept = await read_build(database, tenant, build)
        its = kept.files[kept.declaration]
        if its.sha256 != file.hex():
            return None
        data = b"".join([piece async for piece in read_file(database, tenant, kept.declaration, its)])
        found = read_declaration(data, kept.declaration).decisions.get(point)
    except InterlockError:
        return None
    return point_digest(found) if found is not None else None

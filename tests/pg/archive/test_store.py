from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

from interlock.archive import pieces
from interlock.archive.build import FORMAT, Build, Code, InForce, Kept
from interlock.archive.pieces import look_at
from interlock.archive.store import Manifest, keep_build, keep_published, read_build, unpack
from interlock.db.database import Database
from interlock.errors import ArchiveDamaged, ArchiveMissing

_CONTENT = {"w.yaml": b"workflow: w\n", "0/components/m@1/m.onnx": b"0123456789", "0/components/m@1/empty": b""}


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "LARGEST_PIECE", 4)


def _build(content: dict[str, bytes]) -> tuple[Build, dict[str, Any]]:
    files = {path: look_at(data, path) for path, data in content.items()}
    code = Code(workflow="w", modules={}, interlock="0", engine="e", python="3", distributions=_kept(b"a==1\n"))
    build = Build(format=FORMAT, workflow="w", version="1", declaration="w.yaml", roots=1, files=files, code=code)
    found = {files[path].sha256: data for path, data in content.items()}
    return build, {**found, code.distributions.sha256: b"a==1\n"}


def _kept(data: bytes) -> Kept:
    return look_at(data, "it")


async def test_a_build_is_kept_once_however_many_bring_it_and_comes_back_byte_for_byte(
    database: Database, tenant: UUID, admin: psycopg.Connection[Any], tmp_path: Path
) -> None:
    build, found = _build(_CONTENT)
    manifests = await asyncio.gather(*(keep_build(database, build, found) for _ in range(6)))
    assert len({one.digest for one in manifests}) == 1
    rows = admin.execute("select kind, count(*) from artifact group by 1 order by 1").fetchall()
    assert rows == [("build", 1), ("piece", 9)]  # of 12, 10, 0 and 5 bytes in pieces of four
    # a second time nothing is needed of the files: one look says that all is kept
    assert (await keep_build(database, build, {})).digest == manifests[0].digest
    back = await read_build(database, tenant, manifests[0].digest)
    assert back == build
    assert await unpack(database, tenant, back, tmp_path) == {}
    assert {path: (tmp_path / path).read_bytes() for path in _CONTENT} == _CONTENT


async def test_a_process_that_died_half_way_leaves_nothing_that_is_named(
    database: Database, tenant: UUID, admin: psycopg.Connection[Any]
) -> None:
    build, found = _build(_CONTENT)
    some = {digest: source for digest, source in found.items() if source != _CONTENT["0/components/m@1/m.onnx"]}
    with pytest.raises(KeyError):
        await keep_build(database, build, some)
    assert admin.execute("select count(*) from artifact where kind = 'build'").fetchone() == (0,)
    with pytest.raises(ArchiveMissing, match="the build is not in the archive"):
        await read_build(database, tenant, Manifest.of(build).digest)
    kept = await keep_build(database, build, found)
    assert await read_build(database, tenant, kept.digest) == build


async def test_what_is_missing_or_not_what_was_kept_is_named(
    database: Database, tenant: UUID, admin: psycopg.Connection[Any], tmp_path: Path
) -> None:
    build, found = _build(_CONTENT)
    await keep_build(database, build, found)
    piece = hashlib.sha256(b"4567").digest()
    with pytest.raises(psycopg.errors.CheckViolation, match="artifact_digest_is_of_its_content"):
        admin.execute("update artifact set content = '4568' where digest = %s", (piece,))
    admin.execute("alter table artifact drop constraint artifact_digest_is_of_its_content")
    admin.execute("update artifact set content = '4568' where digest = %s", (piece,))
    lacking = await unpack(database, tenant, build, tmp_path)
    assert list(lacking) == ["0/components/m@1/m.onnx"]
    assert isinstance(lacking["0/components/m@1/m.onnx"], ArchiveDamaged)
    admin.execute("delete from artifact where digest = %s", (piece,))
    lacking = await unpack(database, tenant, build, tmp_path)
    assert "m.onnx is not in the archive" in str(lacking["0/components/m@1/m.onnx"])
    assert not (tmp_path / "0/components/m@1/m.onnx").exists()
    assert (tmp_path / "w.yaml").read_bytes() == _CONTENT["w.yaml"]


async def test_the_service_changes_and_removes_nothing(database: Database, tenant: UUID) -> None:
    build, found = _build(_CONTENT)
    await keep_build(database, build, found)
    for statement in ("delete from artifact", "update artifact set name = 'x'", "truncate artifact"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with database.tenant(tenant) as connection:
                await connection.execute(statement.encode())


async def test_what_a_tenant_has_published_is_named_to_no_other(
    database: Database, tenant: UUID, admin: psycopg.Connection[Any]
) -> None:
    build, found = _build(_CONTENT)
    files = await keep_build(database, build, found)
    published = (InForce(kind="rules", name="approve", wanted="1", version="1.1", sha256="a" * 64),)
    own = Manifest.of(msgspec.structs.replace(build, tenant=str(tenant), published=published))
    await asyncio.gather(*(keep_published(database, tenant, [own]) for _ in range(3)))
    other = await database.ensure_tenant("other")
    assert (await read_build(database, tenant, own.digest)).published == published
    assert await read_build(database, other, files.digest) == build
    with pytest.raises(ArchiveMissing):
        await read_build(database, other, own.digest)
    assert admin.execute("select count(*) from artifact where tenant = %s", (tenant,)).fetchone() == (1,)
    # nor can a tenant's name bring what would count as the installation's, or another's
    for whose in (None, other):
        row = {"whose": whose, "content": b"forged"}
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            async with database.tenant(tenant) as connection:
                await connection.execute(
                    b"insert into artifact (digest, tenant, kind, name, content) "
                    b"values (sha256(%(content)s), %(whose)s, 'build', 'x', %(content)s)",
                    row,
                )

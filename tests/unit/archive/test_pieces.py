from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from interlock.archive import pieces
from interlock.archive.build import FORMAT, LARGEST_BUILD, Build, Code, Kept, is_inside, manifest_of, read_manifest
from interlock.archive.pieces import look_at, pieces_of
from interlock.errors import ArchiveDamaged, ArchiveRefused

_NOTHING = Kept(hashlib.sha256(b"").hexdigest(), 0)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "LARGEST_PIECE", 4)


@pytest.mark.parametrize("content", [b"", b"1234", b"12345", b"1234123412341234x"])
def test_a_file_and_the_same_bytes_are_looked_at_alike_and_come_back_whole(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.onnx"
    file.write_bytes(content)
    kept = look_at(file, "a.onnx")
    assert kept == look_at(content, "a.onnx")
    assert kept.sha256 == hashlib.sha256(content).hexdigest()
    assert kept.size == len(content)
    assert b"".join(pieces_of(file, kept)) == content
    assert [hashlib.sha256(one).hexdigest() for one in pieces_of(content, kept)] == list(kept.digests)


@pytest.mark.parametrize("after", [b"1234567", b"", b"abcd5678"])
def test_a_file_that_changed_since_it_was_looked_at_is_refused(tmp_path: Path, after: bytes) -> None:
    file = tmp_path / "a.onnx"
    file.write_bytes(b"12345678")
    kept = look_at(file, "a.onnx")
    file.write_bytes(after)
    with pytest.raises(ArchiveRefused, match="changed while it was being kept"):
        list(pieces_of(file, kept))


def test_too_large_and_absent_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ArchiveRefused, match="big is too large") as large:
        look_at(b"123456789", "big", largest=8)
    assert "smaller model" in large.value.todo
    with pytest.raises(ArchiveRefused, match="gone cannot be read"):
        look_at(tmp_path / "gone", "gone")


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a\0b"])
def test_no_path_of_a_manifest_leads_out_of_its_folder(path: str) -> None:
    assert not is_inside(path)
    with pytest.raises(ArchiveDamaged):
        read_manifest(manifest_of(_build({path: _NOTHING, "w.yaml": _NOTHING})), "here")


def test_a_manifest_reads_back_as_it_was_and_is_the_same_bytes_whatever_the_order() -> None:
    files = {"w.yaml": _NOTHING, "0/contracts/a@1.odcs.yaml": Kept("a" * 64, 3, ("b" * 64, "c" * 64))}
    build = _build(files)
    assert read_manifest(manifest_of(build), "here") == build
    assert manifest_of(_build(dict(reversed(files.items())))) == manifest_of(build)


@pytest.mark.parametrize("manifest", [b"", b"{}", b"[]", b"\xff", b"null"])
def test_what_is_no_manifest_is_called_so(manifest: bytes) -> None:
    with pytest.raises(ArchiveDamaged, match="cannot be read"):
        read_manifest(manifest, "here")


def test_a_manifest_of_more_than_a_build_may_hold_is_not_unpacked() -> None:
    build = _build({"w.yaml": _NOTHING})
    for field, value in (("roots", 10**15), ("files", {**build.files, "big": Kept("a" * 64, LARGEST_BUILD + 1)})):
        with pytest.raises(ArchiveDamaged, match="more than a build may hold"):
            read_manifest(manifest_of(msgspec.structs.replace(build, **{field: value})), "here")


def test_a_manifest_of_another_form_is_not_guessed_at() -> None:
    other = manifest_of(_build({"w.yaml": _NOTHING})).replace(FORMAT.encode(), b"interlock.build.2")
    with pytest.raises(ArchiveDamaged, match=r"interlock\.build\.2"):
        read_manifest(other, "here")


def _build(files: dict[str, Kept]) -> Build:
    code = Code(workflow="w", modules={}, interlock="0", engine="e", python="3", distributions=_NOTHING)
    return Build(format=FORMAT, workflow="w", version="1", declaration="w.yaml", roots=1, files=files, code=code)

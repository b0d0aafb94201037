from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from interlock.archive.build import manifest_of
from interlock.cases import build as builds
from interlock.cases.build import Collected, build_of
from interlock.cases.registry import Registered, load_registry, register
from interlock.errors import ArchiveRefused


@pytest.fixture(scope="module")
def receipts() -> Registered:
    return load_registry(["interlock.packs.receipts.workflow:receipts"]).all[0]


def test_a_build_holds_all_that_decides_and_nothing_else(receipts: Registered) -> None:
    build, found = build_of(receipts)
    assert set(build.files) == {
        "receipts.workflow.yaml",
        "0/contracts/approval@1.odcs.yaml",
        "0/contracts/claim@1.odcs.yaml",
        "0/contracts/receipt-fields@1.odcs.yaml",
        "0/contracts/receipt@1.odcs.yaml",
        "0/components/approve-receipt@1.rules.json",
        *(
            f"0/components/receipt-fields@1/{name}"
            for name in (
                "CARD.md", "component.yaml", "thresholds.json", "company.onnx", "company_confidence.onnx", "date.onnx",
                "date_confidence.onnx", "total.onnx", "total_confidence.onnx",
            )
        ),
    }  # fmt: skip
    assert {"interlock.packs.receipts.reading", "interlock.packs.receipts.checks"} <= set(build.code.modules)
    for path, kept in build.files.items():
        source = found.sources[kept.sha256]
        data = source if isinstance(source, bytes) else source.read_bytes()
        assert hashlib.sha256(data).hexdigest() == kept.sha256, path
        assert len(data) == kept.size
    installed = found.sources[build.code.distributions.sha256]
    assert isinstance(installed, bytes)
    assert b"msgspec==" in installed
    assert manifest_of(build_of(receipts)[0]) == manifest_of(build)


def test_in_production_no_file_of_rules_or_contracts_counts(receipts: Registered) -> None:
    only = register(receipts.workflow, only_published=True)
    build, _ = build_of(only)
    assert build.only_published
    assert not [path for path in build.files if "contracts/" in path or ".rules.json" in path]
    assert "0/components/receipt-fields@1/total.onnx" in build.files


def test_any_change_of_a_file_or_of_what_is_installed_is_another_build(
    receipts: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = manifest_of(build_of(receipts)[0])
    monkeypatch.setattr(builds, "distributions", lambda: b"msgspec==0\n")
    assert manifest_of(build_of(receipts)[0]) != before
    monkeypatch.undo()
    monkeypatch.setattr(builds, "engine", lambda: "0" * 64)
    assert manifest_of(build_of(receipts)[0]) != before


def test_too_many_and_too_large_files_and_names_that_are_none_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builds, "MOST_FILES", 2)
    found = Collected(_left=5)
    found.add("a", b"123")
    with pytest.raises(ArchiveRefused, match="b is too large"):
        found.add("b", b"123")
    found.add("b", b"12")
    with pytest.raises(ArchiveRefused, match="more than 2 files"):
        found.add("c", b"")
    odd = tmp_path / os.fsdecode(b"\xff.onnx")
    odd.write_bytes(b"")
    for name in (f"0/{odd.name}", "../x", "/x", "a\0"):
        with pytest.raises(ArchiveRefused, match="no name under which"):
            Collected().add(name, odd)

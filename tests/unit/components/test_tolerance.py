from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from interlock.components.component import ComponentRef, Kind
from interlock.components.llm.manifest_file import read_llm_manifest
from interlock.components.onnx import read_manifest
from interlock.components.registry import load_component, pack_roots
from interlock.components.tolerance import EXACT, apart, tolerance_of
from interlock.errors import ComponentInvalid

_ONNX = """\
kind: onnx
name: small
version: "1"
models: {total: total.onnx}
read: interlock.packs.receipts.sureness:read
tolerance: TOLERANCE
"""
_LLM = """\
kind: llm
name: small
version: "1"
provider: there
model: m
parameters: {temperature: 0, max_tokens: 10}
confidence: none
tolerance: TOLERANCE
"""


def onnx(folder: Path, tolerance: str) -> object:
    (folder / "total.onnx").write_bytes(b"")
    (folder / "component.yaml").write_text(_ONNX.replace("TOLERANCE", tolerance))
    return read_manifest(folder).tolerance


def llm(folder: Path, tolerance: str) -> object:
    (folder / "component.yaml").write_text(_LLM.replace("TOLERANCE", tolerance))
    (folder / "system.md").write_text("Be brief.")
    (folder / "user.md").write_text("{{input}}")
    return read_llm_manifest(folder).tolerance


@pytest.mark.parametrize("read", [onnx, llm])
def test_a_manifest_declares_absolute_differences_by_field(read: object, tmp_path: Path) -> None:
    assert callable(read)
    assert read(tmp_path, "{confidence: 0.001, total: '0.01', 'unit-price': 3}") == {
        "confidence": Decimal("0.001"),
        "total": Decimal("0.01"),
        "unit-price": Decimal(3),
    }
    assert read(tmp_path, "{}") == {}


@pytest.mark.parametrize("read", [onnx, llm])
@pytest.mark.parametrize(
    "wrong",
    [
        "0.1",
        "[total]",
        "{total: -1}",
        "{total: .nan}",
        "{total: 1e9}",
        "{total: ten}",
        "{confidence: 1.1}",
        "{'a b': 1}",
    ],
)
def test_a_tolerance_that_is_none_is_refused_with_its_line(read: object, wrong: str, tmp_path: Path) -> None:
    assert callable(read)
    with pytest.raises(ComponentInvalid) as refused:
        read(tmp_path, wrong)
    assert ["component.yaml:" in one.where for one in refused.value.violations] == [True]


def test_who_declares_nothing_is_exact() -> None:
    rules = load_component(ComponentRef(Kind.RULES, "approve-receipt", "1"), pack_roots())
    assert tolerance_of(rules) is EXACT


@pytest.mark.parametrize(
    ("one", "other", "far"),
    [
        ("31.00", "31.01", "0.01"),
        (1, 1.5, "0.5"),
        (0.1, 0.3, "0.2"),
        ("-1", "1", "2"),
        ("1e2", 100, "0"),
        (True, 1, None),
        ("31", "x", None),
        (None, 1, None),
        (float("nan"), 1, None),
        (float("inf"), float("inf"), None),
        ("٣", 3, None),
    ],
)
def test_how_far_two_values_lie_apart(one: object, other: object, far: str | None) -> None:
    assert apart(one, other) == (None if far is None else Decimal(far))

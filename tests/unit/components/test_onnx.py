from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interlock.components.component import Question
from interlock.components.onnx import Onnx, load_onnx, read_manifest
from interlock.components.onnx_model import Model
from interlock.errors import ComponentFailed, ComponentInvalid

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PACKAGE = "tiny_pack"
READING = """
from decimal import Decimal

import numpy as np

from interlock.components.component import Answer
from tiny_pack.scale import SCALE
from . import offset


def read(input, run):
    x = np.asarray([[input["x"] * SCALE + offset.OFFSET]], dtype=np.float32)
    p = float(run("sign", x)[0])
    return Answer(output={"positive": p > 0.5}, confidence=max(p, 1 - p), evidence={"p": p})


def none(input, run):
    return None


def answer_of(input, run):
    return Answer(output=input.get("output", {}), confidence=input.get("confidence", 1.0))


def raises(input, run):
    raise input["error"]


def unknown_model(input, run):
    run("sing", np.zeros((1, 1), dtype=np.float32))


def matrix(input, run):
    run("sign", input["matrix"])


number = 3
"""


def tiny_model(*, bias: float = 0.0, outputs: int = 2) -> bytes:
    """A logistic regression of one feature whose weight is 1, as skl2onnx would write it."""
    onnx = pytest.importorskip("onnx")
    helper, proto = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("MatMul", ["x", "weights"], ["logit"]),
        helper.make_node("Add", ["logit", "bias"], ["moved"]),
        helper.make_node("Softmax", ["moved"], ["probabilities"], axis=1),
    ]
    weights = helper.make_tensor("weights", proto.FLOAT, [1, outputs], [-0.5, *[0.5] * (outputs - 1)])
    moved = helper.make_tensor("bias", proto.FLOAT, [outputs], [-bias / 2, *[bias / 2] * (outputs - 1)])
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", proto.FLOAT, [None, 1])],
        [helper.make_tensor_value_info("probabilities", proto.FLOAT, [None, outputs])],
        [weights, moved],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    package = tmp_path / PACKAGE
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "reading.py").write_text(READING)
    (package / "scale.py").write_text("SCALE = 2\n")
    (package / "offset.py").write_text("OFFSET = 0\n")
    (package / "unused.py").write_text("UNUSED = 1\n")
    component = tmp_path / "components" / "tiny@1"
    component.mkdir(parents=True)
    (component / "sign.onnx").write_bytes(tiny_model())
    write_manifest(component)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    yield component
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def write_manifest(folder: Path, **changes: str) -> None:
    lines = {
        "kind": "onnx",
        "name": "tiny",
        "version": "'1'",
        "models": "{sign: sign.onnx}",
        "read": f"{PACKAGE}.reading:read",
    }
    (folder / "component.yaml").write_text(
        "".join(f"{key}: {value}\n" for key, value in (lines | changes).items() if value)
    )


def ask(component: Onnx, **given: Any) -> Any:
    return component.answer(Question(input=given, now=NOW))


def with_function(folder: Path, function: str) -> Onnx:
    write_manifest(folder, read=f"{PACKAGE}.reading:{function}")
    return load_onnx(folder)


def test_answers_with_what_its_code_reads(folder: Path) -> None:
    component = load_onnx(folder)
    assert str(component.ref) == "onnx:tiny@1"
    answer = ask(component, x=1.0)
    assert answer.output == {"positive": True}
    assert answer.confidence == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-6)
    assert ask(component, x=1.0) == answer


def test_the_digest_covers_manifest_models_and_the_code_of_the_package(folder: Path) -> None:
    first = read_manifest(folder).digest
    assert len(first) == 32
    assert load_onnx(folder).digest == first
    seen = {first}
    package = folder.parent.parent / PACKAGE
    for path, text in [
        (package / "reading.py", READING + "\n"),
        (package / "scale.py", "SCALE = 3\n"),
        (package / "offset.py", "OFFSET = 1\n"),
        (package / "__init__.py", "A = 1\n"),
        (folder / "component.yaml", (folder / "component.yaml").read_text() + "card: CARD.md\n"),
    ]:
        path.write_text(text)
        seen.add(read_manifest(folder).digest)
    (folder / "sign.onnx").write_bytes(tiny_model(bias=1.0))
    seen.add(read_manifest(folder).digest)
    assert len(seen) == 7
    (package / "unused.py").write_text("UNUSED = 2\n")
    (folder / "CARD.md").write_text("changes no answer")
    assert read_manifest(folder).digest in seen


@pytest.mark.parametrize(
    "error", [ValueError("odd"), KeyError("x"), RecursionError("deep"), ZeroDivisionError(), AssertionError()]
)
def test_whatever_the_code_raises_is_a_failed_component(folder: Path, error: Exception) -> None:
    with pytest.raises(ComponentFailed, match=type(error).__name__) as failed:
        ask(with_function(folder, "raises"), error=error)
    assert failed.value.__cause__ is error


def test_a_component_may_say_itself_why_it_failed(folder: Path) -> None:
    error = ComponentFailed("no total on this page")
    with pytest.raises(ComponentFailed) as failed:
        ask(with_function(folder, "raises"), error=error)
    assert failed.value is error


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"confidence": float("nan")}, "nan sure"),
        ({"confidence": float("inf")}, "inf sure"),
        ({"confidence": 1.01}, "1.01 sure"),
        ({"confidence": -0.01}, "-0.01 sure"),
        ({"confidence": True}, "True sure"),
        ({"confidence": "0.9"}, "'0.9' sure"),
        ({"output": {"a": [float("nan")]}}, "gave nan"),
        ({"output": {"a": np.float32(1)}}, "float32, which is no JSON"),
        ({"output": {1: 2}}, "the key 1"),
        ({"output": [1]}, "list as output"),
        ({"output": {"a": object()}}, "object, which is no JSON"),
    ],
)
def test_what_is_no_answer_is_a_failed_component(folder: Path, given: dict[str, Any], what: str) -> None:
    with pytest.raises(ComponentFailed, match=what):
        ask(with_function(folder, "answer_of"), **given)


def test_what_is_no_answer_at_all_is_a_failed_component(folder: Path) -> None:
    with pytest.raises(ComponentFailed, match="NoneType, not an Answer"):
        ask(with_function(folder, "none"))


def test_a_wrong_model_or_matrix_is_a_failed_component(folder: Path) -> None:
    with pytest.raises(ComponentFailed, match="no model 'sing'") as failed:
        ask(with_function(folder, "unknown_model"))
    assert 'did you mean "sign"' in failed.value.todo
    component = with_function(folder, "matrix")
    for matrix, what in [
        (np.zeros((1, 1), dtype=np.float64), "float64"),
        (np.zeros(1, dtype=np.float32), r"\[1\]"),
        (np.full((1, 1), np.nan, dtype=np.float32), "no finite number"),
        (np.zeros((1, 2), dtype=np.float32), "the model failed"),
    ]:
        with pytest.raises(ComponentFailed, match=what):
            ask(component, matrix=matrix)


def test_a_model_gives_one_probability_a_row() -> None:
    model = Model(tiny_model())
    given = model.run(np.asarray([[-3.0], [0.0], [3.0]], dtype=np.float32))
    assert given.dtype == np.float32
    assert given == pytest.approx(1 / (1 + np.exp([3.0, 0.0, -3.0])), abs=1e-6)
    assert model.run(np.zeros((0, 1), dtype=np.float32)).shape == (0,)
    with pytest.raises(ComponentFailed, match=r"gave \[1, 3\], not \[1, 2\]"):
        Model(tiny_model(outputs=3)).run(np.zeros((1, 1), dtype=np.float32))


def test_a_model_that_gives_no_probability_fails() -> None:
    with pytest.raises(ComponentFailed, match="no probability"):
        Model(tiny_model(bias=float("nan"))).run(np.zeros((1, 1), dtype=np.float32))


@pytest.mark.parametrize(
    ("changes", "line", "what"),
    [
        ({"kind": "rules"}, 1, "the kind is 'rules'"),
        ({"name": ""}, 1, "the key 'name' is missing"),
        ({"name": "[a]"}, 2, "name is a list"),
        ({"models": "sign.onnx"}, 4, "no mapping of names"),
        ({"models": "{sign: sing.onnx}"}, 4, "no file 'sing.onnx'"),
        ({"models": "{sign: ../../secret.onnx}"}, 4, "no file of this folder"),
        ({"models": "{sign: [a]}"}, 4, "no file of this folder"),
        ({"read": "reading.read"}, 5, "names no function"),
        ({"raed": "x"}, 6, "the key 'raed' is unknown"),
    ],
)
def test_a_wrong_manifest_is_refused_with_its_line(folder: Path, changes: dict[str, str], line: int, what: str) -> None:
    write_manifest(folder, **changes)
    with pytest.raises(ComponentInvalid) as refused:
        load_onnx(folder)
    assert (f"tiny@1/component.yaml:{line}", True) in [
        (violation.where, what in violation.what) for violation in refused.value.violations
    ]


@pytest.mark.parametrize(
    ("read", "what"),
    [
        ("tiny_pack.nothing:read", "no source of tiny_pack.nothing"),
        ("no_such_pack.reading:read", "no source of no_such_pack.reading"),
        ("tiny_pack.reading:raed", "has no attribute 'raed'"),
        ("tiny_pack.reading:number", "is no function"),
        ("tiny_pack.broken:read", "SyntaxError"),
        ("tiny_pack.failing:read", "RuntimeError: not here"),
        ("math:floor", "no source of math"),
    ],
)
def test_code_that_cannot_be_loaded_is_refused(folder: Path, read: str, what: str) -> None:
    package = folder.parent.parent / PACKAGE
    (package / "broken.py").write_text("def read(:\n")
    (package / "failing.py").write_text("raise RuntimeError('not here')\n")
    write_manifest(folder, read=read)
    with pytest.raises(ComponentInvalid) as refused:
        load_onnx(folder)
    assert what in refused.value.violations[0].what


def test_a_file_that_is_no_such_model_is_refused(folder: Path) -> None:
    (folder / "sign.onnx").write_bytes(b"no model")
    with pytest.raises(ComponentInvalid, match="no model that can be run"):
        load_onnx(folder)
    manifest = read_manifest(folder)
    (folder / "sign.onnx").unlink()
    with pytest.raises(ComponentInvalid, match="restore the file"):
        load_onnx(folder, manifest)
    shutil.rmtree(folder)
    with pytest.raises(ComponentInvalid, match=r"component\.yaml"):
        load_onnx(folder)


@pytest.mark.parametrize(
    ("changes", "bounded"), [({}, False), ({"bounded": "true"}, True), ({"bounded": "false"}, False)]
)
def test_a_manifest_may_declare_that_the_time_of_an_answer_is_bounded(
    folder: Path, changes: dict[str, str], *, bounded: bool
) -> None:
    write_manifest(folder, **changes)
    assert load_onnx(folder).bounded is bounded


def test_a_bound_that_is_neither_true_nor_false_is_refused(folder: Path) -> None:
    write_manifest(folder, bounded="mostly")
    with pytest.raises(ComponentInvalid) as refused:
        load_onnx(folder)
    assert [one.what for one in refused.value.violations] == ["bounded is 'mostly'"]

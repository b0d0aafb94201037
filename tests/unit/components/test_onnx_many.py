"""Several inputs at once are answered as one by one, to the bit; code that does otherwise is not used so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from interlock.components.component import Answer, Question
from interlock.components.onnx import Manifest, Onnx, ReadMany, Run
from interlock.components.onnx_model import Model
from interlock.errors import ComponentFailed
from interlock.packs import receipts

MODELS = sorted((Path(receipts.__file__).parent / "components").glob("*/*.onnx"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("file", MODELS, ids=lambda file: file.name)
def test_a_row_of_trees_has_the_same_bits_in_any_company(file: Path) -> None:
    model = Model(file.read_bytes())
    assert model.rowwise is ("confidence" not in file.name)  # those are linear: their sums depend on the company
    width = next(n for n in range(1, 400) if _takes(model, n))
    matrix = np.random.default_rng(7).normal(0, 5, (257, width)).astype(np.float32)
    together = model.run(matrix)
    alone = [model.run(matrix[row : row + 1])[0] for row in range(len(matrix))]
    if model.rowwise:
        assert together.tobytes() == np.array(alone, dtype=np.float32).tobytes()
        assert all(model.run(matrix[:size]).tobytes() == together[:size].tobytes() for size in (2, 3, 64))


def test_a_linear_model_is_never_run_for_several_questions_at_once() -> None:
    file = next(file for file in MODELS if "confidence" in file.name)
    model = Model(file.read_bytes())
    width = next(n for n in range(1, 400) if _takes(model, n))

    def one(given: Mapping[str, Any], run: Run) -> Answer:
        row = np.random.default_rng(given["n"]).normal(0, 5, (1, width)).astype(np.float32)
        return Answer(output={"n": float(run("m", row)[0])}, confidence=1.0)

    def many(given: Sequence[Mapping[str, Any]], run: Run) -> list[Answer]:
        rows = [np.random.default_rng(each["n"]).normal(0, 5, (1, width)) for each in given]
        found = run("m", np.concatenate(rows).astype(np.float32))
        return [Answer(output={"n": float(value)}, confidence=1.0) for value in found]

    manifest = Manifest(name="m", version="1", models={}, module="m", function="read", card="", digest=b"m" * 32)
    component = Onnx(manifest, {"m": model}, one, many)
    questions = [Question(input={"n": n}, now=NOW) for n in range(40)]
    assert component.answer_many(questions) == [component.answer(question) for question in questions]
    assert not component.reads_many


def _takes(model: Model, width: int) -> bool:
    try:
        model.run(np.zeros((1, width), dtype=np.float32))
    except ComponentFailed:
        return False
    return True


def read(given: Mapping[str, Any], _run: Run) -> Answer:
    """The number, or an error."""
    if given["n"] == 13:
        raise ValueError("unlucky")
    return Answer(output={"n": given["n"]}, confidence=0.5 if given["n"] != 14 else float("nan"))


def onnx(many: ReadMany | None) -> Onnx:
    """A component of these functions."""
    manifest = Manifest(name="m", version="1", models={}, module="m", function="read", card="", digest=b"m" * 32)
    return Onnx(manifest, {}, read, many)


def ask(component: Onnx, *numbers: int) -> list[str]:
    """What it says of each."""
    said = component.answer_many([Question(input={"n": number}, now=NOW) for number in numbers])
    return [one.what if isinstance(one, ComponentFailed) else msgspec.json.encode(one.output).decode() for one in said]


def test_one_that_fails_fails_alone() -> None:
    def many(given: Sequence[Mapping[str, Any]], run: Run) -> list[Answer]:
        return [read(one, run) for one in given]

    component = onnx(many)
    found = ask(component, 1, 13, 14, 2)
    assert (found[0], found[3]) == ('{"n":1}', '{"n":2}')
    assert "unlucky" in found[1]
    assert "from 0 to 1" in found[2]
    assert component.reads_many
    assert "from 0 to 1" in ask(component, 1, 14)[1]


def backwards(given: Sequence[Mapping[str, Any]], run: Run) -> list[Answer]:
    """In another order."""
    return [read(one, run) for one in reversed(given)]


def a_little_off(given: Sequence[Mapping[str, Any]], run: Run) -> list[Answer]:
    """Other in the last digit."""
    return [msgspec.structs.replace(read(one, run), confidence=0.5000001) for one in given]


def too_few(given: Sequence[Mapping[str, Any]], run: Run) -> list[Answer]:
    """Not all of them."""
    return [read(one, run) for one in given[1:]]


@pytest.mark.parametrize("many", [backwards, a_little_off])
def test_code_that_answers_otherwise_together_is_not_used(many: ReadMany, caplog: pytest.LogCaptureFixture) -> None:
    component = onnx(many)
    assert ask(component, 1, 2, 3) == ['{"n":1}', '{"n":2}', '{"n":3}']
    assert not component.reads_many
    assert "asked one by one" in caplog.text


@pytest.mark.parametrize("many", [too_few, None])
def test_code_that_gives_another_number_of_answers_is_asked_one_by_one(many: ReadMany | None) -> None:
    assert ask(onnx(many), 1, 2) == ['{"n":1}', '{"n":2}']

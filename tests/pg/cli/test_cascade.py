"""Tuning a cascade from the command line: what is printed, what is refused, and that nothing is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from interlock.cases.declaration import read_declaration

from .conftest import DESK, Run

RULES = "rules:approve-claim@1"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Evaluations of the desk's one component: it is wrong where it is less than half sure."""
    path = tmp_path / "evaluations.jsonl"
    rows = [
        {"id": str(n), "components": {RULES: {"confidence": n / 100, "correct": n >= 50, "cost": "0.001 USD"}}}
        for n in range(100)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_thresholds_are_found_and_nothing_is_written(run: Run, file: Path) -> None:
    before = {path: path.read_bytes() for path in DESK.rglob("*") if path.is_file()}
    tune = ("cascade", "tune", "desk.approve", "--evaluations", str(file), "--error", "0")
    tuned = run(*tune, "--person", "2 USD", "--json")
    assert tuned.document["steps"] == [
        {"component": RULES, "sure_from": "0.5", "asked": 100, "answered": 50, "wrong": 0, "cost": "0.1 USD"}
    ]
    assert (tuned.document["cost"], tuned.document["person_cost"]) == ("100.1 USD", "100 USD")
    people = run(*tune)
    assert f"  - {{use: {RULES}, sure_from: 0.5}}" in people.out
    assert "on the half not used to choose" in people.out
    assert before == {path: path.read_bytes() for path in DESK.rglob("*") if path.is_file()}
    steps = people.out[people.out.index("components:") :].replace("\n", "\n    ")
    text = (
        (DESK / "desk.workflow.yaml").read_text().replace("components: [rules:approve-claim@1, person]", steps.strip())
    )
    point = read_declaration(text.encode(), "f.yaml").decisions["approve"]
    assert point.steps[0].sureness is not None
    assert point.steps[0].sureness.sure_from == 0.5


@pytest.mark.parametrize(
    ("arguments", "what", "code"),
    [
        (["desk.aprove", "--evaluations", "FILE"], "there is no decision point 'desk.aprove' here", 4),
        (["desk.approve", "--evaluations", "none.jsonl"], "none.jsonl cannot be read", 4),
        (["desk.approve", "--evaluations", "FILE", "--error", "1%"], "'1%' is no share", 2),
        (["desk.approve", "--evaluations", "FILE", "--error", "nan"], "'nan' is no share", 2),
        (["desk.approve", "--evaluations", "FILE", "--person", "2 EUR"], "'2 EUR' is no cost", 2),
    ],
)
def test_what_is_wrong_is_said(run: Run, file: Path, arguments: list[str], what: str, code: int) -> None:
    refused = run("cascade", "tune", *(str(file) if one == "FILE" else one for one in arguments), code=code)
    assert what in refused.err


def test_a_line_without_an_end_is_refused_before_it_is_read(run: Run, tmp_path: Path) -> None:
    endless = tmp_path / "endless.jsonl"
    endless.write_bytes(b"[" * 3_000_000)
    refused = run("cascade", "tune", "desk.approve", "--evaluations", str(endless), code=2)
    assert "the line is longer than 100000 bytes" in refused.err


def test_what_a_cascade_saves_is_told_of_points_that_declare_their_autonomy(run: Run) -> None:
    assert "desk.approve declares no autonomy" in run("cascade", "saved", "desk.approve", code=2).err
    assert "there is no decision point" in run("cascade", "saved", "desk.aprove", code=4).err

"""The contracts in force, and those of a decision, with who answers for them and what they promise."""

from __future__ import annotations

import hashlib
from pathlib import Path
from uuid import uuid4

from .conftest import DESK, Advance, Run

VERDICT = DESK / "contracts" / "verdict@1.odcs.yaml"


def test_contracts_in_force_are_shown_with_owner_hash_uses_and_publication(run: Run) -> None:
    files = run("contracts", "show", "--json").document["contracts"]
    assert [(one["contract"], one["owner"], one["published_at"]) for one in files] == [
        ("claim@1.0.0", "desk@example.com", None), ("verdict@1.0.0", "desk@example.com", None),
    ]  # fmt: skip
    assert "no: it is a file's" in run("contracts", "show", "--in-force").out
    run("contracts", "publish", str(VERDICT), "--why", "agreed with the desk")
    verdict = run("contracts", "show", "--in-force", "--json").document["contracts"][1]
    assert verdict["digest"] == hashlib.sha256(VERDICT.read_bytes()).hexdigest()
    assert (verdict["why"], verdict["used_by"]) == (
        "agreed with the desk",
        ["desk events", "desk.approve output", "desk.weigh output"],
    )
    assert verdict["since"] == verdict["published_at"]
    assert "agreed with the desk, counts since" in run("contracts", "show").out
    assert "verdict@1.0.0" in run("contracts", "show", "verdict@1").out
    assert "exclude each other" in run("contracts", "show", "verdict@1", "--in-force", code=2).err


def test_the_contracts_of_a_decision_are_those_that_it_rested_on(run: Run, advance: Advance, claims: Path) -> None:
    run("submit", "desk", str(claims))
    advance()
    case = run("cases", "--json").document["cases"][0]["id"]
    decision = run("case", case, "--json").document["decisions"][0]
    shown = run("contracts", "show", "--decision", decision["id"], "--json").document["contracts"]
    assert [(one["contract"], one["used_by"]) for one in shown] == [
        ("claim@1.0.0", ["desk.approve input"]), ("verdict@1.0.0", ["desk.approve output"]),
    ]  # fmt: skip
    assert shown[1]["digest"] == hashlib.sha256(VERDICT.read_bytes()).hexdigest()
    assert "is a case, no decision" in run("contracts", "show", "--decision", case, code=4).err
    assert "nothing of the id" in run("contracts", "show", "--decision", str(uuid4()), code=4).err

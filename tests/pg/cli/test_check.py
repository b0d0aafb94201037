"""Files are checked before they are used: everything that is wrong is named, by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

import interlock.packs.receipts
from interlock.components.rules import Rules

from .conftest import DESK, Run

PACK = Path(interlock.packs.receipts.__file__).parent


def test_a_workflow_file_is_shown_with_its_gaps(run: Run) -> None:
    document = run("workflow", "check", str(DESK / "desk.workflow.yaml"), "--json").document
    assert (document["workflow"], document["decisions"], document["actions"]) == ("desk", ["approve", "weigh"], ["pay"])
    assert "stand_in" in document["dossier_lacks"]
    assert "complete" in run("workflow", "check", str(PACK / "receipts.workflow.yaml")).out


def test_what_happens_by_itself_is_shown(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "desk.workflow.yaml"
    rules = '{when: "open reviews >= 200", do: pause, for: 30m}, {when: "oldest review > 24h", do: stop}'
    file.write_text((DESK / "desk.workflow.yaml").read_text() + f"escalation: [{rules}]\n")
    said = ["open reviews >= 200: pause for 30m", "oldest review > 24h: stop"]
    assert run("workflow", "check", str(file), "--json").document["escalation"] == said
    assert all(rule in " ".join(run("workflow", "check", str(file)).out.split()) for rule in said)


def test_contracts_and_rules_are_shown(run: Run) -> None:
    document = run("contract", "check", str(DESK / "contracts" / "claim@1.odcs.yaml"), "--json").document
    assert (document["contract"], document["owner"]) == ("claim@1.0.0", "desk@example.com")
    assert "claim@1.0.0" in run("contract", "check", str(DESK / "contracts" / "claim@1.odcs.yaml")).out
    rules = DESK / "components" / "approve-claim@1.rules.json"
    document = run("rules", "check", str(rules), "--json").document
    assert (document["rules"], document["inputs"]) == ("rules:approve-claim@1", ["who", "total"])
    assert document["engine"] == "native"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rules, "engine", "zen")
        assert "zen, more slowly" in run("rules", "check", str(rules)).out


@pytest.mark.parametrize(
    ("command", "name", "text", "said"),
    [
        ("workflow", "x.workflow.yaml", "workflow: x\ncontrakt: y@1\n", "x.workflow.yaml:2: contrakt"),
        ("contract", "x@1.odcs.yaml", "apiVersion: v3.1.0\n", "kind"),
        ("rules", "x@1.rules.json", "{}", "interlock"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    run: Run, tmp_path: Path, command: str, name: str, text: str, said: str
) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    ran = run(command, "check", str(file), code=2)
    assert said in ran.err
    assert ran.out == ""
    missing = run(command, "check", str(tmp_path / "missing"), code=4 if command == "rules" else 2)
    assert "missing" in missing.err


def test_the_receipts_pack_is_measured(run: Run, shared_data: Path, tmp_path: Path) -> None:
    data = next(iter(sorted(shared_data.glob("receipts/**/*.jsonl"))), None)
    if data is None:
        pytest.skip("there are no labelled receipts in the real data")
    few = tmp_path / "few.jsonl"
    few.write_text("".join(data.read_text("utf-8").splitlines(keepends=True)[:5]), encoding="utf-8")
    assert run("evaluate", "receipts", "--data", str(few), "--json").document["receipts"] == 5
    assert "total exactly right" in run("evaluate", "receipts", "--data", str(few)).out
    run("evaluate", "receipts", "--data", "nowhere.jsonl", code=4)

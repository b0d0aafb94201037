"""Rules and contracts on the command line: tested, published, reverted, compared over what was decided."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from .conftest import DESK, Advance, Run

RULES = DESK / "components" / "approve-claim@1.rules.json"
CONTRACT = DESK / "contracts" / "verdict@1.odcs.yaml"
ENORMOUS = "12345678901234567.89"
CLAIM = '{"who": "ana", "total": "1.00"}'


def version(folder: Path, number: str, **changes: tuple[str, str]) -> str:
    """The rules as another version, with some texts in the file changed."""
    text = RULES.read_text("utf-8").replace('"version": "1"', f'"version": "{number}"')
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    file = folder / f"approve-claim@{number}.rules.json"
    file.write_text(text, "utf-8")
    return str(file)


def test_a_table_s_own_examples_are_run_and_shown(run: Run, tmp_path: Path) -> None:
    ran = run("rules", "test", str(RULES))
    assert "1 of 1 examples pass" in ran.out
    document = json.loads(RULES.read_text("utf-8"))
    document["interlock"]["examples"][0]["output"]["approved"] = False
    wrong = tmp_path / "wrong.rules.json"
    wrong.write_text(json.dumps(document))
    failed = run("rules", "test", str(RULES), str(wrong), "--json", code=1).document["files"]
    assert [one["passes"] for one in failed] == [True, False]
    example = failed[1]["examples"][0]
    assert (example["passes"], example["expected"]["approved"], example["got"]["approved"]) == (False, False, True)
    assert example["fired"]
    document["interlock"]["examples"] = []
    wrong.write_text(json.dumps(document))
    assert "no example" in run("rules", "test", str(wrong), code=1).out
    wrong.write_text("{")
    assert "no JSON" in run("rules", "test", str(wrong), code=2).err


def test_versions_are_published_listed_shown_and_reverted(run: Run, tmp_path: Path) -> None:
    assert "used by desk.approve" in run("rules", "publish", str(RULES), "--why", "first").out
    second = version(tmp_path, "1.1")
    assert run("rules", "publish", second, "--why", "second", "--json").document["published"][0]["new"]
    assert not run("rules", "publish", second, "--why", "again", "--json").document["published"][0]["new"]
    listed = run("rules", "list", "--json").document["publications"]
    assert [(one["version"], one["in_force"], one["why"]) for one in listed] == [
        ("1", False, "first"), ("1.1", True, "second"),
    ]  # fmt: skip
    assert run("rules", "show", "approve-claim@1", "--json").document["version"] == "1.1"
    assert run("rules", "revert", "approve-claim@1", "--to", "1", "--why", "w", "--json").document["new"]
    assert "approve-claim@1" in run("rules", "list", "approve-claim").out
    assert "does not count" in run("rules", "publish", second, "--why", "again").out
    assert "is not published" in run("rules", "revert", "approve-claim@1", "--to", "1.5", "--why", "w", code=4).err
    assert "not of the line" in run("rules", "revert", "approve-claim@2", "--to", "1", "--why", "w", code=2).err


def test_contracts_are_held_against_what_is_in_force(run: Run, tmp_path: Path) -> None:
    assert "breaks nothing" in run("contracts", "check", str(CONTRACT)).out
    text = CONTRACT.read_text("utf-8").replace("required: true", "required: false", 1)
    next_version = tmp_path / "verdict@1.odcs.yaml"
    next_version.write_text(text.replace("version: 1.0.0", "version: 1.1.0"))
    assert "in force by its file" in run("contracts", "check", str(next_version), code=1).out
    assert "(breaks consumers)" in run("contracts", "publish", str(next_version), "--why", "w", code=2).err
    run("contracts", "publish", str(CONTRACT), "--why", "agreed")
    told = run("contracts", "check", str(next_version), "--json", code=1).document
    assert (told["publishable"], told["against"]) == (False, "verdict@1.0.0")
    assert {one["breaks"] for one in told["breaks"]} == {"consumers"}
    assert "(breaks consumers)" in run("contracts", "publish", str(next_version), "--why", "w", code=2).err
    new_line = tmp_path / "verdict@2.odcs.yaml"
    new_line.write_text(text.replace("version: 1.0.0", "version: 2.0.0"))
    assert run("contracts", "check", str(new_line), "--json").document["publishable"]
    assert "breaks, as a new line may" in run("contracts", "publish", str(new_line), "--why", "w").out
    assert [one["version"] for one in run("contracts", "list", "--json").document["publications"]] == ["1.0.0", "2.0.0"]
    assert run("contracts", "show", "verdict@2", "--json").document["content"] == new_line.read_text()


def test_in_production_nothing_starts_before_all_is_published_in_one_go(
    run: Run, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLOCK_MODE", "production")
    refused = run("submit", "desk", "-", "--key", "k", given=CLAIM, code=2)
    assert "nothing is published for contract claim@1" in refused.err
    assert "interlock contracts publish" in refused.err
    published = run("publish", "--all", "--why", "the first release", "--json").document["published"]
    assert [(one["kind"], one["name"]) for one in published] == [
        ("contract", "claim"), ("contract", "verdict"), ("rules", "approve-claim"),
    ]  # fmt: skip
    assert all(one["new"] for one in published)
    again = run("publish", "--all", "--why", "the same release", "--json").document["published"]
    assert not any(one["new"] for one in again)
    run("submit", "desk", "-", "--key", "k", given=CLAIM)
    assert run("publish", "--why", "w", code=2).err


def test_what_would_change_is_shown_with_the_money_in_it(
    run: Run, advance: Advance, claims: Path, tmp_path: Path
) -> None:
    """Five claims: 12.30, 1.00, 250.00, 900.00, 20.00 MYR; the new version lets less through."""
    run("submit", "desk", str(claims))
    advance()
    run("rules", "publish", str(RULES), "--why", "first")
    stricter = version(tmp_path, "1.1", a=("1000", "15"))
    told = run("rules", "diff", "approve-claim@1", stricter, "--json").document
    point = told["points"][0]
    assert (told["old"], told["new"]) == ("rules:approve-claim@1", "rules:approve-claim@1.1")
    assert (point["point"], point["compared"], point["changed"]) == ("desk.approve", 5, 3)
    assert (point["money"], point["money_compared"]) == (["1170.00 MYR"], ["1183.30 MYR"])
    tally = next(one for one in point["tallies"] if one["field"] == "approved")
    assert (tally["before"], tally["after"], tally["decisions"]) == ("true", "false", 3)
    assert tally["money"] == ["1170.00 MYR"]
    example = point["examples"][0]
    assert example["old"]["rows"] != example["new"]["rows"]
    assert example["old"]["route"] in ("automatic", "review")
    shown = run("rules", "diff", str(RULES), stricter, "--point", "desk.approve", "--since", "1h").out
    assert "5 decisions compared, with 1183.30 MYR at stake; 3 would change, with 1170.00 MYR in them" in shown
    assert "Nothing would change" in run("rules", "diff", str(RULES), str(RULES)).out
    assert run("rules", "diff", str(RULES), stricter, "--limit", "2", "--json").document["points"][0]["compared"] == 2
    assert "no decision point" in run("rules", "diff", str(RULES), stricter, "--point", "desk.x", code=4).err
    assert "is not published" in run("rules", "diff", "approve-claim@1.9", stricter, code=4).err


@pytest.fixture
def exact_desk(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The desk in a folder of its own, with a contract that lets 17 digits through."""
    folder = tmp_path / "exact"
    shutil.copytree(DESK, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "desk_workflow.py").rename(folder / "exact_workflow.py")
    claim = folder / "contracts" / "claim@1.odcs.yaml"
    text = (
        claim.read_text("utf-8")
        .replace("decimal(12,2)", "decimal(19,2)")
        .replace("99999999.99", "99999999999999999.99")
    )
    claim.write_text(text, "utf-8")
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    environment["INTERLOCK_WORKFLOWS"] = "exact_workflow:desk"  # the worker's
    monkeypatch.setenv("INTERLOCK_WORKFLOWS", "exact_workflow:desk")  # the commands'
    return folder


def test_amounts_are_exact_through_the_whole_path(run: Run, exact_desk: Path, advance: Advance, tmp_path: Path) -> None:
    """12345678901234567.89, which no double holds: contract, table, route, record, ledger, comparison, sums."""
    wider = version(tmp_path, "1.1", a=("1000", "12345678901234567.88"))
    run("publish", "--all", "--why", "first")
    lines = [json.dumps({"key": str(n), "input": {"who": "ana", "total": ENORMOUS}}) for n in range(3)]
    taken = run("submit", "desk", "-", "--json", given="\n".join(lines)).document
    assert taken["new"] == 3
    advance()
    cases = run("cases", "--json").document["cases"]
    assert [case["exposure"] for case in cases] == [f"{ENORMOUS} MYR"] * 3
    shown = run("case", cases[0]["id"], "--json").document
    (decision,) = shown["decisions"]
    assert (decision["input"]["total"], decision["exposure"]) == (ENORMOUS, f"{ENORMOUS} MYR")
    assert decision["output"] == {"approved": False, "reason": "over_limit"}
    taken_entry = next(one for one in shown["entries"] if one["kind"] == "decision.taken")
    assert taken_entry["body"]["exposure"] == f"{ENORMOUS} MYR"
    assert f"{ENORMOUS} MYR" in run("explain", cases[0]["id"]).out
    cent_below = run("rules", "diff", "approve-claim@1", wider, "--json").document["points"][0]
    assert (cent_below["compared"], cent_below["changed"]) == (3, 0)
    exactly = version(tmp_path, "1.2", a=("1000", ENORMOUS))
    point = run("rules", "diff", "approve-claim@1", exactly, "--json").document["points"][0]
    assert (point["compared"], point["changed"]) == (3, 3)
    assert point["money"] == ["37037036703703703.67 MYR"]

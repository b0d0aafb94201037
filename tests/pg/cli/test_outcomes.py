"""Outcomes by command line: from tables, shown, missed, settled."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import Run

REFUNDS = Path(__file__).resolve().parents[3] / "examples" / "refunds"
FLOW = """
from interlock import Case, workflow

@workflow("judging", version="1", file="judging.workflow.yaml")
async def judging(case: Case) -> str:
    return "done"
"""
FILE = """\
workflow: judging
contract: refund-request@1
decisions:
  approve:
    components: [rules:approve-refund@1, person]
    input: refund-request@1
    output: refund-decision@1
    exposure: input.amount EUR
    autonomy:
      review_cost: 3.20 EUR
      budget: 0.40 EUR
      cap: 1000 EUR
      wrong: {share: 1}
      outcome: {after: 1ms, from: every, fields: [approved]}
"""


@pytest.fixture
def judging(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workflow whose point declares its autonomy, in the folder in which commands run."""
    for part in ("contracts", "components"):
        shutil.copytree(REFUNDS / part, tmp_path / part)
    (tmp_path / "judging_flow.py").write_text(FLOW)
    (tmp_path / "judging.workflow.yaml").write_text(FILE)
    rows = "".join(f"{key},Ana,20.00,3\n" for key in ("one", "two", "three"))
    (tmp_path / "in.csv").write_text("key,customer,amount,days_since_purchase\n" + rows)
    monkeypatch.setenv("INTERLOCK_WORKFLOWS", "judging_flow:judging")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "judging_flow", raising=False)
    return tmp_path


def test_a_table_of_outcomes_is_added_shown_and_settled(run: Run, judging: Path) -> None:
    run("decide", "judging.approve", "--in", "in.csv", "--out", "out.jsonl", "--key", "key", code=None)
    decided = [json.loads(one) for one in (judging / "out.jsonl").read_text().splitlines()]
    ids = {one["key"]: one["decision"] for one in decided}
    (judging / "paid.csv").write_text(
        "point,asked,truth.approved,loss,label\njudging.approve,one,true,,paid back\n"
        "judging.approve,two,false,12.5 EUR,\njudging.approve,four,true,,\njudging.approve,two,maybe,,\n"
    )
    told = run("outcomes", "add", "paid.csv", "--source", "bank", "--json", code=3).document
    assert (told["read"], told["recorded"], told["unknown"], told["refused"]) == (4, 2, 1, 1)
    assert [one["line"] for one in told["why"]] == ["paid.csv, line 3", "paid.csv, line 4"]
    again = run("outcomes", "add", "paid.csv", "--source", "bank", code=3).out
    assert "0 of 4 are on record, 0 correct an earlier word, 2 were known." in again
    assert "approved is no boolean" in again
    nobody = run("outcomes", "add", "paid.csv", code=3).out
    assert "paid.csv, line 1 and 3 more: /source: it does not say whose word it is" in nobody
    assert "of a whole table: --source bank" in nobody
    shown = run("outcomes", "show", ids["two"]).out
    assert "The proposal was wrong, 12.50 EUR lost." in shown
    due: dict[str, Any] = run("outcomes", "missing", "judging.approve", "--json").document
    assert (due["due"], due["missing"], [one["decision"] for one in due["decisions"]]) == (3, 1, [ids["three"]])
    (judging / "shop.jsonl").write_text(json.dumps({"source": "shop", "decision": ids["two"], "right": True}) + "\n")
    assert run("outcomes", "add", "shop.jsonl", "--json").document["contradictory"] == 1
    assert run("outcomes", "contradictory", "--json").document["decisions"][0]["decision"] == ids["two"]
    assert "Sources contradict one another" in run("outcomes", "show", ids["two"]).out
    settle = ("outcomes", "settle", ids["two"], "--right", "--why", "the shop has the goods", "--shown")
    assert "since it was shown" in run(*settle, "0" * 64, code=5).err
    run(*settle, run("outcomes", "show", ids["two"], "--json").document["shown"])
    assert run("outcomes", "show", ids["two"], "--json").document["counts"]["is_right"] is True
    assert "Nothing contradicts anything." in run("outcomes", "contradictory").out
    assert "approve declares no" not in run("outcomes", "missing", "judging.approve").out

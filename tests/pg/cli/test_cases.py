"""Cases as the command line shows them: lists, one whole, counts, the story."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from .conftest import Advance, Run


@pytest.fixture
def taken(run: Run, claims: Path, advance: Advance) -> dict[str, str]:
    """The ids of the claims by key, after a worker went as far as it can."""
    report = run("submit", "desk", str(claims), "--json").document
    advance()
    return {case["key"]: case["case"] for case in report["cases"]}


def test_lists_the_newest_first_in_parts_and_by_state(run: Run, taken: dict[str, str]) -> None:
    page = run("cases", "--limit", "2", "--json").document
    rest = run("cases", "--limit", "9", "--before", page["before"], "--json").document
    listed = [case["id"] for case in page["cases"] + rest["cases"]]
    assert listed == sorted(taken.values(), reverse=True)
    assert rest["before"] is None
    waiting = run("cases", "--state", "waiting", "--json").document["cases"]
    assert {case["key"] for case in waiting} == {"large", "larger"}
    assert {case["exposure"] for case in waiting} == {"250.00 MYR", "900.00 MYR"}
    assert run("cases", "--workflow", "other", "--json").document["cases"] == []
    assert run("cases", "--state", "nowhere", code=2).out == ""
    assert "There is no such case." in run("cases", "--workflow", "other").out


def test_shows_one_case_whole(run: Run, taken: dict[str, str]) -> None:
    record = run("case", taken["small"], "--json").document
    assert record["case"]["input"] == {"total": "12.30", "who": "ana"}
    assert record["case"]["conclusion"] == "approved"
    decision = record["decisions"][0]
    assert (decision["route"], decision["exposure"], decision["output"]["approved"]) == ("automatic", "12.30 MYR", True)
    assert bytes.fromhex(decision["input_hash"])
    assert record["steps"][0]["kind"] == "decide"
    assert record["entries"][0]["kind"] == "case.received"
    people = run("case", taken["small"]).out
    assert "12.30 MYR" in people
    assert "done: approved" in people


def test_counts_cases_and_money(run: Run, taken: dict[str, str]) -> None:
    document = run("summary", "--json").document
    assert document["cases"] == len(taken)
    found = {(count["state"], count["conclusion"]): (count["cases"], count["exposure"]) for count in document["counts"]}
    assert found["done", "approved"] == (2, "13.30 MYR")
    assert found["waiting", None] == (2, "1150.00 MYR")
    assert "1150.00 MYR" in run("summary", "--workflow", "desk").out


def test_tells_the_story_from_any_of_its_ids(run: Run, taken: dict[str, str]) -> None:
    record = run("case", taken["large"], "--json").document
    stuck = run("case", taken["stuck"], "--json").document
    story = run("explain", taken["large"]).out
    assert "Route: review" in story
    for identifier in (record["decisions"][0]["id"], record["reviews"][0]["id"]):
        assert run("explain", identifier).out == story
    assert "What to do next" in run("explain", taken["large"], "--for", "operator").out
    assert taken["large"] not in run("explain", taken["large"], "--for", "person").out
    told: dict[str, Any] = run("explain", stuck["exceptions"][0]["id"], "--json").document
    assert told["case"] == taken["stuck"]
    assert any("missing_bank" in line for passage in told["passages"] for line in passage["lines"])


@pytest.mark.parametrize("command", ["case", "explain", "review", "exception"])
def test_what_is_not_there_is_said(run: Run, command: str) -> None:
    ran = run(command, str(uuid4()), code=4)
    assert ran.err.startswith("error: ")
    assert "to do: " in ran.err
    assert ran.out == ""
    assert "no id of" in run(command, "12", code=2).err


def test_another_tenant_sees_nothing(run: Run, taken: dict[str, str]) -> None:
    assert run("--tenant", "other", "cases", "--json").document["cases"] == []
    run("--tenant", "other", "case", taken["small"], code=4)


def test_what_came_from_outside_does_nothing_to_a_terminal(run: Run) -> None:
    line = '{"who": "\\u001b[31mred [bold]x[/bold]", "total": "1.00"}'
    report = run("submit", "desk", "-", "--json", given=f"{line}\nno \x1b[2J JSON\n").document
    held = UUID(report["quarantined"][0]["case"])
    quarantine = run("case", str(held), "--json").document["quarantines"][0]
    shown = run("quarantine", "show", quarantine["id"]).out
    assert "\x1b" not in shown
    assert "\\x1b[2J" in shown

"""Cancelling, resolving by cause and by value, and moving cases, by command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from .conftest import Advance, Run


@pytest.fixture
def stuck(run: Run, advance: Advance, tmp_path: Path) -> list[dict[str, Any]]:
    """Three claims that stop at a connector that is not there; their exceptions."""
    lines = [json.dumps({"who": "stuck", "total": f"{number}0.00"}) for number in (1, 2, 3)]
    run("submit", "desk", "-", given="\n".join(lines))
    advance()
    return run("exceptions", "--json").document["exceptions"]


@pytest.fixture
def waiting(run: Run, claims: Path, advance: Advance) -> list[dict[str, Any]]:
    """The reviews that wait, the largest first, after a worker went as far as it can."""
    run("submit", "desk", str(claims))
    advance()
    return run("reviews", "--json").document["reviews"]


def test_a_case_is_cancelled_with_a_reason_once(run: Run, waiting: list[dict[str, Any]], advance: Advance) -> None:
    case = waiting[0]["case_id"]
    assert "a reason is needed" in run("cases", "cancel", case, "--why", " ", code=2).err
    first = run("cases", "cancel", case, "--why", "a double", "--as", "ana", "--json").document
    assert (first["case"], first["cancel_by"], first["cancel_why"], first["new"]) == (case, "ana", "a double", True)
    again = run("cases", "cancel", case, "--why", "another reason")
    assert "is being cancelled already, by ana" in again.out
    assert "by ana: a double" in run("case", case).out
    assert case not in [one["case_id"] for one in run("reviews", "--json").document["reviews"]]
    advance()
    assert run("case", case, "--json").document["case"]["state"] == "cancelled"
    story = run("explain", case).out
    assert "ana cancelled it: a double." in story
    assert "The case is cancelled by ana: a double." in story
    assert "It was withdrawn" in story
    assert run("cases", "cancel", case, "--why", "again", "--json").document["new"] is False
    run("cases", "cancel", str(uuid4()), "--why", "x", code=4)


def test_what_is_done_is_not_cancelled(run: Run, advance: Advance) -> None:
    report = run("submit", "desk", "-", "--json", given='{"who": "ana", "total": "1.00"}').document
    advance()
    case = report["cases"][0]["case"]
    assert "it is done: approved" in (refused := run("cases", "cancel", case, "--why", "x", code=5).err)
    assert f"interlock cases take-back {case}" in refused


def test_what_is_done_is_taken_back_once(run: Run, advance: Advance) -> None:
    report = run("submit", "desk", "-", "--json", given='{"who": "ana", "total": "1.00"}').document
    case = report["cases"][0]["case"]
    advance()
    first = run("cases", "take-back", case, "--why", "the rule was wrong", "--as", "ana", "--json").document
    assert (first["cancel_by"], first["cancel_why"], first["new"]) == ("ana", "the rule was wrong", True)
    assert "is being cancelled already, by ana" in run("cases", "take-back", case, "--why", "again").out
    advance()
    assert run("case", case, "--json").document["case"]["state"] == "cancelled"
    story = run("explain", case).out
    assert "The case is cancelled by ana: the rule was wrong." in story
    run("cases", "take-back", str(uuid4()), "--why", "x", code=4)


def test_exceptions_of_one_cause_are_counted_and_resolved_together(
    run: Run, stuck: list[dict[str, Any]], advance: Advance
) -> None:
    (group,) = run("exceptions", "--grouped", "--json").document["groups"]
    assert (group["count"], group["kind"], group["owner"]) == (3, "connector-missing", "desk@example.com")
    assert group["exposures"] == ["60.00 MYR"]
    assert group["fingerprint"] in run("exceptions", "--grouped").out
    resolve = ("exceptions", "resolve", "--group", group["fingerprint"], "--why", "no bank")
    unfit = run(*resolve, "--way", "took_effect", code=5)
    assert "3 of 3 could not be resolved so" in unfit.err
    assert "no action is in doubt" in unfit.out
    told = run(*resolve, "--way", "abandon", "--as", "ana", "--json").document
    assert {one["exception"] for one in told["members"]} == {one["id"] for one in stuck}
    assert [one["refused"] for one in told["members"]] == [None] * 3
    advance()
    assert {run("case", one["case_id"], "--json").document["case"]["state"] for one in stuck} == {"cancelled"}
    assert "No exception is open." in run("exceptions", "--grouped").out
    run(*resolve, "--way", "retry", code=4)


def test_an_input_is_corrected_on_the_line(run: Run, stuck: list[dict[str, Any]], advance: Advance) -> None:
    one = stuck[0]["id"]
    resolve = ("resolve-exception", one, "correct", "--why", "it is ana")
    assert "correct needs value" in run(*resolve, code=2).err
    assert "/total" in run(*resolve, "--value", '{"who": "ana"}', code=2).err
    run(*resolve, "--value", '{"who": "ana", "total": "4.00"}')
    advance()
    case = run("case", stuck[0]["case_id"], "--json").document["case"]
    assert (case["state"], case["conclusion"], case["run"]) == ("done", "approved", 2)


def test_cases_are_moved_to_the_code_that_is_installed(
    run: Run, waiting: list[dict[str, Any]], database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, old = waiting[0]["case_id"], uuid4()
    with psycopg.connect(database_url, autocommit=True, options="-c search_path=interlock") as connection:
        connection.execute("update cases set version = '0.9', code = %s where id = %s", (old, case))
        connection.execute("update worker set ended_at = now()")
    shown = run("case", case)
    assert "stranded" in shown.out
    assert "interlock cases migrate" in shown.out
    migrate = ("cases", "migrate", "--workflow", "desk", "--from", "0.9", "--why", "the old code is gone")
    assert "carries desk 1.0.0" in run(*migrate, "--to", "7", code=2).err
    assert "1 of 1 cases of desk can be moved to 1.0.0." in run(*migrate, "--to", "1.0.0", "--dry-run").out
    with psycopg.connect(database_url, autocommit=True, options="-c search_path=interlock") as connection:
        connection.execute("update journal set name = 'guess' where case_id = %s", (case,))
        stays = run(*migrate, "--to", "1.0.0", code=5)
        connection.execute("update journal set name = 'approve' where case_id = %s", (case,))
    assert "the code asks for decide 'approve'" in stays.out
    assert "1 of 1 cases stay on the code that they began on" in stays.err
    (tmp_path / "looks.cedar").write_text('@id("look") permit (principal, action == Action::"view", resource);')
    with monkeypatch.context() as looking:
        looking.setenv("INTERLOCK_POLICIES", str(tmp_path))
        assert "may not publish: no policy permits it" in run(*migrate, "--to", "1.0.0", code=2).err
    told = run(*migrate, "--to", "1.0.0", "--case", case, "--json").document
    assert (told["moved"], [one["stays"] for one in told["cases"]]) == (1, [None])
    assert run("case", case, "--json").document["case"]["version"] == "1.0.0"
    assert f"moved it from 0.9 (code {old}) to 1.0.0: the old code is gone." in run("explain", case).out
    run(*migrate, "--to", "1.0.0", "--case", case, code=4)

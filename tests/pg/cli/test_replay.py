"""Decisions made again from the command line: tables for people, documents for programs, codes for scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from .conftest import Advance, Run

Admin = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def decisions(run: Run, claims: Path, advance: Advance) -> dict[str, str]:
    """The ids of the claims' decisions by key."""
    report = run("submit", "desk", str(claims), "--json").document
    advance()
    cases = {case["key"]: case["case"] for case in report["cases"]}
    return {key: run("case", case, "--json").document["decisions"][0]["id"] for key, case in cases.items()}


def test_one_is_told_stage_by_stage_and_its_reading_is_in_the_ledger(
    run: Run, decisions: dict[str, str], admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLOCK_WORKFLOWS", "")  # the archive is enough
    document = run("replay", decisions["large"], "--as", "ana", "--json").document
    assert (document["status"], document["ran"], document["point"]) == ("equal", "archive", "desk.approve")
    assert {stage["status"] for stage in document["stages"]} == {"equal"}
    people = run("replay", decisions["small"], "--as", "ana").out
    assert "desk.approve" in people
    assert "component 1" in people
    assert "run with what is in the archive" in people
    rows = admin.execute(
        "select subject::text, convert_from(body, 'UTF8') from ledger_entry "
        "where kind = 'decision.replayed' order by id"
    ).fetchall()
    assert [row[0] for row in rows] == [decisions["large"], decisions["small"]]
    body = json.loads(rows[0][1])
    assert (body["who"], body["result"], body["ran"]) == ("ana", "equal", "archive")
    assert body["stages"]["route"] == "equal"
    assert "12.30" not in rows[1][1]


def test_a_difference_or_a_gap_shows_in_the_exit_code(run: Run, decisions: dict[str, str], admin: Admin) -> None:
    admin.execute("update decision set route = 'reject' where id = %s", (decisions["small"],))
    told = " ".join(run("replay", decisions["small"], code=1).out.split())
    assert "route different recorded reject, valid for 1 day, 0:00:00 replayed automatic, valid for" in told
    admin.execute("update decision set build = %s where id = %s", (bytes(32), decisions["tiny"]))
    admin.execute(  # as one of before records were hashed
        "update ledger_entry set body = convert_to((convert_from(body, 'UTF8')::jsonb - 'record')::text, 'UTF8') "
        "where subject = %s and kind = 'decision.taken'",
        (decisions["tiny"],),
    )
    assert "the build is not in the archive" in run("replay", decisions["tiny"], code=3).out
    assert run("replay", decisions["tiny"], "--installed", "--json").document["ran"] == "installed"
    document = run(
        "replay", "--since", "1h", "--all", "--workflow", "desk", "--point", "approve", "--json", code=1
    ).document
    assert document["replayed"] == len(decisions)
    assert (document["whole"]["different"], document["whole"]["not_run"]) == (1, 1)
    assert [one["decision"] for one in document["listed"]] == [decisions["small"], decisions["tiny"]]
    people = run("replay", "--since", "1h", "--sample", "50", "--seed", "3", "--as", "ana", code=1).out
    rows = admin.execute(
        "select kind, subject, convert_from(body, 'UTF8')::jsonb from ledger_entry "
        "where kind like 'replay.%' and convert_from(body, 'UTF8')::jsonb ->> 'who' = 'ana' order by id"
    ).fetchall()
    assert [row[0] for row in rows] == ["replay.begun", "replay.ended"]  # they read all that is in the records
    assert rows[0][1] == rows[1][1]
    assert (rows[0][2]["seed"], rows[0][2]["sample"], rows[0][2]["workflow"]) == (3, 50, None)
    assert (rows[1][2]["replayed"], rows[1][2]["results"]["not_run"]) == (len(decisions), 1)
    assert "each with the same chance (seed 3)" in people
    assert decisions["small"] in people
    assert admin.execute("select count(*) from ledger_entry where kind = 'decision.replayed'").fetchone() == (3,)


def test_what_cannot_be_meant_is_refused(run: Run) -> None:
    assert "one decision or many" in run("replay", code=2).err
    assert "one decision or many" in run("replay", str(uuid4()), "--since", "1h", code=2).err
    assert "no id of a decision" in run("replay", "7", code=2).err
    assert "there is no decision" in run("replay", str(uuid4()), code=4).err
    run("replay", "--since", "soon", code=2)
    assert "a sample has" in run("replay", "--since", "1h", "--sample", "1000000", code=2).err
    assert "is no name" in run("replay", "--since", "1h", "--point", "a\0", code=2).err
    run("replay", "--since", "1h", "--seed", str(2**63), code=2)
    assert run("replay", "--since", "36000d", "--json", code=0).document["replayed"] == 0
    assert run("replay", "--since", "1h", "--json", code=0).document["replayed"] == 0

"""Trying something on recorded decisions from the command line: a table, a document, entries, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg

from .conftest import Advance, Run

Admin = psycopg.Connection[tuple[Any, ...]]


def test_a_candidate_is_set_beside_what_was_and_the_ledger_says_who_tried_it(
    run: Run, claims: Path, advance: Advance, admin: Admin, tmp_path: Path
) -> None:
    run("submit", "desk", str(claims), "--json")
    advance()
    found = run("backtest", "desk.approve", "--sure-from", "0.5", "--as", "ana", "--format", "json").document
    assert found["decisions"] == len(claims.read_text().splitlines())
    assert (found["point"], found["candidate"]) == ("desk.approve", "sure from 0.5")
    figures = {one["name"]: one for one in found["figures"]}
    assert figures["automation"]["recorded"]["how"] == "complete"
    assert figures["loss"]["recorded"]["how"] == "bounds"  # nobody said what became of them
    people = run("backtest", "desk.approve", "--sure-from", "0.5", "--review-cost", "2 MYR").out
    for told in ("go by themselves", "total cost", "(bounds; ", "note: bounds stand where there is no estimate"):
        assert told in people
    rows = admin.execute(
        "select kind, convert_from(body, 'UTF8') from ledger_entry where kind like 'backtest.%' order by id"
    ).fetchall()
    assert [str(kind) for kind, _ in rows] == ["backtest.begun", "backtest.ended"] * 2
    begun = json.loads(rows[0][1])
    assert (begun["who"], begun["point"], begun["candidate"]) == ("ana", "desk.approve", "sure from 0.5")
    bands = tmp_path / "bands.yaml"
    bands.write_text("sure_from: [{below: 50 MYR, confidence: 0.5}, {below: 40 MYR, confidence: 0.9}]\n")
    assert "does not come after" in run("backtest", "desk.approve", "--bands", str(bands), code=None).err
    bands.write_text("sure_from: [{below: 50 MYR, confidence: 0.5}]\n")
    assert "below 50.00 MYR: 0.5" in run("backtest", "desk.approve", "--bands", str(bands)).out
    for options, told in (
        ((), "nothing to try is named"),
        (("--sure-from", "0.5", "--bands", str(bands)), "one confidence or bands?"),
        (("--threshold", "2 MYR"), "states no autonomy"),
        (("--component", "person"), "a person cannot be tried"),
        (("--component", "onnx:none@1"), "there is no component onnx:none@1"),
        (("--sure-from", "0.5", "--review-cost", "-2 MYR"), "cannot be what a review costs"),
    ):
        assert told in run("backtest", "desk.approve", *options, code=None).err
    assert "no decision point" in run("backtest", "desk.other", "--sure-from", "0.5", code=None).err
    assert "names no decision point" in run("backtest", "desk", "--sure-from", "0.5", code=None).err

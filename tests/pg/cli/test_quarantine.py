"""Quarantine and the levels of data on the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from .conftest import Permitted, Run

BAD = '{"who": "ana", "total": 12.3}\n{"who": "ben", "total": 7}\n{"total": 5}\n'


@pytest.fixture
def held(run: Run, tmp_path: Path) -> list[str]:
    """What a table with bad rows leaves in quarantine, without cases."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text(BAD, encoding="utf-8")
    run("decide", "desk.approve", "--in", str(rows), "--out", str(tmp_path / "out.jsonl"), code=None)
    return [one["id"] for one in run("quarantine", "list", "--json").document["quarantined"]]


def test_what_is_held_is_shown_beside_what_is_wrong(run: Run, held: list[str]) -> None:
    shown = run("quarantine", "show", held[0]).out
    assert "12.3" in shown
    assert "/total" in shown
    listed = run("quarantine", "list", "--rule", "required", "--point", "desk.approve").out
    assert held[2] in listed
    assert held[0] not in listed
    assert held[1] in run("quarantine", "list", "--after", held[0], "--limit", "1").out
    assert "Nothing is held" in run("quarantine", "list", "--since", "2100-01-01T00:00:00Z").out
    run("quarantine", "list", "--since", "soon", code=2)
    run("quarantine", "list", "--point", "desk.approve", "--workflow", "other", code=2)


def test_one_is_mended_and_decided_and_one_given_up(run: Run, held: list[str], permitted: Permitted) -> None:
    done = run("quarantine", "release", held[0], "--input", '{"who": "ana", "total": "12.30"}', "--json").document
    assert (done["route"], done["case"]) == ("automatic", None)
    shown = run("quarantine", "show", held[0]).out
    assert done["decision"] in shown
    run("quarantine", "discard", held[1], "--why", "a test row", "--as", "ana")
    told = run("quarantine", "show", held[1], "--json").document
    assert (told["state"], told["why"], told["resolved_by"]) == ("discarded", "a test row", "ana")
    run("quarantine", "discard", held[1], "--why", "again", code=5)
    assert permitted("quarantine.%") == {"quarantine.released", "quarantine.discarded"}


def test_one_cause_is_repaired_when_it_is_said_twice(run: Run, held: list[str], tmp_path: Path) -> None:
    repair = ("quarantine", "repair", "--point", "desk.approve", "--rule", "type")
    dry = run(*repair, "--set", '/total="5.00"').out
    assert '/total: 12.3 -> "5.00"' in dry
    assert "3 looked at, 2 fit once mended." in dry
    assert "1 still break required" in dry
    assert "Nothing was changed" in dry
    assert len(run("quarantine", "list", "--json").document["quarantined"]) == 3
    patch = tmp_path / "patch.json"
    patch.write_text(json.dumps([{"op": "replace", "path": "/total", "value": "5.00"}]), encoding="utf-8")
    done = run(*repair, "--jsonpatch", f"@{patch}", "--yes", "--json").document
    assert (done["carried_out"], done["released"], done["left"]) == (True, 2, {"required": 1})
    assert [one["id"] for one in run("quarantine", "list", "--json").document["quarantined"]] == held[2:]


def test_a_function_mends_and_whatever_it_raises_changes_nothing(
    run: Run, held: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "menders.py").write_text(
        "def text(value):\n    value['total'] = f\"{value['total']:.2f}\"\n    return {'who': 'x', **value}\n"
        "def fails(value):\n    raise ValueError('no\\x00')\n"
        "def odd(value):\n    return {'who': object(), 'total': float('nan')}\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    failed = run("quarantine", "repair", "--workflow", "desk", "--with", "menders:fails", "--yes", "--json").document
    assert (failed["released"], len(failed["failed"])) == (0, 3)
    odd = run("quarantine", "repair", "--workflow", "desk", "--with", "menders:odd", "--yes", "--json").document
    assert odd["released"] == 0
    done = run("quarantine", "repair", "--workflow", "desk", "--with", "menders:text", "--yes", "--json").document
    assert done["released"] == len(held)
    run("quarantine", "repair", "--workflow", "desk", "--with", "menders:absent", code=2)


@pytest.mark.parametrize(
    "given",
    [
        ("--rule", "type"),
        ("--rule", "type", "--set", "/a=1", "--with", "a:b"),
        ("--set", "/a=1"),
        ("--rule", "type", "--set", "a"),
        ("--rule", "type", "--jsonpatch", "{"),
    ],
)
def test_a_repair_says_its_cause_and_one_way_to_mend(run: Run, given: tuple[str, ...]) -> None:
    run("quarantine", "repair", *given, code=2)


def test_without_promises_there_are_no_levels(run: Run) -> None:
    assert "No contract" in run("data", "levels").out
    assert run("data", "levels", "--json").document == {"levels": []}

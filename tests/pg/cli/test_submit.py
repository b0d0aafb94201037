"""Submitting files: bad lines never stop the rest, and nothing is taken twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Advance, Run


def test_a_file_is_taken_once_however_often_it_is_sent(run: Run, claims: Path) -> None:
    first = run("submit", "desk", str(claims), "--json").document
    again = run("submit", "desk", str(claims), "--json").document
    assert (first["lines"], first["new"], first["known"]) == (5, 5, 0)
    assert (again["new"], again["known"]) == (0, 5)
    assert [case["case"] for case in again["cases"]] == [case["case"] for case in first["cases"]]
    assert len(run("cases", "--json").document["cases"]) == 5


def test_who_submits_is_recorded_and_shown(run: Run, claims: Path) -> None:
    taken = run("submit", "desk", str(claims), "--as", "rosa", "--json").document
    mine = run("submit", "desk", "-", "--key", "mine", "--json", given='{"who": "ana", "total": "1.00"}').document
    named, unnamed = taken["cases"][0]["case"], mine["cases"][0]["case"]
    assert run("case", named, "--json").document["case"]["caller"] == "rosa"
    assert run("case", unnamed, "--json").document["case"]["caller"].startswith("cli:")
    assert "submitted by  rosa" in run("case", named).out
    assert "Submitted by rosa." in run("explain", named).out
    received = run("case", named, "--json").document["entries"][0]
    assert (received["kind"], received["body"]["caller"]) == ("case.received", "rosa")


def test_bad_lines_are_named_and_never_stop_the_rest(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "mixed.jsonl"
    lines = [
        '{"key": "good", "input": {"who": "ana", "total": "1.00"}}',
        '{"key": "broken", "input": {"who": "", "total": 1.5}}',
        "this is no JSON",
        "",
        '{"key": "good", "input": {"who": "ana", "total": "2.00"}}',
        '{"key": null, "input": {}}',
        '{"key": "last", "input": {"who": "eve", "total": "3.00"}}',
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    report = run("submit", "desk", str(file), "--json").document
    assert (report["lines"], report["new"]) == (6, 2)
    assert [case["key"] for case in report["cases"]] == ["good", "last"]
    broken, no_json = report["quarantined"]
    assert {one["where"] for one in broken["violations"]} == {"/who", "/total"}
    assert no_json["line"] == 3
    assert no_json["key"].startswith("mixed.jsonl:3:")
    assert [(one["line"], one["code"]) for one in report["refused"]] == [(5, "key-reused"), (6, "refused")]

    people = run("submit", "desk", str(file), "--strict", code=2)
    assert "6 inputs: 0 new, 4 known before, 0 quarantined, 2 refused." in people.out
    assert "another input" in people.out
    held = run("quarantine", "list", "--json").document["quarantined"]
    assert {row["data"] if isinstance(row["data"], str) else "object" for row in held} == {"object", "this is no JSON"}


def test_keys_come_from_a_field_or_from_the_content(run: Run) -> None:
    text = '{"who": "ana", "total": "1.00"}\n{"total": "1.00", "who": "ana"}\n{"who": "ben", "total": "1.00"}\n'
    by_field = run("submit", "desk", "-", "--key-from", "who", "--json", given=text).document
    assert [case["key"] for case in by_field["cases"]] == ["ana", "ana", "ben"]
    assert (by_field["new"], by_field["known"]) == (2, 1)
    by_content = run("submit", "desk", "-", "--json", given=text).document
    assert (by_content["new"], by_content["known"]) == (2, 1)
    assert all(case["key"].startswith("sha256:") for case in by_content["cases"])
    missing = run("submit", "desk", "-", "--key-from", "a.b", "--json", given=text).document
    assert [one["where"] for one in missing["refused"]] == ["a.b"] * 3


def test_one_document_holds_one_input_or_many(run: Run, tmp_path: Path) -> None:
    one, many, broken = tmp_path / "one.json", tmp_path / "many.json", tmp_path / "broken.json"
    one.write_text('{\n  "who": "ana",\n  "total": "1.00"\n}\n', encoding="utf-8")
    many.write_text('[{"key": "a", "input": {"who": "ana", "total": "1.00"}}, {"who": "x", "total": "1.00"}]', "utf-8")
    broken.write_text("[{", encoding="utf-8")
    assert run("submit", "desk", str(one), "--key", "only", "--json").document["cases"][0]["key"] == "only"
    assert run("submit", "desk", str(many), "--json").document["new"] == 2
    assert "to do" in run("submit", "desk", str(broken), code=2).err
    run("submit", "desk", str(many), "--key", "only", code=2)
    run("submit", "desk", str(many), "--key", "only", "--key-from", "who", code=2)


def test_a_line_of_any_length_is_refused_and_the_next_one_is_taken(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "long.jsonl"
    huge = json.dumps({"key": "huge", "input": {"who": "a" * 5_000_000, "total": "1.00"}})
    file.write_text(f'{huge}\n{{"key": "next", "input": {{"who": "b", "total": "1.00"}}}}\n', encoding="utf-8")
    report = run("submit", "desk", str(file), "--json").document
    assert [(one["line"], one["where"]) for one in report["refused"]] == [(1, "/input")]
    assert [(case["line"], case["key"]) for case in report["cases"]] == [(2, "next")]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("submit", "desk", "missing.jsonl"), 4, "cannot be read"),
        (("submit", "nothing", "-"), 4, "there is no workflow 'nothing'"),
        (("submit", "desk", "-", "--timeout", "soon"), 2, "no length of time"),
        (("submit", "desk"), 2, "Missing argument"),
        (("submitt", "desk"), 2, 'did you mean "submit"?'),
    ],
)
def test_what_cannot_be_submitted_says_why(run: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    ran = run(*arguments, given="", code=code)
    assert said in ran.err
    assert ran.out == ""
    assert "Traceback" not in ran.err


def test_waiting_ends_when_nothing_goes_on_by_itself(run: Run, claims: Path, advance: Advance) -> None:
    late = run("submit", "desk", str(claims), "--wait", "--timeout", "300ms", code=6)
    assert "start `interlock up`" in late.err
    advance()
    states: dict[str, Any] = run("submit", "desk", str(claims), "--wait", "--json").document["states"]
    assert states == {"done: approved": 2, "waiting": 2, "exception": 1}

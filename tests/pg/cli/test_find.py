"""Decisions are found on the command line, in pages, for people and for programs; what is not understood is named."""

from __future__ import annotations

from pathlib import Path

from .conftest import Advance, Run


def test_decisions_are_found_in_pages_and_made_findable(run: Run, claims: Path, advance: Advance) -> None:
    run("submit", "desk", str(claims))
    advance()
    found = run("find", "desk.approve", "total>=200", "--json").document
    assert {(one["workflow"], one["route"]) for one in found["decisions"]} == {("desk", "review")}
    assert sorted(one["exposure"] for one in found["decisions"]) == ["250.00 MYR", "900.00 MYR"]
    assert found["next"] is None
    first = run("find", "desk", "who^=b", "--where", 'route=automatic or="1"', code=2)
    assert "no contract here declares 'or' searchable" in first.err
    assert "who" in first.err
    assert "1.00 MYR" in run("find", "who=BEN").out
    page = run("find", "--limit", "1", "--json").document
    assert len(page["decisions"]) == 1
    after = run("find", "--limit", "1000", "--cursor", page["next"], "--json").document
    ids = [one["id"] for one in (*page["decisions"], *after["decisions"])]
    assert ids == [one["id"] for one in run("find", "--json").document["decisions"]]
    assert "go on with --cursor" in run("find", "--limit", "1").out
    assert run("find", "desk.approve", "--reindex", "--json").document["written"] == 0
    assert "were looked at" in run("find", "desk.approve", "--reindex").out


def test_what_is_not_understood_is_refused_with_what_to_write(run: Run) -> None:
    assert 'did you mean "desk.approve"' in run("find", "desk.aprove", code=2).err
    assert "is no condition" in run("find", "desk", "total", code=2).err
    assert "takes one decision point" in run("find", "who=x", "--reindex", code=2).err
    assert "no decision point with searchable fields" in run("find", "desk.nothing", "--reindex", code=2).err
    assert "There is no such decision." in run("find", "who=nobody").out

"""Lineage on the command line: both ways, and as a file for others."""

from __future__ import annotations

import json
from pathlib import Path

from .conftest import Advance, Run


def test_from_an_action_to_its_sources_and_back(run: Run, advance: Advance, claims: Path, tmp_path: Path) -> None:
    run("submit", "desk", str(claims), "--as", "nightly")
    advance()
    (case, *_) = [one for one in run("cases", "--json").document["cases"] if one["key"] == "small"]
    shown = run("lineage", case["id"]).out
    assert "rests on" in shown
    assert "caller nightly  (asked for)" in shown
    found = run("lineage", "--of", "caller:nightly", "--json").document
    assert (found["cases"], found["behind"]) == (5, 0)
    assert case["id"] in {one["id"] for one in found["items"]}
    page = run("lineage", "--of", "caller:nightly", "--limit", "1").out
    assert "more: --before" in page
    assert "It influenced nothing." in run("lineage", "--of", "row:march/1").out
    target = tmp_path / "lineage.ndjson"
    told = run("lineage", "export", "--since", "1h", "--to", str(target), "--json").document
    events = [json.loads(line) for line in target.read_text().splitlines()]
    assert told["events"] == len(events) > 5
    assert case["id"] in {event["run"]["runId"] for event in events}


def test_what_is_neither_is_refused(run: Run) -> None:
    assert "names no source" in run("lineage", "--of", "nonsense", code=2).err
    assert "--before" in run("lineage", "--of", "caller:nightly", "--before", str(2**63), code=2).err
    assert "is no id" in run("lineage", "nonsense", code=2).err
    assert "name an id" in run("lineage", code=2).err
    assert "is no target" in run("lineage", "export", "--to", "ftp://x", code=2).err
    assert "there is no action" in run("lineage", "01a1fca5-cee5-7122-a91a-434b87eef366", code=4).err

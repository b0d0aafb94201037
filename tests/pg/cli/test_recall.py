"""Recalling by command line: what rests on something wrong is listed, taken back, and decided anew."""

from __future__ import annotations

from uuid import uuid4

import pytest

from .conftest import Advance, Permitted, Run


def test_a_recall_is_planned_started_resumed_and_shown(
    run: Run, advance: Advance, monkeypatch: pytest.MonkeyPatch, permitted: Permitted
) -> None:
    monkeypatch.setattr("interlock.cli.recall._STUCK_S", 0.1)  # no worker runs beside it
    report = run("submit", "desk", "-", "--json", given='{"who": "ana", "total": "1.00"}').document
    case = report["cases"][0]["case"]
    advance()
    component = run("case", case, "--json").document["decisions"][0]["component"]
    planned = run("recall", "plan", "--component", component, "--since", "1d", "--json").document
    assert (planned["state"], planned["decisions"]) == ("planned", 1)
    assert [(one["state"], one["count"]) for one in planned["figures"]["cases"]] == [("done", 1)]
    recall = planned["id"]
    text = run("recall", "show", recall, "--members").out
    assert f"Nothing is done yet: `interlock recall start {recall}" in text
    assert case in text
    assert run("case", case, "--json").document["case"]["state"] == "done"

    started = run("recall", "start", recall, "--why", "the rule was wrong", "--as", "ana", "--anew", "--background")
    assert "It goes on in `interlock up`" in started.out
    run("recall", "start", recall, "--why", "again", code=5)
    assert permitted("recall.%") == {"recall.planned", "recall.started"}
    run("recall", "resume", recall)
    advance()
    done = run("recall", "resume", recall, "--json").document
    assert (done["state"], done["who"], done["figures"]["members"]["anew"]) == ("done", "ana", 1)
    (member,) = run("recall", "show", recall, "--members", "--json").document["listed"]
    assert (member["member"], member["state"]) == (case, "anew")
    assert run("case", case, "--json").document["case"]["state"] == "cancelled"
    assert f"(recall {recall})" in run("explain", case).out
    assert [one["id"] for one in run("recall", "list", "--json").document["recalls"]] == [recall]


def test_what_means_nothing_is_refused_with_what_would(run: Run) -> None:
    assert "nothing says what is recalled" in run("recall", "plan", code=2).err
    for since in ("yesterday", "0001-01-01T00:00+14:00"):
        assert "write 2026-01-31T18:00" in run("recall", "plan", "--since", since, code=2).err
    assert "a job is a source" in run("recall", "plan", "--job", "x", "--source", "caller:y", code=2).err
    both = ("recall", "start", str(uuid4()), "--component", "rules:x@1", "--why", "x")
    assert "a planned recall says what is recalled" in run(*both, code=2).err
    run("recall", "start", str(uuid4()), "--why", "x", code=4)
    run("recall", "show", str(uuid4()), code=4)
    run("recall", "resume", str(uuid4()), code=4)
    assert "Nothing was recalled." in run("recall", "list").out
    edge = run("recall", "plan", "--since", "0001-01-01", "--until", "0001-01-02", "--json").document
    assert edge["decisions"] == 0

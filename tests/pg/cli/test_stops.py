"""Stops and dead-man terms on the command line."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest

from .conftest import Permitted, Run


def test_a_stop_is_looked_into_and_lifted_by_its_scope(run: Run) -> None:
    made = run("stop", "workflow:desk", "--why", "odd", "--as", "ana", "--json").document
    assert (made["kind"], made["under_way"], made["unanswered"], made["known"]) == ("stop", [], 0, True)
    shown = run("stops", made["id"])
    for part in ("workflow:desk", "this tenant", "ana", "odd", "somebody resumes", "No call is under way"):
        assert part in shown.out
    assert run("stops", made["id"], "--json").document["in_force"] is True
    assert "workflow:desk" in run("resume", "workflow:deks", "--why", "x", code=4).err
    assert "is lifted by ana" in run("resume", "workflow:desk", "--why", "it was nothing", "--as", "ana").out
    assert "it was nothing" in run("stops", made["id"]).out
    assert "No stop is in force." in run("stops").out
    run("stops", "0190aaaa-0000-7000-8000-000000000000", code=4)
    run("resume", "workflow:desk", "--why", "again", code=4)
    run("resume", "desk", "--why", "x", code=2)


def test_an_operator_stops_every_tenant_and_one_as_a_whole(run: Run) -> None:
    run("tenants", "add", "acme")
    run("stop", "installation", "--why", "fire", "--as", "op")
    run("stop", "tenant:acme", "--why", "unpaid", "--as", "op")
    run("stop", "connector:missing_bank", "--installation", "--why", "it is down", "--as", "op")
    for tenant, found in (("acme", {"everything", "tenant:acme", "connector:missing_bank"}), ("default", None)):
        listed = run("--tenant", tenant, "stops", "--json").document["stops"]
        assert {one["kind"] for one in listed} == {"installation"}
        assert {one["scope"] for one in listed} == (found or {"everything", "connector:missing_bank"})
    run("resume", "connector:missing_bank", "--why", "x", code=4)  # not this tenant's
    for scope in ("installation", "tenant:acme"):
        run("resume", scope, "--why", "over")
    run("resume", "connector:missing_bank", "--installation", "--why", "over")
    assert run("--tenant", "acme", "stops", "--json").document["stops"] == []
    assert "no tenant 'nowhere'" in run("stop", "tenant:nowhere", "--why", "x", code=4).err


def test_an_agent_that_no_key_names_is_stopped_with_a_warning(run: Run) -> None:
    run("keys", "add", "agent-7", "--scope", "submit")
    assert run("stop", "agent:agent-7", "--why", "x", "--json").document["known"] is True
    doubted = run("stop", "agent:agent-8", "--why", "x", "--json")
    assert (doubted.document["known"], "no API key is named agent-8" in doubted.err) == (False, True)


def test_what_is_not_authorized_stops_by_itself(run: Run, permitted: Permitted) -> None:
    assert "Nothing stops by itself." in run("deadman").out
    begun = run("deadman", "workflow:desk", "--every", "1s", "--why", "live", "--as", "ana", "--json").document
    assert (begun["every_seconds"], begun["authorized_by"]) == (1, "ana")
    time.sleep(1.1)
    (lapsed,) = run("stops", "--json").document["stops"]
    assert (lapsed["kind"], lapsed["scope"]) == ("lapsed", "workflow:desk")
    assert "lapsed" in run("deadman").out
    told = run("authorize", "workflow:desk", "--why", "I have looked", "--as", "ben").out
    assert "workflow:desk is authorized by ben until" in told
    assert run("stops", "--json").document["stops"] == []
    run("deadman", "workflow:desk", "--end", "--why", "over")
    assert run("deadman", "--json").document == {"terms": []}
    run("deadman", "workflow:desk", "--every", "24h", "--why", "live")
    run("authorize", "workflow:desk", "--for", "1h", "--why", "only this hour")
    assert "stops by itself at" in run("stops").out
    assert [one["scope"] for one in run("stops", "--json").document["soon"]] == ["workflow:desk"]
    assert permitted("guard.%") == {"guard.term_begun", "guard.authorized", "guard.term_ended"}


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("deadman", "workflow:desk", "--why", "x"), "either --every or --end", 2),
        (("deadman", "workflow:desk", "--every", "1h", "--end", "--why", "x"), "either --every or --end", 2),
        (("deadman", "--every", "1h"), "a term is of a scope", 2),
        (("deadman", "workflow:desk", "--every", "1h"), "a reason is needed", 2),
        (("deadman", "workflow:desk", "--every", "often", "--why", "x"), "no length of time", 2),
        (("deadman", "workflow:desk", "--end", "--why", "x"), "no dead-man term", 4),
        (("deadman", "workflow:desc", "--every", "1h", "--why", "x"), "workflow:desk", 2),
        (("authorize", "workflow:desk", "--why", "x"), "no dead-man term", 4),
    ],
)
def test_what_makes_no_sense_is_refused(run: Run, arguments: tuple[str, ...], said: str, code: int) -> None:
    assert said in run(*arguments, code=code).err


def test_stopping_works_although_the_policies_cannot_be_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    broken = tmp_path / "policies"
    broken.mkdir()
    monkeypatch.setenv("INTERLOCK_POLICIES", str(broken))
    for content in (None, b"permit (", b"\xff\xfe"):
        if content is not None:
            (broken / "own.cedar").write_bytes(content)
        made = run("stop", "everything", "--why", "fire", "--as", "ana", "--json")
        assert "warning: only stopping works here" in made.err
        assert "warning: only stopping works here" in run("stops", made.document["id"]).err
        assert "everything" in run("stops").out
        run("resume", "everything", "--why", "x", code=2)
    with psycopg.connect(database_url) as admin:
        told = admin.execute(
            "select convert_from(body, 'UTF8')::json ->> 'policies', convert_from(body, 'UTF8')::json ->> 'because', "
            "count(*) from interlock.ledger_entry where kind = 'guard.stopped' group by 1, 2"
        ).fetchall()
    assert told == [("unread", '["stopping-needs-no-policies"]', 3)]
    monkeypatch.delenv("INTERLOCK_POLICIES")
    assert "is lifted by ana" in run("resume", "everything", "--why", "they are mended", "--as", "ana").out

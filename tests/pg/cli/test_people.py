"""What people do on the command line: reviews, exceptions, quarantine, stops, keys, tenants."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from .conftest import Advance, Run


@pytest.fixture
def waiting(run: Run, claims: Path, advance: Advance) -> list[dict[str, Any]]:
    """The reviews that wait: that of 900 MYR first, then that of 250 MYR."""
    run("submit", "desk", str(claims))
    advance()
    return sorted(run("reviews", "--json").document["reviews"], key=lambda review: review["exposure"], reverse=True)


def test_reviews_are_listed_and_shown_with_what_a_person_needs(run: Run, waiting: list[dict[str, Any]]) -> None:
    assert [review["exposure"] for review in waiting] == ["900.00 MYR", "250.00 MYR"]
    assert run("reviews", "--queue", "other", "--json").document["reviews"] == []
    assert len(run("reviews", "--queue", "desk", "--limit", "1", "--json").document["reviews"]) == 1
    assert "900.00 MYR" in run("reviews").out
    shown = run("review", waiting[0]["id"]).out
    for part in ("Why a person", "exposure >= 100 MYR", "Proposal", "rules:approve-claim@1", "Choices", "900.00 MYR"):
        assert part in shown
    assert run("review", waiting[0]["id"], "--json").document["question"]["proposal"]["approved"] is True


def test_work_is_listed_in_its_order_and_the_next_of_it_taken(run: Run, waiting: list[dict[str, Any]]) -> None:
    listed = run("work", "--json").document
    assert (listed["total"], {item["kind"] for item in listed["work"]}) == ("3", {"review", "exception"})
    reviews = run("work", "--where", "kind=review", "--json").document["work"]
    assert [item["id"] for item in reviews] == [review["id"] for review in waiting]
    assert "desk.approve" in run("work", "--where", "queue=desk&exposure_from=500 MYR").out
    assert run("work", "--where", "exposure_from=5000 MYR", "--json").document["work"] == []
    assert "no filter of work" in run("work", "--where", "worth=1", code=2).err
    only = ("--where", "kind=review&exposure_to=300 MYR", "--as", "ana")
    assert run("work", "next", *only, "--json").document["item"]["id"] == waiting[1]["id"]
    assert "Nothing that you may decide" in run("work", "next", *only).out


def test_a_review_is_claimed_by_one_and_given_back(run: Run, waiting: list[dict[str, Any]]) -> None:
    review = waiting[0]["id"]
    assert run("claim", review, "--as", "ana", "--json").document["claimed_by"] == "ana"
    for command in (("claim", review), ("release", review), ("resolve", review, "approve", "--reason", "x")):
        refused = run(*command, "--as", "ben", code=5)
        assert "ana" in refused.err
        assert "to do: " in refused.err
    assert run("release", review, "--as", "ana", "--json").document["state"] == "open"
    assert run("claim", review, "--as", "cli:ben", "--json").document["claimed_by"] == "cli:ben"
    assert "nobody-decides-what-they-handed-in" in run("claim", review, code=2).err


def test_approving_sends_the_case_on(run: Run, waiting: list[dict[str, Any]], advance: Advance) -> None:
    review = waiting[0]
    seen = run("review", review["id"], "--as", "ana", "--json").document["shown"]
    assert seen in run("review", review["id"], "--as", "ana").out
    run("note", review["id"], "she called again", "--as", "ben")
    approve = ("resolve", review["id"], "approve", "--reason", "as_proposed", "--as", "ana", "--json", "--shown")
    assert "is not as it was shown: notes" in run(*approve, seen, code=5).err
    done = run(*approve, run("review", review["id"], "--as", "ana", "--json").document["shown"]).document
    assert (done["resolution"], done["resolved_by"], done["output"]["approved"]) == ("approve", "ana", True)
    advance()
    assert run("case", review["case_id"], "--json").document["case"]["conclusion"] == "approved"
    run("resolve", review["id"], "reject", "--reason", "late", "--as", "ben", code=5)


def test_changing_holds_the_output_against_its_contract(
    run: Run, waiting: list[dict[str, Any]], advance: Advance, tmp_path: Path
) -> None:
    review = waiting[0]
    change = ("resolve", review["id"], "change", "--reason", "misread", "--as", "ben", "--output")
    broken = run(*change, '{"approved": "yes"}', code=2)
    assert "/approved" in broken.err
    assert "/reason" in broken.err
    assert "line 1" in run(*change, "{", code=2).err
    assert "no JSON object" in run(*change, "[]", code=2).err
    assert "cannot be read" in run(*change, "@nowhere.json", code=4).err
    assert "change needs an output" in run(*change[:-1], code=2).err
    file = tmp_path / "output.json"
    file.write_text('{"approved": false, "reason": "over_limit"}', encoding="utf-8")
    run(*change, f"@{file}", "--note", "read again")
    advance()
    assert run("case", review["case_id"], "--json").document["case"]["conclusion"] == "refused"


def test_rejecting_ends_the_case(run: Run, waiting: list[dict[str, Any]], advance: Advance) -> None:
    review = waiting[1]
    assert "rejected" not in run("explain", review["case_id"]).out
    assert "reject by" in run("resolve", review["id"], "reject", "--reason", "fraud", "--as", "ben").out
    advance()
    assert run("case", review["case_id"], "--json").document["case"]["conclusion"] == "rejected"


def test_an_exception_is_retried_or_abandoned_with_a_reason(
    run: Run, waiting: list[dict[str, Any]], advance: Advance
) -> None:
    assert waiting
    found = run("exceptions", "--json").document["exceptions"]
    assert [one["kind"] for one in found] == ["connector-missing"]
    exception = found[0]["id"]
    assert "missing_bank" in run("exceptions").out
    assert "desk@example.com" in run("exception", exception).out
    assert run("exception", exception, "--json").document["detail"]["version"] == "1.0.0"
    assert "resolve-exception" in run("resolve", exception, "approve", "--reason", "x", code=4).err
    assert "no action is in doubt" in run("resolve-exception", exception, "took_effect", "--why", "x", code=2).err
    assert "a reason is needed" in run("resolve-exception", exception, "retry", "--why", " ", code=2).err
    run("resolve-exception", exception, "retry", "--why", "the bank is back")
    advance()
    again = run("exceptions", "--json").document["exceptions"]
    assert [one["kind"] for one in again] == ["connector-missing"]
    assert again[0]["id"] != exception
    ended = run("resolve-exception", again[0]["id"], "abandon", "--why", "no bank", "--as", "ana", "--json").document
    advance()
    assert run("case", ended["case"], "--json").document["case"]["state"] == "cancelled"
    run("resolve-exception", again[0]["id"], "abandon", "--why", "twice", code=5)
    run("resolve-exception", str(uuid4()), "abandon", "--why", "x", code=4)


def test_quarantined_data_go_on_when_they_are_mended(run: Run, advance: Advance, tmp_path: Path) -> None:
    report = run("submit", "desk", "-", "--json", given='{"who": "ana", "total": 12.3}\n').document
    held = run("quarantine", "list", "--json").document["quarantined"]
    assert [row["case_id"] for row in held] == [report["quarantined"][0]["case"]]
    assert held[0]["data"] == {"who": "ana", "total": 12.3}
    release = ("quarantine", "release", held[0]["id"], "--input")
    assert "/total" in run(*release, '{"who": "ana", "total": "a lot"}', code=2).err
    mended = tmp_path / "mended.json"
    mended.write_text('{"who": "ana", "total": "12.30"}', encoding="utf-8")
    case = run(*release, f"@{mended}", "--json").document["case"]
    advance()
    assert run("case", case, "--json").document["case"]["conclusion"] == "approved"
    assert "Nothing is held" in run("quarantine", "list").out
    assert run("quarantine", "show", held[0]["id"], "--json").document["state"] == "released"
    run(*release, f"@{mended}", code=5)
    run("quarantine", "show", str(uuid4()), code=4)


def test_a_stop_holds_until_it_is_lifted(run: Run) -> None:
    made = run("stop", "workflow:desk", "--why", "looking into it", "--until", "2h", "--as", "ana", "--json").document
    assert (made["until"] is not None, made["known"]) == (True, True)
    found = run("stops", "--json").document["stops"]
    assert [(stop["id"], stop["scope"], stop["who"]) for stop in found] == [(made["id"], "workflow:desk", "ana")]
    assert "workflow:desk" in run("stops").out
    run("resume", made["id"], "--why", "it was nothing")
    assert "No stop is in force." in run("stops").out
    run("resume", made["id"], "--why", "again", code=4)
    assert run("stop", "everything", "--why", "x", "--until", "2999-01-31T18:00+08:00", "--json").document["until"] == (
        "2999-01-31T10:00:00Z"
    )


def test_a_connector_that_is_set_up_wrong_keeps_nobody_from_stopping_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "interlock.toml").write_text('[connectors.bank]\nurl = "http://127.0.0.1:1"\n', "utf-8")
    assert "operations" in run("up", "--port", "0", code=2).err
    assert "is stopped by" in run("stop", "connector:bank", "--why", "it is set up wrong").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("stop", "desk", "--why", "x"), "nothing that can be stopped"),
        (("stop", "everything", "--why", ""), "a reason is needed"),
        (("stop", "everything", "--why", "x", "--until", "tomorrow"), "no length of time"),
        (("stop", "everything", "--why", "x", "--until", "2030-01-01T00:00"), "no time zone"),
        (("stop", "everything", "--why", "x", "--until", "2001-01-01T00:00Z"), "is over already"),
        (("stop", "everything"), "Missing option '--why'"),
        (("stop", "everything", "--why", "x", "--as", "a\nb"), "is no name"),
        (("keys", "add", "ana"), "Missing option '--scope'"),
        (("keys", "add", "a b", "--scope", "read"), "no name of a key"),
        (("tenants", "add", "No Slug"), "no name of a tenant"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Run, arguments: tuple[str, ...], said: str) -> None:
    ran = run(*arguments, code=2)
    assert said in ran.err
    assert ran.out == ""


def test_a_key_is_shown_once_and_revoked(run: Run) -> None:
    made = run("keys", "add", "ana", "--scope", "read", "--scope", "review", "--json").document
    assert made["secret"].startswith("ilk_")
    run("keys", "add", "ana", "--scope", "read", code=5)
    listed = run("keys", "list").out
    assert "read, review" in listed
    assert made["secret"] not in listed + run("keys", "list", "--json").out
    assert run("keys", "revoke", "ana", "--json").document["revoked_at"] is not None
    run("keys", "revoke", "ana", code=4)
    run("keys", "revoke", str(uuid4()), code=4)
    assert run("keys", "add", "ana", "--scope", "read").out.startswith("ilk_")


def test_tenants_are_added_once_and_listed(run: Run) -> None:
    made = run("tenants", "add", "acme", "--json").document
    again = run("tenants", "add", "acme", "--json").document
    assert (made["new"], again["new"]) == (True, False)
    assert made["tenant"] == again["tenant"]
    assert {one["name"] for one in run("tenants", "list", "--json").document["tenants"]} == {"acme", "default"}


def test_a_misspelt_stop_is_refused(run: Run) -> None:
    refused = run("stop", "workflow:desc", "--why", "x", code=None)
    assert (refused.code != 0, 'did you mean "workflow:desk"?' in refused.err) == (True, True)
    assert "No stop is in force." in run("stops").out


def test_a_workflow_that_cannot_be_read_keeps_nobody_from_stopping_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLOCK_WORKFLOWS", "desk_workflow:desk,nowhere:at_all")
    stopped = run("stop", "workflow:at_all", "--why", "it is broken", "--json")
    assert stopped.document["known"] is False
    assert "nowhere:at_all" in stopped.err
    assert [stop["scope"] for stop in run("stops", "--json").document["stops"]] == ["workflow:at_all"]

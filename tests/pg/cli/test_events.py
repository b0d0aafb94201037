"""Outside events by command line."""

from __future__ import annotations

from pathlib import Path

from .conftest import Run


def test_an_event_is_given_to_a_case_by_its_id_or_its_key(run: Run, claims: Path) -> None:
    run("submit", "desk", str(claims))
    (case,) = [one for one in run("cases", "--json").document["cases"] if one["key"] == "large"]
    said = ("settled", "--payload", '{"approved": true, "reason": "within_policy"}', "--key", "e-1")
    first = run("cases", "event", case["id"], *said, "--as", "erp", "--json").document
    again = run("cases", "event", "large", *said, "--workflow", "desk", "--json").document
    assert (first["case"], first["new"]) == (case["id"], True)
    assert again == {**first, "new": False}
    assert f"had the event {first['event']} before" in run("cases", "event", case["id"], *said).out
    (seen,) = run("case", case["id"], "--json").document["events"]
    assert (seen["id"], seen["sender"], seen["payload"]["approved"]) == (first["event"], "erp", True)
    assert "settled" in run("case", case["id"]).out


def test_what_is_wrong_with_an_event_is_named(run: Run, claims: Path) -> None:
    run("submit", "desk", str(claims))
    case = run("cases", "--limit", "1", "--json").document["cases"][0]["id"]
    broken = run("cases", "event", case, "settled", "--payload", '{"approved": "yes"}', "--key", "e-1", code=2)
    assert "breaks verdict@1" in broken.err
    assert "/approved" in broken.err
    unknown = run("cases", "event", case, "arrived", "--payload", "{}", "--key", "e-1", code=4)
    assert "it declares settled" in unknown.err

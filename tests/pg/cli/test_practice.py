"""Practice on the command line: lessons, and who may decide where it is asked for: desk's file asks for none."""

from __future__ import annotations

from pathlib import Path

from .conftest import Advance, Permitted, Run


def test_a_lead_declares_a_lesson_and_nothing_is_given_where_no_practice_is_asked_for(
    run: Run, claims: Path, advance: Advance, permitted: Permitted
) -> None:
    run("submit", "desk", str(claims))
    advance()
    review = run("reviews", "--json").document["reviews"][0]["id"]
    lesson = ("practice", "lesson", review)
    run("resolve", review, "approve", "--reason", "as_proposed", "--as", "ana")
    assert "It is a lesson." in run(*lesson, "--why", "the receipt is whole", "--as", "lea").out
    (told,) = run("practice", "show", "--json").document["lessons"]
    assert (told["id"], told["taught_by"], told["declared_by"]) == (review, "ana", "lea")
    assert "no practice is asked for" in run("practice", "give", "ben", "desk.approve", "--why", "x", code=None).err
    assert "not qualified" in run("practice", "take", "ben", "desk.approve", "--why", "x", code=None).err
    assert "no more" in run(*lesson, "--withdraw", "--as", "lea").out
    assert permitted("oversight.lesson_%") == {"oversight.lesson_declared", "oversight.lesson_withdrawn"}

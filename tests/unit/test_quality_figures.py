"""Signs are said rules with intervals, and nobody's figures are shown before they could see them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from interlock.oversight.quality.figures import Answered, Checked, figures_of, least_time, may_show

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def answers(number: int, *, seconds: float | None, resolution: str = "approve", length: int = 600) -> list[Answered]:
    looked = None if seconds is None else round(seconds * 1000)
    return [
        Answered(
            review=UUID(int=at), who="ana", at=NOW, resolution=resolution, length=length, looked_ms=looked,
            looked_of="unknown" if looked is None else "claim",
        )
        for at in range(number)
    ]  # fmt: skip


def test_a_careful_person_gives_no_sign() -> None:
    found = figures_of("ana", answers(200, seconds=30), [Checked(who="ana", right=True)] * 10, [])
    assert found.signs == ()
    assert found.median_s == 30
    assert (found.known.hits, found.known.of) == (10, 10)


def test_quick_approvals_one_after_the_other_are_a_sign_and_quick_rejections_are_none() -> None:
    run = figures_of("ana", answers(10, seconds=1), [], [])
    assert run.signs[0].what == "10 one after the other"
    broken = [*answers(9, seconds=1), *answers(1, seconds=60), *answers(9, seconds=1)]
    assert not any("one after the other" in sign.what for sign in figures_of("ana", broken, [], []).signs)
    rejected = figures_of("ana", answers(12, seconds=1, resolution="reject"), [], [])
    assert not any("approvals" in sign.rule for sign in rejected.signs)


def test_what_chance_could_have_made_is_no_sign() -> None:
    missed = [Checked(who="ana", right=False)]
    right = [Checked(who="ana", right=True)]
    assert figures_of("ana", [], missed * 1 + right * 1, []).signs == ()
    assert figures_of("ana", [], missed * 3 + right * 7, []).signs == ()
    (sign,) = figures_of("ana", [], missed * 12 + right * 8, []).signs
    assert "known cases were answered wrongly" in sign.rule
    (differs,) = figures_of("ana", [], [], missed * 12 + right * 8).signs
    assert "second looks differ" in differs.rule


def test_of_unknown_times_nothing_is_said_but_that_they_are_unknown() -> None:
    found = figures_of("ana", answers(40, seconds=None), [], [])
    assert found.fast.of == 0
    assert found.median_s is None
    assert [sign.rule for sign in found.signs] == [
        "more than 10 % of answers of which it is not known that the review was opened before"
    ]


def test_reading_takes_its_time_and_never_less_than_two_seconds() -> None:
    assert least_time(0) == timedelta(seconds=2)
    assert least_time(6000) == timedelta(seconds=100)


def test_nobody_elses_figures_are_shown_before_they_could_see_them_or_of_a_few_answers() -> None:
    many, few = figures_of("ana", answers(5, seconds=30), [], []), figures_of("ana", answers(4, seconds=30), [], [])
    week = NOW - timedelta(days=7)
    assert not may_show(many, NOW - timedelta(days=6, hours=23), None, NOW)
    assert not may_show(many, None, None, NOW)
    assert may_show(many, week, None, NOW)
    assert may_show(many, NOW, NOW, NOW)
    assert not may_show(few, week, NOW, NOW)

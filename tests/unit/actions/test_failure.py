"""How failures are taken, and what they show."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from interlock.actions.action import LONGEST_ASKED, pause_after
from interlock.actions.connector import (
    Absent,
    Done,
    Found,
    InDoubt,
    Pending,
    Permanent,
    Sent,
    Transient,
    Unknown,
    Voided,
)
from interlock.actions.failure import ErrorRule, FailureClass, Health, Retry, classed, come_again, sign_of

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
WAIT = timedelta(seconds=7)
T, P, D = FailureClass.TRANSIENT, FailureClass.PERMANENT, FailureClass.IN_DOUBT


@pytest.mark.parametrize(
    ("sent", "taken_as", "expected"),
    [
        (Transient("x", WAIT, "503"), P, Permanent("x", "503")),
        (Transient("x", WAIT, "503"), D, InDoubt("x", WAIT, "503")),
        (Transient("x", WAIT, "503"), T, Transient("x", WAIT, "503")),
        (Permanent("x", "402"), T, Transient("x", None, "402")),
        (Permanent("x", "402"), D, InDoubt("x", None, "402")),
    ],
)
def test_the_file_may_take_a_harmless_failure_otherwise(sent: Sent, taken_as: FailureClass, expected: Sent) -> None:
    code = "" if isinstance(sent, Done) else sent.code
    assert classed(sent, {code: ErrorRule(taken_as=taken_as)}) == expected
    assert classed(sent, {"other": ErrorRule(taken_as=taken_as)}) == sent


@pytest.mark.parametrize("taken_as", FailureClass)
def test_what_may_have_taken_effect_stays_in_doubt_unless_the_file_says_why_not(taken_as: FailureClass) -> None:
    sent = InDoubt("it answered 504", WAIT, "504")
    assert classed(sent, {"504": ErrorRule(taken_as=taken_as)}) == sent
    known = classed(sent, {"504": ErrorRule(taken_as=taken_as, because="never forwarded")})
    assert {Transient: T, Permanent: P, InDoubt: D}[type(known)] is taken_as  # type: ignore[index] # never Done
    assert "never forwarded" in getattr(known, "what", "")


def test_what_is_done_is_done() -> None:
    assert classed(Done({}), {"": ErrorRule(taken_as=P)}) == Done({})


@pytest.mark.parametrize(
    ("answer", "health"),
    [
        (Done({}), Health.WELL),
        (Permanent("closed account", "422"), Health.WELL),
        (Found({}, matches=True), Health.WELL),
        (Absent(), Health.WELL),
        (Pending(), Health.WELL),
        (Voided(), Health.WELL),
        (InDoubt("accepted and pending", None, "202"), Health.WELL),
        (InDoubt("under way already", None, "409"), Health.WELL),
        (InDoubt("no answer", None, "timeout"), Health.ILL),
        (InDoubt("it answered 500", None, "500"), Health.ILL),
        (Transient("slow down", WAIT, "429"), Health.ILL),
        (Transient("no connection", None, "connection-refused"), Health.ILL),
        (Transient("held up before it was sent", None, "held-up"), Health.SILENT),
        (Unknown("it cannot be asked"), Health.SILENT),
    ],
)
def test_a_refusal_is_an_answer_and_silence_is_none(answer: object, health: Health) -> None:
    assert sign_of(answer).health is health


def test_a_sign_repeats_nothing_that_the_other_side_said() -> None:
    """Tenants share a circuit: what the provider said to one of them is not for the others."""
    assert sign_of(InDoubt("it answered 500: Ana's account", None, "500")).what == "in doubt 500"
    assert sign_of(InDoubt("...", None, "Ana's account 12")).what == "in doubt"


def test_what_is_held_up_is_looked_at_again_when_one_of_its_limits_has_passed() -> None:
    deadline = NOW + timedelta(seconds=3)
    assert come_again(NOW + timedelta(seconds=60), NOW, deadline, None) == deadline + timedelta(milliseconds=1)
    assert come_again(NOW + timedelta(seconds=2), NOW, deadline) == NOW + timedelta(seconds=2)
    assert come_again(NOW + timedelta(seconds=2), NOW, NOW - WAIT) == NOW + timedelta(seconds=2)
    assert come_again(None, NOW) > NOW


def test_pauses_are_those_of_the_file() -> None:
    chance, retry = random.Random(3), Retry(first=timedelta(seconds=2), longest=timedelta(seconds=6))
    for attempt, most in ((1, 2), (2, 4), (3, 6), (50, 6)):
        pauses = [pause_after(attempt, chance, retry=retry) for _ in range(300)]
        assert timedelta(seconds=most * 0.9) < max(pauses) <= timedelta(seconds=most)
    assert pause_after(1, chance, retry=retry, retry_after=timedelta(minutes=1)) == timedelta(minutes=1)


def test_no_connector_makes_an_action_wait_for_ever() -> None:
    assert pause_after(1, random.Random(3), retry_after=timedelta(days=3000)) == LONGEST_ASKED

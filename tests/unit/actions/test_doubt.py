"""What may be done about a lost answer, for every set of abilities; and how long to pause."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from interlock.actions.action import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    SAFETY,
    Action,
    ActionState,
    Move,
    NextMove,
    is_remembered,
    pause_after,
    settle_doubt,
)
from interlock.actions.connector import Abilities

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIMEOUT = timedelta(seconds=10)
LIFE = timedelta(minutes=2)
DAY = timedelta(days=1)

ACTION = Action(
    id=UUID(int=1),
    case_id=UUID(int=2),
    decision_id=None,
    workflow="refunds",
    name="pay",
    connector="payments",
    domain="payments.refund",
    key="refunds/pay/1",
    payload=b"{}",
    exposure_minor=None,
    currency=None,
    state=ActionState.IN_DOUBT,
    fence=1,
    attempt=1,
    not_before=None,
    valid_until=None,
    deadline=T0 + DAY,
    first_sent_at=T0,
    sent_at=T0,
    send_deadline=T0 + TIMEOUT,
    sender_ends_at=T0 + TIMEOUT,
    response=None,
    error=None,
    created_at=T0,
    ended_at=None,
)


def able(*, keys: bool = False, look: bool = False, life: timedelta | None = None, void: bool = False) -> Abilities:
    retention = DAY if keys else timedelta(0)
    return Abilities(
        simulated=True, honours_keys=keys, key_retention=retention, can_look_up=look, can_void=void,
        max_request_life=life,
    )  # fmt: skip


SOON = T0 + timedelta(seconds=1)
DEAD = T0 + TIMEOUT + LIFE
LATE = T0 + DAY


@pytest.mark.parametrize(
    ("abilities", "now", "absent", "move"),
    [
        (able(keys=True), SOON, False, NextMove.SEND_AGAIN),
        (able(keys=True, life=LIFE), SOON, False, NextMove.SEND_AGAIN),
        (able(keys=True), LATE, False, NextMove.ASK_PERSON),
        (able(keys=True, life=LIFE), LATE, False, NextMove.ASK_PERSON),
        (able(keys=True, look=True), SOON, False, NextMove.LOOK_UP),
        (able(keys=True, look=True), SOON, True, NextMove.SEND_AGAIN),
        (able(keys=True, look=True), LATE, True, NextMove.ASK_PERSON),
        (able(keys=True, look=True, life=LIFE), LATE, True, NextMove.SEND_AGAIN),
        (able(look=True), SOON, False, NextMove.LOOK_UP),
        (able(look=True), LATE, True, NextMove.ASK_PERSON),
        (able(look=True, life=LIFE), SOON, True, NextMove.WAIT),
        (able(look=True, life=LIFE), DEAD - timedelta(microseconds=1), True, NextMove.WAIT),
        (able(look=True, life=LIFE), DEAD, True, NextMove.SEND_AGAIN),
        (able(life=LIFE), SOON, False, NextMove.WAIT),
        (able(life=LIFE), DEAD, False, NextMove.ASK_PERSON),
        (able(), SOON, False, NextMove.WAIT),  # the sender may still be sending
        (able(), LATE, False, NextMove.ASK_PERSON),
        (able(void=True), SOON, False, NextMove.VOID),
        (able(void=True, look=True, life=LIFE), SOON, False, NextMove.LOOK_UP),
        (able(void=True, look=True, life=LIFE), SOON, True, NextMove.VOID),
        (able(void=True, keys=True), SOON, False, NextMove.SEND_AGAIN),
        (able(void=True, keys=True), LATE, False, NextMove.ASK_PERSON),  # what was void is forgotten, too
    ],
)
def test_what_may_be_done(abilities: Abilities, now: datetime, absent: bool, move: NextMove) -> None:  # noqa: FBT001 - a table
    found = settle_doubt(ACTION, abilities, now, absent=absent)
    assert found.move is move
    assert (found.at in (DEAD, T0 + TIMEOUT)) == (move is NextMove.WAIT)
    assert found.why


def test_the_doubt_is_over_only_when_no_request_can_be_under_way() -> None:
    both = able(keys=True, look=True, life=LIFE)
    assert settle_doubt(ACTION, both, SOON, absent=True) == Move(
        NextMove.SEND_AGAIN, "the other side honours the key: sent again, it takes effect once", T0 + TIMEOUT + LIFE
    )
    assert settle_doubt(ACTION, both, DEAD, absent=True).cleared


def test_a_key_counts_as_forgotten_before_the_longest_life_of_another_request() -> None:
    abilities = able(keys=True, life=LIFE)
    last = T0 + DAY - SAFETY - TIMEOUT - LIFE
    assert is_remembered(ACTION, abilities, last - timedelta(microseconds=1))
    assert not is_remembered(ACTION, abilities, last)
    fresh = msgspec.structs.replace(ACTION, first_sent_at=None, sent_at=None, send_deadline=None)
    assert is_remembered(fresh, abilities, LATE)
    assert not is_remembered(fresh, able(), SOON)


@pytest.mark.parametrize("attempt", [1, 2, 5, 8, 20, 100, 10_000])
def test_a_pause_grows_up_to_a_bound_with_full_jitter(attempt: int) -> None:
    chance = random.Random(7)
    most = min(FIRST_PAUSE * 2 ** min(attempt - 1, 20), LONGEST_PAUSE)
    pauses = [pause_after(attempt, chance) for _ in range(500)]
    assert all(timedelta(0) <= pause <= most for pause in pauses)
    assert min(pauses) < most / 10
    assert max(pauses) > most * 9 / 10


def test_a_pause_is_never_shorter_than_was_asked_for() -> None:
    chance = random.Random(7)
    asked = timedelta(seconds=90)
    assert {pause_after(1, chance, retry_after=asked) for _ in range(50)} == {asked}
    assert all(pause_after(12, chance, retry_after=asked) >= asked for _ in range(200))

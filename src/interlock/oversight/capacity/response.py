"""The answer to a queue that is, or will be, too full: when it begins and when it ends. Pure.

    (nothing) -> saturated <-> relieved

It begins as soon as as many wait as may, or when what comes would begin to wait longer than promised within the time
that the file names. It ends later than it began, so that it does not flap: when a tenth of the room is free, nothing
of that is foreseen for twice that time, and it has lasted a while. What a person declared, only a person ends.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from interlock.durations import format_duration
from interlock.oversight.capacity.told import QueueTold

LEAST = timedelta(minutes=5)
"""So long it lasts at least."""
FREE_AGAIN = 0.9
BY_ITSELF = "interlock"


class ResponseState(StrEnum):
    """See the diagram above."""

    SATURATED = "saturated"
    RELIEVED = "relieved"


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """How the answer stands.

    Attributes:
        turn: How often it changed.
        state: Its state.
        by_hand: Whether a person said so.
        why: Why, in a sentence.
        who: Who said so.
        changed_at: Since when.
    """

    turn: int
    state: ResponseState
    by_hand: bool
    why: str
    who: str
    changed_at: datetime


class Turned(msgspec.Struct, frozen=True):
    """A state that an answer turns to, and why."""

    state: ResponseState
    why: str


def next_turn(
    told: QueueTold, waiting: int, breach_in: timedelta | None, last: Response | None, now: datetime
) -> Turned | None:
    """What a look at a queue makes of the answer; None: nothing.

    Args:
        told: What files say of the queue.
        waiting: How many wait.
        breach_in: How soon what comes begins to wait longer than promised; None: not as far as is known.
        last: How the answer stands; None: it never began.
        now: The time.
    """
    if last is None or last.state is ResponseState.RELIEVED:
        just_ended = last is not None and last.by_hand and now - last.changed_at < LEAST  # by a person, who knows why
        return None if just_ended else _begins(told, waiting, breach_in)
    if last.by_hand or now - last.changed_at < LEAST or waiting > told.capacity * FREE_AGAIN:
        return None
    if told.before is not None and breach_in is not None and breach_in <= 2 * told.before:
        return None
    return Turned(ResponseState.RELIEVED, f"{waiting} wait, and {told.capacity} may")


def _begins(told: QueueTold, waiting: int, breach_in: timedelta | None) -> Turned | None:
    if waiting >= told.capacity:
        return Turned(ResponseState.SATURATED, f"{waiting} wait, and {told.capacity} may")
    if told.before is None or breach_in is None or breach_in > told.before:
        return None
    due, soon = format_duration(told.due), round(breach_in.total_seconds() / 60)
    return Turned(ResponseState.SATURATED, f"{waiting} wait; in {soon} minutes what comes would wait {due} or longer")

"""Whether what a decision assumed still holds when its action is about to begin. Pure.

INVARIANT: a stale decision is never executed. Its action ends without effect, and whoever asked for it decides anew.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import msgspec

from interlock.actions.action import Action, ActionState
from interlock.actions.outcome import Finished, Holder, Later, finish
from interlock.db.work import Condition

STALE = "stale"
"""How the error of an action begins that ended because of it; reports count by it."""


class StillGranted(Condition, frozen=True):
    """What lets the answer that an action rests on go by itself does so at this very commit.

    Attributes:
        workflow: Whose decision point.
        point: The decision point.
        granted: On what its decision went by itself: see ``Action``. The gate that knows certificates reads it.
    """

    workflow: str
    point: str
    granted: bytes


_EXACT = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?\Z")
_canonical = msgspec.json.Encoder(order="sorted", decimal_format="string")


class Assumed(msgspec.Struct, frozen=True, kw_only=True):
    """One fact that a decision assumed, as it is kept with the decision and with its action.

    Attributes:
        name: Its name in the workflow's file.
        parameters: What it was read by.
        value: What it was, as JSON.
        read_at: When, UTC.
        place: The step that read it.
    """

    name: str
    parameters: dict[str, Any]
    value: Any
    read_at: datetime
    place: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that is no longer what a decision assumed.

    Attributes:
        fact: What was assumed.
        now: What it is now, as JSON.
    """

    fact: Assumed
    now: Any

    def __str__(self) -> str:
        by = _canonical.encode(self.fact.parameters).decode()
        return f"{self.fact.name} {by} was {_short(self.fact.value)} and is {_short(self.now)}"


@dataclass(frozen=True, slots=True)
class Stale:
    """The action may not begin: the decision that it rests on no longer holds. Nothing was sent.

    Attributes:
        action: As it is on record, ready to be sent.
        why: What no longer holds, in a sentence.
        changes: The facts that changed; none where the time limit was reached.
        finished: Ends the action without effect, in whatever commit goes on from here.
    """

    action: Action
    why: str
    changes: tuple[Change, ...]
    finished: Finished


Recheck = Callable[[Action], Awaitable[Stale | Later | Finished | None]]
"""Reads anew what an action's decision assumed, immediately before the dispatch commit.

None: it still holds. ``Later``: it cannot be read now. ``Finished``: it could not be read in the action's time.
"""


def assumed_of(facts: bytes | None) -> tuple[Assumed, ...]:
    """The facts that are kept with a decision or an action."""
    return msgspec.json.decode(facts, type=tuple[Assumed, ...]) if facts else ()


def stale(action: Action, holder: Holder, why: str, changes: tuple[Change, ...] = ()) -> Stale:
    """An action whose decision no longer holds.

    Args:
        action: Ready to be sent, and surely without effect so far.
        holder: Who holds its case.
        why: What no longer holds, in a sentence.
        changes: The facts that changed.
    """
    return Stale(action, why, changes, finish(action, holder, ActionState.FAILED, error=f"{STALE}: {why}"))


def is_same(before: Any, now: Any, tolerance: Decimal | None) -> bool:
    """Whether a fact is still what it was: the same canonical JSON, or a number that differs by no more than declared.

    Args:
        before: What was assumed. The tolerance counts from here, so that many small changes do not add up unseen.
        now: What it is now.
        tolerance: How far a number, an amount as text, or money of one currency may have moved.
    """
    if _canonical.encode(before) == _canonical.encode(now):
        return True
    if tolerance is None:
        return False
    was, is_now = _number(before), _number(now)
    return was is not None and is_now is not None and was[1] == is_now[1] and abs(was[0] - is_now[0]) <= tolerance


def _number(value: Any) -> tuple[Decimal, str] | None:
    """A number and its currency; None if the value is none."""
    if isinstance(value, Mapping):
        money = cast("Mapping[str, Any]", value)
        if sorted(money) != ["amount", "currency"] or not isinstance(money["currency"], str):
            return None
        amount = _number(money["amount"])
        return (amount[0], money["currency"]) if amount and not amount[1] else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text, _, currency = str(value).partition(" ")
    return (Decimal(text), currency) if _EXACT.match(text) else None


def _short(value: Any, most: int = 80) -> str:
    text = _canonical.encode(value).decode()
    return text if len(text) <= most else f"{text[:most]}…"

"""The journal's types: where a step stands, what was recorded of it, how arguments are compared. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from interlock.db.gates import short_digest
from interlock.errors import WorkflowMisuse
from interlock.money import Money

MOST_STEPS = 1000
"""Replay from the start is quadratic when each step parks; a longer case goes on with ``case.continue_as``."""


class StepKind(StrEnum):
    """What a step does."""

    DECIDE = "decide"
    ACT = "act"
    REVIEW = "review"
    WAIT = "wait"
    STEP = "step"
    NOW = "now"
    RANDOM = "random"
    ID = "id"
    PATCHED = "patched"
    FACT = "fact"
    EVENT = "event"
    FLAG = "flag"
    ASK = "ask"


class StepState(StrEnum):
    """pending -> done | failed. A pending step has made what is not finished: a review, an action, a timer."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a step stands.

    Attributes:
        scope: Empty, or the path of gather branches: ``3.0`` is the first branch of the gather at ordinal 3. With
            one flat ordinal, concurrent branches diverged in 200 of 200 replays.
        ordinal: The step's number in its scope, from 0.
    """

    scope: str
    ordinal: int

    def branch(self, index: int) -> str:
        """The scope of a branch of a gather that stands here."""
        path = f"{self.ordinal}.{index}"
        return f"{self.scope}/{path}" if self.scope else path

    @classmethod
    def parse(cls, text: str) -> Place:
        """A place as ``str`` writes it."""
        scope, _, ordinal = text.rpartition(":")
        return cls(scope, int(ordinal))

    def __str__(self) -> str:
        return f"{self.scope}:{self.ordinal}" if self.scope else str(self.ordinal)


def is_at_or_after(origin: Place, place: Place) -> bool:
    """Whether a step is the origin, or comes after it in program order.

    A step comes after another if it stands later in the same scope, or later in the scope of a gather that encloses
    both. The branches of one gather stand side by side: none comes after another.
    """
    for (ordinal, branch), (other, other_branch) in zip(_path(origin), _path(place), strict=False):
        if other != ordinal:
            return other > ordinal
        if branch != other_branch:
            return branch is None or other_branch is None
    return True


def _path(place: Place) -> list[tuple[int, int | None]]:
    """From the outside to the inside: the ordinal of each enclosing gather with the branch, then the step's own."""
    gathers = [tuple(map(int, part.split("."))) for part in place.scope.split("/")] if place.scope else []
    return [*((ordinal, branch) for ordinal, branch in gathers), (place.ordinal, None)]


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One step, as it is stored.

    Attributes:
        case_id: Of which case.
        scope: See ``Place``.
        ordinal: See ``Place``.
        kind: What it does.
        name: What the workflow calls it.
        args_hash: 16 bytes over its arguments; another value on replay is a divergence.
        state: Where it is.
        ref: What it made: the decision, action or review.
        result: What it gave, as JSON; for a failed one, code and message.
        due: For a pending wait: when it ends.
        started_at: When it was recorded first.
        finished_at: When it ended.
    """

    case_id: UUID
    scope: str
    ordinal: int
    kind: StepKind
    name: str
    args_hash: UUID
    state: StepState
    ref: UUID | None
    result: bytes | None
    due: datetime | None
    started_at: datetime
    finished_at: datetime | None

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.scope, self.ordinal)


def as_json(value: Any) -> Any:
    """Money as JSON: ``{"amount": "12.30", "currency": "MYR"}``."""
    if isinstance(value, Money):
        return {"amount": f"{value.amount:f}", "currency": value.currency}
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(type(value).__name__)


_canonical = msgspec.json.Encoder(order="sorted", enc_hook=as_json, decimal_format="string")


def encode(value: Any) -> bytes:
    """A value as canonical JSON.

    Raises:
        WorkflowMisuse: it is nothing that JSON can hold; nothing is pickled.
    """
    try:
        return _canonical.encode(value)
    except (TypeError, ValueError, RecursionError) as cause:
        raise WorkflowMisuse(
            f"{type(value).__name__} cannot be recorded as JSON: {cause}",
            todo="pass plain data: strings, numbers, lists, mappings, Money",
        ) from cause


def args_hash(kind: StepKind, name: str, arguments: Any) -> UUID:
    """What is compared on replay: kind, name and arguments."""
    return short_digest(kind.encode(), name.encode(), encode(arguments))

"""What callers send to work on reviews and exceptions. Unknown fields are refused."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from interlock.oversight.review import Resolution

Words = Annotated[str, Meta(min_length=1, max_length=4000)]
Whom = Annotated[str, Meta(min_length=1, max_length=200)]
Shown = Annotated[str, Meta(min_length=64, max_length=1000)]


class LeaseBody(msgspec.Struct, frozen=True, kw_only=True):
    """For how long a task is taken.

    Attributes:
        lease: As 15m; 8h at most.
    """

    lease: Annotated[str, Meta(min_length=1, max_length=20)] = "15m"


class SnoozeBody(msgspec.Struct, frozen=True, kw_only=True):
    """Until when a task is put off.

    Attributes:
        until: When it is in the way again, with a time zone; 30 days ahead at most.
        why: Why, in words.
    """

    until: Annotated[datetime, Meta(tz=True)]
    why: Annotated[str, Meta(max_length=4000)] = ""


class AssignBody(msgspec.Struct, frozen=True, kw_only=True):
    """To whom a task is given.

    Attributes:
        to: The person's name; they may decide it.
        note: What they should know.
    """

    to: Whom
    note: Annotated[str, Meta(max_length=4000)] = ""


class AskBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of whom; the task is parked until they answer.

    Attributes:
        to: A person's name, ``submitter``, or who answers for the workflow by its file.
        question: What somebody wants to know.
    """

    to: Whom
    question: Words


class AnswerBody(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to what was asked back.

    Attributes:
        text: Its words.
    """

    text: Words


class EscalateBody(msgspec.Struct, frozen=True, kw_only=True):
    """To whom a task is handed up.

    Attributes:
        to: A person who leads, or a team.
        why: Why.
    """

    to: Whom
    why: Words


class NoteBody(msgspec.Struct, frozen=True, kw_only=True):
    """A note for whoever works on a task.

    Attributes:
        text: Its words.
    """

    text: Words


class BulkItem(msgspec.Struct, frozen=True, kw_only=True):
    """One review of an act.

    Attributes:
        id: Which.
        shown: What was shown of it.
    """

    id: UUID
    shown: Shown | None = None


class BulkBody(msgspec.Struct, frozen=True, kw_only=True):
    """One word on several reviews that are alike.

    Attributes:
        reviews: Which, in order.
        resolution: approve or reject.
        reason_code: Why, for counting: a slug of small letters, digits, `_`, `.` and `-`.
        note: Why, in words.
    """

    reviews: Annotated[tuple[BulkItem, ...], Meta(min_length=1, max_length=500)]
    resolution: Resolution
    reason_code: Annotated[str, Meta(min_length=1, max_length=100)]
    note: Annotated[str, Meta(max_length=4000)] = ""

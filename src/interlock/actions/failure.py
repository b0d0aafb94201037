"""What a failure is: its class by the workflow's terms, what it shows of the other side, what comes next. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from interlock.actions.connector import (
    Absent,
    Done,
    Found,
    InDoubt,
    Pending,
    Permanent,
    Read,
    Sent,
    Transient,
    Voided,
)


class FailureClass(StrEnum):
    """How a failure is taken."""

    TRANSIENT = "transient"
    """It surely had no effect, and may have one later: it is sent again."""
    PERMANENT = "permanent"
    """It surely had no effect, and never will: the action has failed."""
    IN_DOUBT = "in_doubt"
    """It may have taken effect: that is settled first."""


class ErrorRule(msgspec.Struct, frozen=True, kw_only=True):
    """How a workflow's file takes one error code of a connector.

    Attributes:
        taken_as: The class.
        because: Why it is known that the error had no effect, although the connector cannot know it; empty: the rule
            holds for errors only of which the connector knows that.
    """

    taken_as: FailureClass
    because: str = ""


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """The pauses between attempts: exponential, with full jitter.

    Attributes:
        first: The longest that the first pause may be; each later one may be twice as long.
        longest: The longest of all.
    """

    first: timedelta
    longest: timedelta


def classed(sent: Sent, errors: Mapping[str, ErrorRule]) -> Sent:
    """An answer as the workflow's file takes it.

    INVARIANT: what may have taken effect stays in doubt, unless the file says why it surely did not.

    Args:
        sent: What the connector said.
        errors: By error code.
    """
    if isinstance(sent, Done) or sent.code not in errors:
        return sent
    rule = errors[sent.code]
    if isinstance(sent, InDoubt) and not rule.because:
        return sent
    what = f"{sent.what} (taken as {rule.taken_as}: {rule.because})" if rule.because else sent.what
    again = None if isinstance(sent, Permanent) else sent.retry_after
    match rule.taken_as:
        case FailureClass.TRANSIENT:
            return Transient(what, again, sent.code)
        case FailureClass.PERMANENT:
            return Permanent(what, sent.code)
        case FailureClass.IN_DOUBT:
            return InDoubt(what, again, sent.code)


class Health(StrEnum):
    """What an answer shows of the other side."""

    WELL = "well"
    ILL = "ill"
    SILENT = "silent"
    """Nothing, either way."""


class Sign(msgspec.Struct, frozen=True):
    """A sign of health.

    Attributes:
        health: Which.
        what: Kind and code of a failure; never what the other side said, since all tenants may see it.
    """

    health: Health
    what: str = ""


_OURS = frozenset({"held-up", "unknown-operation", "unsendable"})
"""Failures of ours, before anything was sent."""
_ANSWERED = re.compile(r"2[0-9]{2}|409|pending\Z")
"""Answers by which a request is in doubt although the other side is well: accepted and pending; under way already."""
_WORDS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


def sign_of(answer: object) -> Sign:
    """What an answer to a request, a look-up or a voiding shows. A refusal is an answer.

    A look-up that fails shows nothing: not every system that takes payments can be asked about them.

    Args:
        answer: As the connector gave it, before the workflow's file takes it otherwise.
    """
    match answer:
        case Done() | Permanent() | Found() | Absent() | Pending() | Voided() | Read():
            return Sign(Health.WELL)
        case Transient(code=code) if code in _OURS:
            return Sign(Health.SILENT)
        case InDoubt(code=code) if _ANSWERED.match(code):
            return Sign(Health.WELL)
        case Transient(code=code):
            return Sign(Health.ILL, f"transient {code if _WORDS.match(code) else ''}".strip())
        case InDoubt(code=code):
            return Sign(Health.ILL, f"in doubt {code if _WORDS.match(code) else ''}".strip())
        case _:
            return Sign(Health.SILENT)


def come_again(until: datetime | None, now: datetime, *moments: datetime | None) -> datetime:
    """When to try again what was turned away: then, or as soon as one of its own time limits has passed.

    Args:
        until: What it was told.
        now: The database's time.
        moments: Its time limits; what has passed already counts no more.
    """
    wanted = until or now + timedelta(seconds=1)
    ends = [moment + timedelta(milliseconds=1) for moment in moments if moment and moment > now]
    return min([wanted, *ends])

"""One thing that was looked at. Pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from interlock.errors import InterlockError, ManyRefused


class Level(StrEnum):
    """How it stands: fine, worth knowing, or not fit to run."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        name: What was looked at.
        level: How it stands.
        what: What was found.
        todo: What to do, unless it is fine.
    """

    name: str
    level: Level
    what: str
    todo: str = ""


def ok(name: str, what: str) -> Check:
    """It is fine."""
    return Check(name, Level.OK, what)


def warn(name: str, what: str, todo: str) -> Check:
    """It is worth knowing."""
    return Check(name, Level.WARN, what, todo)


def fail(name: str, what: str, todo: str) -> Check:
    """It is not fit to run."""
    return Check(name, Level.FAIL, what, todo)


def failed(name: str, cause: InterlockError) -> Check:
    """An error of ours, as a check."""
    what = "; ".join([cause.what, *map(str, cause.violations)]) if isinstance(cause, ManyRefused) else cause.what
    return fail(name, f"{cause.where}: {what}" if cause.where else what, cause.todo or "mend what is named")

"""What one check of a pack finds, whatever its code does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from interlock.components.finding import Finding, Severity
from interlock.components.plain import copied
from interlock.components.taken import Taken, words_of
from interlock.db.text import storable
from interlock.decisions.library import Library

LONGEST_WHY = 500
"""Characters of the words of somebody's code that are kept."""


def run_check(
    library: Library, name: str, value: Mapping[str, Any], answer: Taken, until: float, now: datetime
) -> tuple[Finding, ...]:
    """A check's findings. It gets copies: what it changes in them is nobody's but its own.

    INVARIANT: a check that fails, gives what are no findings, or has no time left is a finding itself: a person looks.

    Args:
        library: Where the check is.
        name: ``module:function``.
        value: The input.
        answer: The answer, which has passed its contract.
        until: When there is no time left, on the monotonic clock.
        now: The time of the decision.
    """
    if time.monotonic() > until:
        return (_person("check_late", f"there was no time left for the check {name}"),)
    try:
        found: object = library.check(name)(copied(value), answer.copy(), now)
        return tuple([_held(one) for one in cast("tuple[object, ...]", found)])
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise
    except BaseException as cause:  # noqa: BLE001 - whatever a check does, sys.exit too, the decision goes to a person
        return (_person("check_failed", f"the check {name} failed: {words_of(cause)}"),)


def _person(code: str, what: str) -> Finding:
    return Finding(code=code, what=storable(what)[:LONGEST_WHY], severity=Severity.REVIEW)


def _held(given: object) -> Finding:
    """A finding of nothing but what can be stored.

    Raises:
        TypeError: it is none, or one of its texts is no text.
        ValueError: its severity is none, or a text holds what cannot be stored.
    """
    if not isinstance(given, Finding):
        raise TypeError(f"it gave {type(given).__name__}, not a Finding")
    code, what, where = (_text(name, getattr(given, name)) for name in ("code", "what", "where"))
    return Finding(code=code, what=what, where=where, severity=Severity(given.severity))


def _text(name: str, given: object) -> str:
    if not isinstance(given, str):
        raise TypeError(f"a finding's {name} is {type(given).__name__}, not a text")
    if storable(given) != given:
        raise ValueError(f"a finding's {name} holds NUL or half of a surrogate pair")
    return str.__str__(given)

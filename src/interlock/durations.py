"""Lengths of time as people write them: ``200ms``, ``10s``, ``24h``, ``7d``. Pure."""

from __future__ import annotations

import re
from datetime import timedelta

from interlock.errors import Refused

_UNITS: dict[str, timedelta] = {
    "us": timedelta(microseconds=1),
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_WRITTEN = re.compile(r"([0-9]{1,16})(us|ms|s|m|h|d)\Z")
_LONGEST = timedelta(days=36_500)
_TODO = 'write a whole number and one unit of us, ms, s, m, h, d, as in "200ms", "24h" or "7d"'


def parse_duration(text: str) -> timedelta:
    """Read a length of time; a day is 24 hours.

    Args:
        text: A whole number and one unit: us, ms, s, m (minutes), h, d. No spaces, signs or decimals.

    Raises:
        Refused: not of that form, or longer than a hundred years.
    """
    found = _WRITTEN.match(text)
    if found is None:
        raise Refused(f"{text[:60]!r} is no length of time", todo=_TODO)
    count, unit = int(found[1]), _UNITS[found[2]]
    if count > _LONGEST // unit:
        raise Refused(f"{text!r} is longer than a hundred years", todo="check the unit")
    return count * unit


def format_duration(duration: timedelta) -> str:
    """Write a length of time in the largest unit that holds it exactly; ``parse_duration`` reads it back.

    Raises:
        Refused: negative, which no length of time is.
    """
    if duration < timedelta(0):
        raise Refused(f"{duration} is no length of time", todo="take the earlier time from the later one")
    if not duration:
        return "0s"
    unit = next(unit for unit in reversed(_UNITS) if not duration % _UNITS[unit])
    return f"{duration // _UNITS[unit]}{unit}"

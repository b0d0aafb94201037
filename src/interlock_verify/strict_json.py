"""JSON (RFC 8259) without what two readers may read differently: repeated keys, NaN, half characters; within bounds.

What is not what it should be is ``Unreadable``, whatever it was meant to be.
"""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NoReturn, cast

from interlock_verify.note import is_unicode
from interlock_verify.refusal import Unreadable, plain

MOST_DEPTH = 64
MOST_DIGITS = 1_000

Json = dict[str, object] | list[object] | str | int | float | bool | None


def read_json(text: str) -> Json:
    """One JSON value, and nothing after it."""
    try:
        value = cast(
            "Json",
            json.loads(
                text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_fraction
            ),
        )
    except json.JSONDecodeError as refused:
        raise Unreadable(f"it is no JSON: {refused.msg} at character {refused.pos}") from None
    except RecursionError:
        raise Unreadable(f"JSON nested deeper than {MOST_DEPTH}") from None
    _walk(value)
    return value


def utf8(data: bytes) -> str:
    """The text that bytes are."""
    try:
        return data.decode()
    except UnicodeDecodeError as refused:
        raise Unreadable(f"it is no UTF-8 at byte {refused.start}") from None


def an_object(value: object, what: str, needed: Sequence[str], possible: Sequence[str] = ()) -> dict[str, object]:
    """An object with these keys and no others."""
    if not isinstance(value, dict):
        raise Unreadable(f"{what} is not an object")
    held = cast("dict[str, object]", value)
    for key in needed:
        if key not in held:
            raise Unreadable(f"{what} lacks {key!r}")
    for key in held:
        if key not in needed and key not in possible:
            raise Unreadable(f"{what} has '{plain(key)}', which this verifier does not know and would not check")
    return held


def a_list(value: object, what: str, most: int) -> list[object]:
    """A list of at most so many."""
    if not isinstance(value, list):
        raise Unreadable(f"{what} is not a list")
    held = cast("list[object]", value)
    if len(held) > most:
        raise Unreadable(f"{what} holds {len(held)}, more than {most}")
    return held


def a_text(value: object, what: str) -> str:
    """A text."""
    if not isinstance(value, str):
        raise Unreadable(f"{what} is not a text")
    return value


def a_count(value: object, what: str) -> int:
    """A whole number that is not negative."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Unreadable(f"{what} is not a count")
    return value


def a_moment(value: object, what: str) -> datetime:
    """A time with its zone, as RFC 3339 writes it; in UTC."""
    text = a_text(value, what)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Unreadable(f"{what} is '{plain(text)}', no time with its zone")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    held = dict(pairs)
    if len(held) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise Unreadable(f"the key '{plain(twice)}' stands twice")
    return held


def _constant(name: str) -> NoReturn:
    raise Unreadable(f"{name} is no JSON")


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise Unreadable(f"a number of {len(digits)} digits")
    return int(digits)


def _fraction(digits: str) -> float:
    if len(digits) > MOST_DIGITS or not math.isfinite(number := float(digits)):
        raise Unreadable(f"the number {plain(digits, 40)} is out of bounds")
    return number


def _walk(value: object) -> None:
    """Refuse what is nested too deep, and text that holds half a character."""
    level: list[object] = [value]
    for _ in range(MOST_DEPTH):
        below: list[object] = []
        for one in level:
            if isinstance(one, str):
                if not is_unicode(one):
                    raise Unreadable("a text holds half a character")
            elif isinstance(one, dict):
                held = cast("dict[str, object]", one)
                below.extend(held.keys())
                below.extend(held.values())
            elif isinstance(one, list):
                below.extend(cast("list[object]", one))
        if not below:
            return
        level = below
    raise Unreadable(f"JSON nested deeper than {MOST_DEPTH}")

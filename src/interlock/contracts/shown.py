"""Values and places from outside, made safe to print: cut, one line, nothing invisible. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

MOST_SHOWN = 60
"""Characters of a value that a message shows."""

Step = str | int
"""One step into a value: a field's name or an item's position."""
Path = tuple[Step, ...]
"""Steps from the root of a value to a place in it."""


def shown(value: object) -> str:
    """A value as a message may hold it: at most about 60 characters, in one line, without invisible characters.

    Text keeps its script (``"咖啡"``); what a terminal or a page would act on or hide (control characters, marks that
    turn the direction of writing, lone surrogates) is written as an escape. Containers are counted, never walked.
    """
    if isinstance(value, str):
        text = _cut(_safe(value[: MOST_SHOWN + 1])).replace('"', '\\"')
        return f'"{text}"'
    if isinstance(value, (list, tuple)):
        return _counted("an array of", len(cast("list[object]", value)), "item")
    if isinstance(value, dict):
        return _counted("an object of", len(cast("dict[object, object]", value)), "field")
    return _shown_scalar(value)


def _shown_scalar(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        # Python refuses to write out an int of more than 4,300 digits.
        return _cut(str(value)) if value.bit_length() < 4 * MOST_SHOWN else f"a number of {value.bit_length():,} bits"
    return repr(value) if isinstance(value, float) else f"a Python {_cut(_safe(type(value).__name__))}"


def pointer(path: Iterable[Step]) -> str:
    """A JSON Pointer (RFC 6901). A hostile key is cut and made printable, so that its pointer is for reading only."""
    return "".join(f"/{_token(step)}" for step in path)


def _token(step: Step) -> str:
    if isinstance(step, int):
        return str(step)
    return _cut(_safe(step[: MOST_SHOWN + 1]).replace("~", "~0").replace("/", "~1"))


def _cut(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"


def _safe(text: str) -> str:
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"  # noqa: PLR2004 - the BMP


def _counted(what: str, count: int, noun: str) -> str:
    return f"{what} {count:,} {noun}{'' if count == 1 else 's'}"

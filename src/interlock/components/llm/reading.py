"""From the text of a completion to the JSON object that it answers, read strictly. Pure."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn, cast

_FENCED = re.compile(r"\A\s*```[a-zA-Z]{0,10}[ \t]*\n(.*?)\n?[ \t]*```\s*\Z", re.DOTALL)


class NoObject(ValueError):
    """The text is no JSON object: why, in a sentence that may quote it."""


def object_text(content: str) -> str:
    """The part of a completion that should be the object: a code fence around the whole of it is taken off."""
    found = _FENCED.match(content)
    return (found[1] if found else content).strip()


def read_object(text: str) -> dict[str, Any]:
    """Read a JSON object. Each key may stand once; a number must be finite.

    Raises:
        NoObject: it is none.
    """
    if not text:
        raise NoObject("there is no answer")
    try:
        value: object = _DECODER.decode(text)
    except (ValueError, RecursionError) as cause:
        raise NoObject(f"it is no JSON: {str(cause)[:200]}") from cause
    if not isinstance(value, dict):
        raise NoObject(f"it is no JSON object but {type(value).__name__}")
    return cast("dict[str, Any]", value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:60]!r} stands twice in one object")
    return read


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:60]} is no finite number")
    return value


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_float=_finite, parse_constant=_no_constant)

"""One thing that could have been otherwise about a decision. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class Part(StrEnum):
    """What of a decision is changed."""

    CONFIDENCE = "confidence"
    EXPOSURE = "exposure"
    INPUT = "input"
    OUTPUT = "output"
    FINDING = "finding"
    STOP = "stop"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change.

    Attributes:
        part: What is changed.
        name: The field, with a dot before each deeper key; a finding's code; else empty.
        was: What is on record: JSON; money as ``31.00 MYR``, a confidence as its exact decimal; None: it was not there.
        instead: What stands in its place, written alike; None: it is not there.
        bound: The bound of a file or table that lies between the two, as it is written there; empty: none.
    """

    part: Part
    name: str = ""
    was: Any = None
    instead: Any = None
    bound: str = ""

    @property
    def path(self) -> tuple[str, ...]:
        """The keys from the input or output down to the field."""
        return tuple(self.name.split("."))


def at_path(root: Any, path: tuple[str, ...]) -> Any:
    """The value at a path of keys; None if there is none."""
    value = root
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - JSON on record
    return value  # pyright: ignore[reportUnknownVariableType] - JSON on record


def with_value(root: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A copy with another value at a path; what is not changed is shared. None takes it away.

    Raises:
        KeyError: something on the way is no object.
    """
    first, *deeper = path
    if deeper:
        inner = root.get(first)
        if not isinstance(inner, dict):
            raise KeyError(first)
        return {**root, first: with_value(inner, tuple(deeper), value)}  # pyright: ignore[reportUnknownArgumentType] - JSON on record
    if value is None:
        return {key: one for key, one in root.items() if key != first}
    return {**root, first: value}

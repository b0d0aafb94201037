"""What somebody changes: the proposal against their output, value by value. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec

from interlock.console.item.evidence import shown_value

MOST = 200
"""Differences that are shown."""


class Change(msgspec.Struct, frozen=True):
    """One value that is another.

    Attributes:
        where: Where it stands, as ``items / 2 / amount``.
        before: What was proposed; None: it was not there.
        after: What holds instead; None: it is taken away.
    """

    where: str
    before: str | None
    after: str | None


def changes(proposal: Mapping[str, Any] | None, output: Mapping[str, Any]) -> tuple[Change, ...]:
    """Every value that differs, in the order of the output, then what it left out."""
    found: list[Change] = []
    for change in _walk((), proposal or {}, output):
        found.append(change)
        if len(found) == MOST:
            break
    return tuple(found)


_GONE = object()


def _walk(path: tuple[str, ...], before: object, after: object) -> Iterator[Change]:
    pairs = _pairs(before, after)
    if pairs is None:
        if before is _GONE or after is _GONE or _differs(before, after):
            yield Change(" / ".join(path), _text(before), _text(after))
        return
    for name, (one, other) in pairs.items():
        yield from _walk((*path, name), one, other)


def _differs(before: object, after: object) -> bool:
    """JSON values compared as JSON: ``1`` is not ``true``."""
    return isinstance(before, bool) is not isinstance(after, bool) or before != after


def _pairs(before: object, after: object) -> dict[str, tuple[object, object]] | None:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        one, other = cast("Mapping[str, object]", before), cast("Mapping[str, object]", after)
        return {
            name: (one.get(name, _GONE), other.get(name, _GONE))
            for name in (*other, *(n for n in one if n not in other))
        }
    if isinstance(before, list) and isinstance(after, list):
        left, right = cast("list[object]", before), cast("list[object]", after)
        longest = max(len(left), len(right))
        return {
            str(place + 1): (
                left[place] if place < len(left) else _GONE,
                right[place] if place < len(right) else _GONE,
            )
            for place in range(longest)
        }
    return None


def _text(value: object) -> str | None:
    if value is _GONE:
        return None
    return "nothing" if value is None else shown_value(value)

"""Copies of JSON values that nobody else holds. Pure.

What runs code of a pack gets a copy, and what such code gives is kept as a copy: so nothing that the code does to its
own objects, then or later, changes what is decided, recorded and acted on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from interlock.errors import ComponentFailed

DEEPEST = 32
"""So many levels of an answer, at most."""
_FIXED = frozenset({str, int, bool, float, Decimal, type(None)})
_PLAIN = frozenset({str, int, bool, type(None)})
_NAMES = frozenset({str})


def copied(value: Mapping[str, Any]) -> dict[str, Any]:
    """An input with containers of its own; a flat one costs next to nothing.

    Args:
        value: JSON, or what stands for it in a workflow, such as amounts: everything that is no container is kept.
    """
    if _FIXED.issuperset(map(type, value.values())):
        return dict(value)
    return {name: _copied(item) for name, item in value.items()}


def _copied(value: object) -> object:
    if isinstance(value, dict):
        return {name: _copied(item) for name, item in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_copied(item) for item in cast("list[object]", value)]
    if isinstance(value, tuple):
        return tuple([_copied(item) for item in cast("tuple[object, ...]", value)])
    return value


def plain_object(value: object, name: str) -> dict[str, Any]:
    """An object as a copy of nothing but JSON's own types; a subclass becomes its type where that loses nothing.

    Args:
        value: What some code gave.
        name: Of which part of its answer, for errors.

    Raises:
        ComponentFailed: it is no object, or something in it is no JSON: NaN, another type, too many levels.
    """
    if not isinstance(value, dict):
        raise ComponentFailed(f"it gave {type(value).__name__} as {name}, not an object", where=f"/{name}")
    given = cast("dict[Any, Any]", value)
    if _PLAIN.issuperset(map(type, given.values())) and _NAMES.issuperset(map(type, given)):
        return dict(given)
    return _plain_object(given, (name,))


def _plain(value: object, path: tuple[str, ...]) -> object:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ComponentFailed(f"it gave {float(value)}", where=_pointer(path))
        return float(value)
    if isinstance(value, dict):
        return _plain_object(cast("dict[object, object]", value), path)
    if isinstance(value, (list, tuple)):
        _hold_to_depth(path)
        items = cast("list[object]", value)
        return [_plain(item, (*path, str(place))) for place, item in enumerate(items)]
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    raise ComponentFailed(f"it gave {type(value).__name__}, which is no JSON", where=_pointer(path))


def _plain_object(value: dict[object, object], path: tuple[str, ...]) -> dict[str, Any]:
    _hold_to_depth(path)
    found: dict[str, Any] = {}
    for name, item in value.items():
        if not isinstance(name, str):
            raise ComponentFailed(f"it gave the key {name!r}, which is no text", where=_pointer(path))
        exact = str.__str__(name)
        found[exact] = _plain(item, (*path, exact))
    return found


def _hold_to_depth(path: tuple[str, ...]) -> None:
    if len(path) > DEEPEST:
        raise ComponentFailed(f"it gave values nested more than {DEEPEST} deep", where=_pointer(path[:4]))


def _pointer(path: tuple[str, ...]) -> str:
    return "".join(f"/{name.replace('~', '~0').replace('/', '~1')}" for name in path)

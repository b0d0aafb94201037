"""Mending data: a JSON Patch (RFC 6902) or single values, applied to a copy, and what that changes. Pure."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, cast

from interlock.contracts import canonical
from interlock.contracts.door import LARGEST_PAYLOAD
from interlock.contracts.shown import Path, pointer, shown
from interlock.errors import Refused

_KEYS = {
    "add": {"op", "path", "value"},
    "replace": {"op", "path", "value"},
    "test": {"op", "path", "value"},
    "remove": {"op", "path"},
    "move": {"op", "path", "from"},
    "copy": {"op", "path", "from"},
}
MOST_OPERATIONS = 100
MOST_CHANGES = 100
_ABSENT = object()
_POSITION = re.compile(r"0|[1-9][0-9]{0,8}")


class Change(NamedTuple):
    """One place that differs: its JSON Pointer, and the value before and after; None in words for what is absent."""

    where: str
    before: str
    after: str


def read_set(text: str, value: Any) -> dict[str, Any]:
    """The operation of ``/path=value``: the value is put there, whether or not something stood there."""
    return {"op": "add", "path": text, "value": value}


def apply_patch(value: Any, patch: Any) -> Any:
    """A copy of a JSON value with a JSON Patch applied; the value itself stays as it is.

    Raises:
        Refused: the patch is none, or an operation does not fit the value; where and why is said.
    """
    if not isinstance(patch, list):
        raise Refused("a patch is a list of operations", todo='write [{"op": "add", "path": "/a", "value": 1}]')
    operations = cast("list[object]", patch)
    if len(operations) > MOST_OPERATIONS:
        raise Refused(f"{len(operations)} operations are more than {MOST_OPERATIONS}", todo="mend it with a function")
    root = copy.deepcopy(value)
    for place, operation in enumerate(operations):
        try:
            root = _apply(root, operation)
        except Refused as cause:
            raise Refused(cause.what, where=f"/{place}", todo=cause.todo) from cause
        except RecursionError as cause:  # each operation may put one value of 64 levels below another
            raise Refused("the value nests too deep", where=f"/{place}", todo="flatten it") from cause
    return root


def changes(before: Any, after: Any) -> list[Change]:
    """Where two JSON values differ, in the order of their fields; the first hundred places."""
    found = islice(_differences(before, after, ()), MOST_CHANGES)
    return [Change(pointer(path), _words(one), _words(other)) for path, one, other in found]


def _apply(root: Any, operation: object) -> Any:
    if not isinstance(operation, dict):
        raise Refused(f"{shown(operation)} is no operation", todo="write an object with op and path")
    given = cast("dict[str, Any]", operation)
    op = given.get("op")
    keys = _KEYS.get(op) if isinstance(op, str) else None
    if keys is None:
        raise Refused(f"{shown(op)} is no operation", todo=f"write {', '.join(_KEYS)}")
    if set(given) != keys:
        raise Refused(f"{op} takes {', '.join(sorted(keys))}", todo=f"and not {', '.join(sorted(given))}")
    path = _steps(given["path"])
    if op == "test":
        if canonical(_get(root, path)) != canonical(given["value"]):
            raise Refused(f"{shown(given['path'])} is another value than the one tested for")
        return root
    if op == "add":
        return _add(root, path, copy.deepcopy(given["value"]))
    if op == "replace":
        _get(root, path)
        return (
            _add(_removed(root, path), path, copy.deepcopy(given["value"])) if path else copy.deepcopy(given["value"])
        )
    if op == "remove":
        return _removed(root, path)
    return _moved(root, _steps(given["from"]), path, keeps=op == "copy")


def _moved(root: Any, source: list[str], path: list[str], *, keeps: bool) -> Any:
    moved = _get(root, source)
    if keeps:
        copied = _add(root, path, copy.deepcopy(moved))
        # a hundred copies of a value into itself would be 2**100 of it
        if len(canonical(copied)) > LARGEST_PAYLOAD:
            raise Refused(f"the value grows beyond {LARGEST_PAYLOAD:,} bytes", todo="copy less")
        return copied
    if path[: len(source)] == source and len(path) > len(source):
        raise Refused("a value cannot be moved into itself")
    return _add(_removed(root, source), path, moved)


def _steps(path: object) -> list[str]:
    if not isinstance(path, str) or (path and not path.startswith("/")):
        raise Refused(f"{shown(path)} is no JSON Pointer", todo="write it as /field or /list/0")
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def _get(root: Any, path: Sequence[str]) -> Any:
    here = root
    for step in path:
        if isinstance(here, dict):
            here = cast("dict[str, Any]", here).get(step, _ABSENT)
        elif isinstance(here, list):
            items = cast("list[Any]", here)
            here = items[_position(step, len(items) - 1)]
        else:
            here = _ABSENT
        if here is _ABSENT:
            raise Refused(f"there is no {shown(step)} at {pointer(path)}")
    return here


def _position(step: str, last: int) -> int:
    if not _POSITION.fullmatch(step) or int(step) > last:
        raise Refused(f"{shown(step)} is no position of this list", todo=f"write 0 to {last}")
    return int(step)


def _add(root: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, step = _get(root, path[:-1]), path[-1]
    if isinstance(parent, dict):
        cast("dict[str, Any]", parent)[step] = value
    elif isinstance(parent, list):
        items = cast("list[Any]", parent)
        items.insert(len(items) if step == "-" else _position(step, len(items)), value)
    else:
        raise Refused(f"{shown(parent)} has no place for {shown(step)}")
    return root


def _removed(root: Any, path: list[str]) -> Any:
    if not path:
        raise Refused("the whole value cannot be removed", todo="discard it")
    _get(root, path)
    parent, step = _get(root, path[:-1]), path[-1]
    if isinstance(parent, dict):
        del cast("dict[str, Any]", parent)[step]
    else:
        items = cast("list[Any]", parent)
        del items[_position(step, len(items) - 1)]
    return root


def _differences(before: Any, after: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        old, new = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
        for name in dict.fromkeys([*old, *new]):
            yield from _differences(old.get(name, _ABSENT), new.get(name, _ABSENT), (*path, name))
    elif isinstance(before, list) and isinstance(after, list) and len(cast("list[Any]", before)) == len(after):  # pyright: ignore[reportUnknownArgumentType] - any list has a length
        pairs = zip(cast("list[Any]", before), cast("list[Any]", after), strict=True)
        for place, (one, other) in enumerate(pairs):
            yield from _differences(one, other, (*path, place))
    elif before is _ABSENT or after is _ABSENT or canonical(before) != canonical(after):
        yield path, before, after


def _words(value: Any) -> str:
    return "nothing" if value is _ABSENT else shown(value)

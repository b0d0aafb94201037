"""A JSON value as rows for people: nested parts fold, and what its contract does not allow is marked. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec

from interlock.console.item.evidence import shown_value
from interlock.console.item.form import label_of
from interlock.errors import Violation
from interlock.privacy.token import HIDDEN

MOST = 400
"""Rows that are shown of one value."""
_DEEPEST = 12


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One value, or a part that folds.

    Attributes:
        name: Its key as it stands.
        label: Its key for people.
        text: The value; empty for a part that folds.
        says: What a part that folds holds, in words.
        wrong: What its contract does not allow.
        hidden: Whether it stands for a personal value.
        parts: What it holds.
    """

    name: str
    label: str
    text: str = ""
    says: str = ""
    wrong: tuple[str, ...] = ()
    hidden: bool = False
    parts: tuple[Row, ...] = ()


class Tree(msgspec.Struct, frozen=True):
    """A value.

    Attributes:
        rows: Its rows.
        cut: Whether there are more than are shown.
    """

    rows: tuple[Row, ...]
    cut: bool


def tree_of(
    value: Mapping[str, Any], violations: Sequence[Violation] = (), without: frozenset[str] = frozenset()
) -> Tree:
    """The rows of a value.

    Args:
        value: The value; personal ones in it stand as they are to be shown.
        violations: What its contract does not allow of it.
        without: The keys that are shown elsewhere.
    """
    wrong: dict[str, list[str]] = {}
    for one in violations:
        wrong.setdefault(one.where, []).append(one.what)
    left = [MOST]
    rows = tuple(_rows({name: part for name, part in value.items() if name not in without}, "", wrong, left, 0))
    return Tree(rows, cut=left[0] <= 0)


def _rows(
    value: Mapping[str, Any], where: str, wrong: Mapping[str, Sequence[str]], left: list[int], depth: int
) -> Iterator[Row]:
    for name, part in value.items():
        if left[0] <= 0:
            return
        left[0] -= 1
        at = f"{where}/{name.replace('~', '~0').replace('/', '~1')}"
        inner = _inner(part)
        told = tuple(wrong.get(at, ()))
        if inner and depth < _DEEPEST:
            says = f"{len(inner)} {'items' if isinstance(part, list) else 'fields'}"
            parts = tuple(_rows(inner, at, wrong, left, depth + 1))
            yield Row(name=name, label=label_of(name), says=says, wrong=told, parts=parts)
        else:
            text = shown_value(part)
            yield Row(name=name, label=label_of(name), text=text or "–", wrong=told, hidden=part == HIDDEN)


def _inner(part: object) -> Mapping[str, Any]:
    if isinstance(part, dict):
        return cast("dict[str, Any]", part)
    if isinstance(part, list):
        items = cast("list[object]", part)
        if any(isinstance(one, (dict, list)) for one in items) or len(items) > 8:  # noqa: PLR2004 - fits on a line
            return {str(place + 1): one for place, one in enumerate(items)}
    return {}

"""A copied input shares no container with the one that it was copied from, and is equal to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as some

from interlock.components.plain import copied
from interlock.money import Money

SCALARS = some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text()
JSON = some.recursive(SCALARS, lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner), max_leaves=20)


def containers(value: object) -> list[int]:
    """The identity of every container in a value."""
    inner: Iterable[object] = ()
    if isinstance(value, dict):
        inner = cast("dict[str, object]", value).values()
    elif isinstance(value, list):
        inner = cast("list[object]", value)
    else:
        return []
    return [id(cast("object", value)), *(one for item in inner for one in containers(item))]


@given(some.dictionaries(some.text(), JSON))
def test_a_copy_is_equal_and_shares_no_container(value: dict[str, Any]) -> None:
    copy = copied(value)
    assert copy == value
    assert not set(containers(copy)) & set(containers(value))


def test_amounts_of_a_workflow_are_kept() -> None:
    value: dict[str, Any] = {"amount": Money("1.00", "EUR"), "lines": ({"n": [1]},)}
    copy = copied(value)
    assert copy == value
    assert copy["lines"][0]["n"] is not value["lines"][0]["n"]

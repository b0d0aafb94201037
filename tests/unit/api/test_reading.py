from __future__ import annotations

from typing import Any

import msgspec
import pytest

from interlock.api.bodies import ListQuery
from interlock.api.reading import read_body, read_query
from interlock.errors import ManyRefused


class Inner(msgspec.Struct):
    """What a body holds within."""

    size: int


class Body(msgspec.Struct, kw_only=True):
    """A body."""

    name: str
    parts: list[Inner] = []
    sure: bool | None = None


def wrong_with(value: Any) -> dict[str, str]:
    with pytest.raises(ManyRefused) as refused:
        read_body(value, Body)
    return {violation.where: violation.what for violation in refused.value.violations}


def test_a_body_is_read() -> None:
    assert read_body({"name": "x", "parts": [{"size": 1}]}, Body) == Body(name="x", parts=[Inner(1)])


def test_places_within_are_pointers() -> None:
    assert wrong_with({"name": "x", "parts": [{"size": 1}, {"size": "2"}]}) == {
        "/parts/1/size": "an array of 2 items: expected `int`, got `str`"
    }


@pytest.mark.parametrize("value", ["true", 1, "null"])
def test_nothing_is_coerced(value: Any) -> None:
    assert set(wrong_with({"name": "x", "sure": value})) == {"/sure"}


def test_a_hostile_name_is_cut_and_printable() -> None:
    (where,) = wrong_with({"name": "x", "\x1b[31m/~" + "a" * 500: 1})

    assert where.startswith("/\\u001b[31m~1~0aaa")
    assert len(where) < 80


def test_numbers_of_a_query_are_read() -> None:
    assert read_query([("limit", "7")], ListQuery) == ListQuery(limit=7)


@pytest.mark.parametrize("limit", ["", "0", "201", "7.5", "x", "1" * 30])
def test_a_number_that_is_none_is_refused(limit: str) -> None:
    with pytest.raises(ManyRefused) as refused:
        read_query([("limit", limit)], ListQuery)
    assert [violation.where for violation in refused.value.violations] == ["?limit"]

"""Mending a value: JSON Patch as RFC 6902 has it, on a copy, and what changed in words."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from interlock.cases.mend import apply_patch, changes, read_set
from interlock.errors import InterlockError, Refused

VALUE: dict[str, Any] = {"a": 1, "list": [1, 2, 3], "o": {"x/y": 1, "m~n": 2}, "n": None}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/b", "value": 2}, {"b": 2}),
        ({"op": "add", "path": "/a", "value": [2]}, {"a": [2]}),
        ({"op": "add", "path": "/list/1", "value": 9}, {"list": [1, 9, 2, 3]}),
        ({"op": "add", "path": "/list/-", "value": 9}, {"list": [1, 2, 3, 9]}),
        ({"op": "add", "path": "/list/3", "value": 9}, {"list": [1, 2, 3, 9]}),
        ({"op": "replace", "path": "/list/1", "value": 9}, {"list": [1, 9, 3]}),
        ({"op": "replace", "path": "/n", "value": 0}, {"n": 0}),
        ({"op": "replace", "path": "/o/x~1y", "value": 5}, {"o": {"x/y": 5, "m~n": 2}}),
        ({"op": "remove", "path": "/list/0"}, {"list": [2, 3]}),
        ({"op": "remove", "path": "/o/m~0n"}, {"o": {"x/y": 1}}),
        ({"op": "copy", "from": "/list/0", "path": "/o/z"}, {"o": {"x/y": 1, "m~n": 2, "z": 1}}),
        ({"op": "test", "path": "/list", "value": [1, 2, 3]}, {}),
        (read_set("/a", "31.00"), {"a": "31.00"}),
    ],
)
def test_an_operation_changes_a_copy(operation: dict[str, Any], expected: dict[str, Any]) -> None:
    before = copy.deepcopy(VALUE)
    assert apply_patch(VALUE, [operation]) == VALUE | expected
    assert before == VALUE


def test_a_value_moves() -> None:
    moved = apply_patch(
        VALUE, [{"op": "move", "from": "/list/2", "path": "/list/0"}, {"op": "move", "from": "/a", "path": "/b"}]
    )
    assert moved["list"] == [3, 1, 2]
    assert "a" not in moved
    assert moved["b"] == 1
    assert apply_patch(VALUE, [{"op": "replace", "path": "", "value": 7}]) == 7


def test_what_is_added_is_not_shared() -> None:
    patch: list[dict[str, Any]] = [{"op": "add", "path": "/b", "value": {}}, {"op": "add", "path": "/b/c", "value": 1}]
    assert apply_patch({}, patch) == {"b": {"c": 1}}
    assert patch[0]["value"] == {}


@pytest.mark.parametrize(
    ("patch", "what"),
    [
        ({}, "a list of operations"),
        ([7], "is no operation"),
        ([{"op": "put", "path": "/a", "value": 1}], "is no operation"),
        ([{"op": ["add"], "path": "/a", "value": 1}], "is no operation"),
        ([{"op": "add", "path": "/a"}], "add takes"),
        ([{"op": "remove", "path": "/a", "value": 1}], "remove takes"),
        ([{"op": "add", "path": "a", "value": 1}], "no JSON Pointer"),
        ([{"op": "add", "path": 7, "value": 1}], "no JSON Pointer"),
        ([{"op": "add", "path": "/z/y", "value": 1}], "there is no"),
        ([{"op": "add", "path": "/a/y", "value": 1}], "no place for"),
        ([{"op": "replace", "path": "/z", "value": 1}], "there is no"),
        ([{"op": "remove", "path": "/z"}], "there is no"),
        ([{"op": "remove", "path": ""}], "cannot be removed"),
        ([{"op": "remove", "path": "/list/3"}], "no position"),
        ([{"op": "remove", "path": "/list/-"}], "no position"),
        ([{"op": "remove", "path": "/list/01"}], "no position"),
        ([{"op": "remove", "path": "/list/\u0661"}], "no position"),
        ([{"op": "remove", "path": "/list/99999999999999999999"}], "no position"),
        ([{"op": "add", "path": "/list/4", "value": 1}], "no position"),
        ([{"op": "move", "from": "/o", "path": "/o/x"}], "into itself"),
        ([{"op": "test", "path": "/a", "value": 1.5}], "another value"),
        ([{"op": "test", "path": "/a", "value": True}], "another value"),
        ([{"op": "remove", "path": "/a"}] * 101, "more than 100"),
    ],
)
def test_what_does_not_fit_is_refused(patch: Any, what: str) -> None:
    with pytest.raises(Refused, match=what):
        apply_patch(VALUE, patch)


def test_copies_of_copies_stay_within_bounds() -> None:
    doubling = [{"op": "copy", "from": "/list", "path": "/list/-"}] * 60
    with pytest.raises(InterlockError):
        apply_patch({"list": ["x" * 1000]}, doubling)
    wide = [{"op": "copy", "from": "", "path": f"/n{number}"} for number in range(60)]
    with pytest.raises(InterlockError):
        apply_patch({"a": "x" * 1000}, wide)


def test_changes_are_told_place_by_place() -> None:
    after = apply_patch(
        VALUE,
        [
            {"op": "replace", "path": "/list/1", "value": "2"},
            {"op": "remove", "path": "/o/x~1y"},
            {"op": "add", "path": "/new", "value": {"deep": 1}},
            {"op": "add", "path": "/a", "value": True},
        ],
    )
    assert [tuple(change) for change in changes(VALUE, after)] == [
        ("/a", "1", "true"),
        ("/list/1", "2", '"2"'),
        ("/o/x~1y", "1", "nothing"),
        ("/new", "nothing", "an object of 1 field"),
    ]
    assert changes(VALUE, copy.deepcopy(VALUE)) == []
    assert len(changes({}, {str(number): number for number in range(1000)})) == 100
    assert changes({"a": [1]}, {"a": [1, 2]})[0].after == "an array of 2 items"

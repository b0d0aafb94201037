"""The strict door: what is let in, and how each refusal is told."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from interlock.contracts.door import read_json
from interlock.errors import MalformedJson

WIDE = b"1" * 64


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": [1, -2.5, true, false, null, ""]}', {"a": [1, -2.5, True, False, None, ""]}),
        (b'"\\u00e9\\n\\ud83d\\ude00"', "é\n😀"),
        ('{"咖啡": "مطعم"}'.encode(), {"咖啡": "مطعم"}),
        (b" \r\n\t[ ] ", []),
        (WIDE, int(WIDE)),
        (b'["[[[[", "}{", ":"]', ["[[[[", "}{", ":"]),
        (b'{"a": {"a": {"a": 1}}, "b": {"a": 2}}', {"a": {"a": {"a": 1}}, "b": {"a": 2}}),
        (b"1e308", 1e308),
        (b"-0.0", 0.0),
    ],
)
def test_json_comes_in_as_it_is(data: bytes, value: Any) -> None:
    assert read_json(data) == value
    assert json.loads(data) == value


@pytest.mark.parametrize(
    ("data", "where", "what"),
    [
        (b"", "line 1, column 1", "not JSON"),
        (b"hello", "line 1, column 1", "not JSON"),
        (b'{"a": 1,}', "line 1, column 9", "not JSON"),
        (b'{\n  "a": 1\n  "b": 2\n}', "line 3, column 3", "delimiter"),
        (b"[1] [2]", "line 1, column 5", "extra data"),
        (b'"a\nb"', "line 1, column 3", "control character"),
        (b'"a\0b"', "line 1, column 3", "control character"),
        (b'["\xff"]', "line 1, column 3", "byte 0xff is not UTF-8"),
        (b'["\xed\xa0\x80"]', "line 1, column 3", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "line 1, column 1", "byte-order mark"),
        (b'{"a": "x\\u0000y"}', "/a", "NUL"),
        (b'{"b": {"x\\u0000": 1}}', "/b", "the key"),
        (b'{"a": ["\\ud800"]}', "/a/0", "surrogate"),
        (b'{"\\udc00": 1}', "", "surrogate"),
        (b'{"a": 1, "a": 2}', "/a", 'the key "a" stands twice'),
        (b'{"x": [0, {"b": 1, "c": 2, "b": 1}]}', "/x/1/b", "stands twice"),
        (b'{"a": "\\"", "a": 2}', "/a", "stands twice"),
        (b'{"a": 1, "\\u0061": 2}', "/a", "stands twice"),
        (b'{"a": NaN}', "/a", "NaN is no number"),
        (b'{"a": [-Infinity]}', "/a/0", "-Infinity is no number"),
        (b'{"a": 1e400}', "/a", "1e400 is no number"),
        (b'{"a": 1e-400}', "/a", "1e-400 is no number"),
        (b'{"a": ' + WIDE + b"1}", "/a", "no number that can be held"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "/a", "no number that can be held"),
        (b'{"a": 0.' + WIDE + b"}", "/a", "no number that can be held"),
        (b"[" * 65 + b"]" * 65, "", "more than 64 deep"),
        (b'{"a":[' * 33 + b"]}" * 33, "", "more than 64 deep"),
        (b"[" * 500_000, "", "more than 64 deep"),
        (b'["\\n",' + b"[" * 64 + b"]" * 65, "", "more than 64 deep"),
    ],
)
def test_each_refusal_names_the_place(data: bytes, where: str, what: str) -> None:
    with pytest.raises(MalformedJson) as caught:
        read_json(data)
    assert caught.value.where == where
    assert what in caught.value.what
    assert caught.value.todo


def test_the_bounds_are_exact() -> None:
    assert read_json(b"[" * 64 + b"]" * 64)
    assert read_json(b'{"a":[' * 32 + b"]}" * 32)
    assert read_json(b'"' + b"x" * 8 + b'"', max_bytes=10) == "x" * 8
    with pytest.raises(MalformedJson, match="11 bytes, more than 10"):
        read_json(b'"' + b"x" * 9 + b'"', max_bytes=11 - 1)
    assert read_json(b"[[1]]", max_depth=2) == [[1]]
    with pytest.raises(MalformedJson, match="more than 2 deep"):
        read_json(b"[[[1]]]", max_depth=2)


def test_brackets_in_strings_hide_no_depth() -> None:
    # Were strings counted, "]" would seem to close what is still open.
    with pytest.raises(MalformedJson, match="more than 4 deep"):
        read_json(b'["]",["]",["]",["]",["]"]]]]]', max_depth=4)


@pytest.mark.parametrize("escape", [b"", b'"\\n",'])
def test_a_flood_of_duplicate_keys_costs_little(escape: bytes) -> None:
    data = b"[" + escape + b"{" + b",".join(b'"k%d":1' % place for place in range(100_000)) + b',"k99999":2}]'
    start = time.perf_counter()
    with pytest.raises(MalformedJson, match="stands twice"):
        read_json(data)
    assert time.perf_counter() - start < 3


def test_a_hostile_key_is_told_safely() -> None:
    key = "\u202e\x1b[2J" + "x" * 500
    with pytest.raises(MalformedJson) as caught:
        read_json(json.dumps({key: 1})[:-1].encode() + b"," + json.dumps({key: 2})[1:].encode())
    assert str(caught.value).replace("\n", "").isprintable()
    assert len(str(caught.value)) < 400

"""Canonical JSON against RFC 8785's own examples."""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any

import pytest

from interlock.contracts import canonical, digest
from interlock.errors import MalformedJson


def test_the_example_of_rfc_8785() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '€$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert canonical(value).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        # RFC 8785, appendix B.
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_floats_are_written_as_ecmascript_does(bits: str, text: str) -> None:
    value = struct.unpack(">d", bytes.fromhex(bits))[0]
    assert canonical(value).decode() == text
    assert canonical({"a": [value, "x\\"]}).decode() == f'{{"a":[{text},"x\\\\"]}}'


def test_fields_are_sorted_by_utf_16() -> None:
    # RFC 8785, section 3.2.3: the surrogates of an astral character sort before U+FB33.
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    written = canonical(dict.fromkeys(names, 0)).decode()
    order = ["\\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert written == "{" + ",".join(f'"{name}":0' for name in order) + "}"


def test_whole_numbers_keep_their_digits() -> None:
    assert canonical({"b": 12345678901234567890123, "a": -1}) == b'{"a":-1,"b":12345678901234567890123}'


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"a": [float("nan")]}, "/a/0"),
        ({"a": float("inf")}, "/a"),
        ({"a": "\ud800"}, "/a"),
        ({"\udfff": 1}, ""),
        ({"a": Decimal(1)}, "/a"),
        ({"a": {1, 2}}, "/a"),
        ({"a": {1: 2, "b": 3}}, "/a"),
        ({"a": 10**5000}, "/a"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(value: Any, where: str) -> None:
    with pytest.raises(MalformedJson) as caught:
        canonical(value)
    assert caught.value.where == where
    assert caught.value.todo


def test_a_circle_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(MalformedJson, match="deep"):
        canonical(circle)


def test_a_digest_is_sha_256() -> None:
    assert digest(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

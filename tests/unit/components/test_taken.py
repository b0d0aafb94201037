"""An answer is taken as our own: plain, nobody else's, and already as it will be recorded; anything else is none."""

from __future__ import annotations

import sys
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec
import numpy as np
import pytest

from interlock.components.component import Answer, ComponentRef, FiredRule
from interlock.components.taken import take_answer
from interlock.errors import ComponentFailed
from interlock.usage import Usage

REF = ComponentRef.parse("onnx:m@1")


class Word(StrEnum):
    """A text that is a member, too."""

    FINE = "fine"


class Count(int):
    """A number that is more than one."""


class Rude(Exception):
    """Raises where it is read."""

    def __str__(self) -> str:
        """No words."""
        raise RuntimeError("never")


class Odd:
    """Raises where it is shown."""

    def __repr__(self) -> str:
        """No words."""
        raise Rude


def answer(**changes: Any) -> Answer:
    known: dict[str, Any] = {"output": {"a": 1}, "confidence": 0.5, **changes}
    return Answer(**known)


def test_what_the_component_changes_later_is_not_what_was_taken() -> None:
    output: dict[str, Any] = {"lines": [{"n": 1}], "flat": "x"}
    evidence: dict[str, Any] = {"places": [1]}
    cells = {"amount": "> 5"}
    fired = FiredRule(table="t", row=1, cells=cells)
    taken = take_answer(answer(output=output, evidence=evidence, fired=(fired,)), REF)
    output["lines"][0]["n"] = 2
    output["flat"] = "y"
    evidence["places"].append(2)
    cells["amount"] = "> 500"
    assert taken.output == {"lines": [{"n": 1}], "flat": "x"}
    assert taken.output_json == b'{"flat":"x","lines":[{"n":1}]}'
    assert (taken.evidence, taken.evidence_json) == ({"places": [1]}, b'{"places":[1]}')
    assert taken.fired[0].cells == {"amount": "> 5"}
    flat: dict[str, Any] = {"a": 1}
    taken = take_answer(answer(output=flat), REF)
    flat["a"] = 2
    assert taken.output == {"a": 1}


def test_a_copy_of_it_shares_nothing_with_it() -> None:
    taken = take_answer(answer(output={"a": {"b": 1}}, evidence={"c": [1]}), REF)
    copy = taken.copy()
    copy.output["a"]["b"] = 2
    copy.evidence["c"].append(2)
    assert (taken.output, taken.evidence) == ({"a": {"b": 1}}, {"c": [1]})


def test_a_subclass_of_a_plain_type_becomes_that_type() -> None:
    given = {"text": np.str_("t"), "number": np.float64(0.25), "word": Word.FINE, "count": Count(3), "pair": (1, True)}
    taken = take_answer(answer(output={np.str_("k"): given}, evidence=given, confidence=np.float64(0.97)), REF)
    plain = {"text": "t", "number": 0.25, "word": "fine", "count": 3, "pair": [1, True]}
    assert taken.output == {"k": plain}
    assert [type(item) for item in taken.output["k"].values()] == [str, float, str, int, list]
    assert {type(name) for name in taken.output} == {str}
    assert msgspec.json.decode(taken.evidence_json) == plain
    assert (taken.confidence, type(taken.confidence)) == (0.97, float)
    assert type(take_answer(answer(confidence=1), REF).confidence) is float


def endless() -> dict[str, Any]:
    """An object within itself."""
    one: dict[str, Any] = {}
    one["a"] = [one]
    return one


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"output": {"a": "\ud800"}}, "surrogate"),
        ({"output": {"\udfff": 1}}, "surrogate"),
        ({"evidence": {"a": ["\ud800"]}}, "surrogate"),
        ({"output": {"a": float("nan")}}, "gave nan"),
        ({"evidence": {"a": {"b": [float("-inf")]}}}, "gave -inf"),
        ({"evidence": {"a": np.float64("nan")}}, "gave nan"),
        ({"output": {"a": np.int64(1)}}, "int64, which is no JSON"),
        ({"evidence": {"a": np.bool_(1)}}, "bool, which is no JSON"),
        ({"evidence": {"a": Decimal(1)}}, "Decimal, which is no JSON"),
        ({"evidence": {"a": b"x"}}, "bytes, which is no JSON"),
        ({"evidence": {1: 2}}, "the key 1"),
        ({"evidence": {Odd(): 2}}, "RuntimeError|Rude"),
        ({"evidence": None}, "NoneType as evidence"),
        ({"output": [1]}, "list as output"),
        ({"output": endless()}, "nested"),
        ({"output": {"a": 10 ** (sys.get_int_max_str_digits() + 1)}}, "cannot be recorded"),
        ({"confidence": np.float32(0.5)}, "not a number from 0 to 1"),
        ({"confidence": Decimal("0.5")}, "not a number from 0 to 1"),
        ({"confidence": np.float64("nan")}, "not a number from 0 to 1"),
        ({"confidence": None}, "not a number from 0 to 1"),
        ({"fired": ("row 1",)}, "cannot be recorded"),
        ({"fired": None}, "cannot be recorded"),
        ({"fired": (FiredRule(table="t", row=1, cells={"a": 5}),)}, "cannot be recorded"),  # pyright: ignore[reportArgumentType]
        ({"fired": (FiredRule(table="\ud800", row=1, cells={}),)}, "surrogate"),
        ({"cost": 0.5}, "no amount"),
        ({"cost": Decimal("NaN")}, "no amount"),
        ({"cost": Decimal(-1)}, "no amount"),
        ({"cost": Decimal("1e9")}, "no amount"),
        ({"cost": Decimal("1e140000")}, "no amount"),
        ({"cost": Decimal("1e-19")}, "more than 18 decimals"),
        ({"cost": Decimal("1e-20000")}, "more than 18 decimals"),
        ({"usage": {"input": 5}}, "no counts"),
        ({"usage": Usage(input=-1)}, "no counts"),
        ({"usage": Usage(output=2**63)}, "no counts"),
        ({"usage": Usage(requests=1.5)}, "no counts"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_what_cannot_be_recorded_is_no_answer(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(ComponentFailed, match=what) as failed:
        take_answer(answer(**changes), REF)
    failed.value.what.encode()


def test_the_greatest_and_the_finest_cost_are_taken() -> None:
    for cost in ("999999999.999999999999999999", "0.000000000000000001", "0"):
        assert take_answer(answer(cost=Decimal(cost)), REF).cost == Decimal(cost)

"""Rules between fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from interlock.contracts import Contract, check

Describe = Callable[..., Contract]

PROPERTIES = """\
- {name: low, logicalType: integer}
- {name: high, logicalType: integer}
- {name: paid, logicalType: number, physicalType: "decimal(8,2)"}
- {name: due, logicalType: number, physicalType: "decimal(8,2)"}
- {name: start, logicalType: timestamp}
- {name: end, logicalType: timestamp}
- {name: words, logicalType: array, items: {logicalType: string}}
- {name: boxes, logicalType: array, items: {logicalType: integer}}
- name: lines
  logicalType: array
  items:
    logicalType: object
    properties:
      - {name: no, logicalType: number, physicalType: "decimal(8,2)"}
      - {name: from, logicalType: date}
      - {name: to, logicalType: date}
    quality:
      - {name: line-days, type: custom, engine: interlock, implementation: {lessOrEqual: [from, to]}}
- name: pairs
  logicalType: array
  items:
    logicalType: array
    logicalTypeOptions: {minItems: 2}
    items: {logicalType: integer}
    quality:
      - {name: pair-order, description: mend the pair, type: custom, engine: interlock, implementation: {less: [0, 1]}}
"""
QUALITY = """\
- {name: span, type: custom, engine: interlock, implementation: {less: [low, high]}}
- {name: amounts, type: custom, engine: interlock, implementation: {equal: [paid, due]}}
- {name: period, type: custom, engine: interlock, implementation: {lessOrEqual: [start, end]}}
- {name: lengths, type: custom, engine: interlock, implementation: {sameLength: [words, boxes]}}
- {name: both, type: custom, engine: interlock, implementation: {requires: [end, start]}}
- {name: numbers, type: custom, engine: interlock, implementation: {uniqueBy: [lines, no]}}
"""


@pytest.mark.parametrize(
    ("value", "broken"),
    [
        ({}, []),
        ({"low": 1, "high": 2}, []),
        ({"low": 1}, []),
        ({"low": 1, "high": None}, []),
        ({"low": 2, "high": 2}, [("", "span")]),
        # Exact values are compared as what they stand for, not as text.
        ({"paid": "9.50", "due": "9.5"}, []),
        ({"paid": "9.50", "due": "9.51"}, [("", "amounts")]),
        ({"start": "2020-01-01T02:00:00+02:00", "end": "2020-01-01T00:00:00Z"}, []),
        ({"start": "2020-01-01T00:00:00Z", "end": "2020-01-01T00:30:00+01:00"}, [("", "period")]),
        ({"end": "2020-01-01T00:00:00Z"}, [("", "both")]),
        ({"start": "2020-01-01T00:00:00Z"}, []),
        ({"words": ["a"], "boxes": [1]}, []),
        ({"words": ["a"], "boxes": []}, [("", "lengths")]),
        ({"words": ["a"], "boxes": None}, []),
        ({"lines": [{"no": "1"}, {"no": "2"}, {}, {}]}, []),
        ({"lines": [{"no": "1"}, {"no": "2"}, {"no": "1.00"}]}, [("", "numbers")]),
        (
            {"lines": [{"from": "2020-01-02", "to": "2020-01-02"}, {"from": "2020-01-02", "to": "2020-01-01"}]},
            [("/lines/1", "line-days")],
        ),
        ({"pairs": [[1, 2], [2, 2, 9], [3, 1]]}, [("/pairs/1", "pair-order"), ("/pairs/2", "pair-order")]),
        ({"pairs": [], "lines": []}, []),
        # A rule says nothing about what is wrong already, and still speaks where the fault does not touch it.
        ({"low": "2", "high": 2, "words": ["a"], "boxes": []}, [("/low", "type"), ("", "lengths")]),
        ({"words": [1], "boxes": []}, [("/words/0", "type"), ("", "lengths")]),
        ({"words": 1, "boxes": []}, [("/words", "type")]),
        ({"pairs": [[2, "1"], [2, 1]]}, [("/pairs/0/1", "type")]),
        ({"pairs": [[2]]}, [("/pairs/0", "minItems")]),
    ],
)
def test_rules(describe: Describe, value: dict[str, Any], broken: list[tuple[str, str]]) -> None:
    contract = describe(PROPERTIES, quality=QUALITY)
    assert [(violation.where, violation.rule) for violation in check(contract, value)] == broken


def test_what_a_rule_says(describe: Describe) -> None:
    contract = describe(PROPERTIES, quality=QUALITY)
    (pair,) = check(contract, {"pairs": [[3, 1]]})
    assert pair.what == "item 0, 3, does not come before item 1, 1"
    assert pair.todo == "mend the pair"
    (amounts,) = check(contract, {"paid": "1", "due": "2"})
    assert amounts.what == 'paid, "1", is not due, "2"'
    (lengths,) = check(contract, {"words": ["a"], "boxes": []})
    assert lengths.what == "the lengths differ: words has 1, boxes has 0"
    (numbers,) = check(contract, {"lines": [{"no": "1"}, {"no": "1.0"}]})
    assert numbers.what == 'items 0 and 1 of lines have the same no, "1.0"'
    (both,) = check(contract, {"end": "2020-01-01T00:00:00Z"})
    assert both.what == "end is given without start"


@pytest.mark.parametrize("name", ["less", "lessOrEqual", "equal"])
def test_positions_of_numbers_compare_alike_on_the_quick_way(describe: Describe, name: str) -> None:
    contract = describe(
        f"""\
- name: pairs
  logicalType: array
  items:
    logicalType: array
    logicalTypeOptions: {{minItems: 2}}
    items: {{logicalType: number}}
    quality:
      - {{type: custom, engine: interlock, implementation: {{{name}: [0, 1]}}}}
"""
    )
    holds = {"less": [[1, 2]], "lessOrEqual": [[1, 2], [1, 1.0]], "equal": [[1, 1.0]]}[name]
    for pair in ([1, 2], [1, 1.0], [2.5, 1]):
        assert (check(contract, {"pairs": [pair]}) == ()) is (pair in holds)

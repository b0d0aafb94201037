"""Which rows of a decision table a value lets through, looked up instead of tested row by row. Pure.

Sets of rows are whole numbers: bit ``n`` stands for row ``n``. A column whose cells compare its value with literals
only behaves alike for all values between two neighbouring literals; so each of its tests is run once, when the table is
loaded, on every literal and on one value between each two.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from itertools import count
from typing import Any

from interlock.components.compiled import fixed, is_fixed
from interlock.components.tree import Binary, Current, Listed, Node, Not, Range, Value, walk

RowSet = int
Test = Callable[[Any], bool]
Lookup = Callable[[Any], RowSet]

_WIDE = Context(prec=80)
_MOST_TESTS = 200_000
"""Tests that are run for one column, some 0.2 us each; columns that need more are tested row by row."""


@dataclass(frozen=True, slots=True)
class ColumnTest:
    """The tests of one column.

    Attributes:
        by_row: For each row that asks for something the place of its test.
        tests: Each text's test, once: whether it holds for a value.
        literals: Every literal that they compare the value with.
    """

    by_row: Mapping[int, int]
    tests: Sequence[Test]
    literals: frozenset[Decimal | str | bool]


def asks_literals_only(node: Node) -> bool:  # noqa: PLR0911 - one case for each kind of node
    """Whether a cell's test, which was checked, compares ``$`` with literals and asks for nothing else."""
    match node:
        case Current():
            return True
        case Not():
            return asks_literals_only(node.operand)
        case Binary(operator="and" | "or"):
            return asks_literals_only(node.left) and asks_literals_only(node.right)
        case Binary(operator="==" | "!=" | "<" | "<=" | ">" | ">=", left=Current()):
            return is_fixed(node.right)
        case Binary(operator="in" | "not in", left=Current(), right=Range()):
            return True
        case Binary(operator="in" | "not in", left=Current(), right=Listed(items=items)):
            return all(map(is_fixed, items))
        case _:
            return False


def literals(node: Node) -> Iterable[Decimal | str | bool]:
    """The literals in a node; of a negative number both signs, which costs a test and saves a case."""
    for part in walk(node):
        if isinstance(part, Value):
            value = fixed(part)
            yield value
            if isinstance(value, Decimal):
                yield -value


def row_lookup(column: ColumnTest, rows: int) -> Lookup | None:
    """The rows that a column lets through, by its value; None if that would take too long to prepare.

    Args:
        column: Tests that ``asks_literals_only``, and their literals, all of one type.
        rows: How many rows the table has.
    """
    if len(column.tests) * 2 * len(column.literals) > _MOST_TESTS:
        return None
    numbers = sorted(literal for literal in column.literals if isinstance(literal, Decimal))
    if numbers:
        return _numbers(numbers, column, rows)
    if any(isinstance(literal, str) for literal in column.literals):
        unnamed = next(text for text in map(str, count()) if text not in column.literals)
        named = {literal: _let_through(literal, column, rows) for literal in column.literals}
        return _texts(named, _let_through(unnamed, column, rows))
    return {literal: _let_through(literal, column, rows) for literal in (True, False)}.__getitem__


def _let_through(value: Any, column: ColumnTest, rows: int) -> RowSet:
    holds = [test(value) for test in column.tests]
    found = 0
    for row in range(rows):
        place = column.by_row.get(row)
        if place is None or holds[place]:
            found |= 1 << row
    return found


def _numbers(numbers: Sequence[Decimal], column: ColumnTest, rows: int) -> Lookup:
    samples = [_WIDE.subtract(numbers[0], Decimal(1))]
    for low, high in zip(numbers, [*numbers[1:], None], strict=True):
        between = _WIDE.add(low, Decimal(1)) if high is None else _WIDE.divide(_WIDE.add(low, high), Decimal(2))
        samples += [low, between]
    sets = [_let_through(sample, column, rows) for sample in samples]
    ends = len(numbers)

    def lookup(value: Decimal) -> RowSet:
        place = bisect_left(numbers, value)
        return sets[2 * place + 1 if place < ends and numbers[place] == value else 2 * place]

    return lookup


def _texts(named: Mapping[Any, RowSet], unnamed: RowSet) -> Lookup:
    def lookup(value: str) -> RowSet:
        return named.get(value, unnamed)

    return lookup

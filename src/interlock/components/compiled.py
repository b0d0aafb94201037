"""Checked expressions as functions: read and typed once, then run on the slots of one evaluation. Pure.

Only trees that ``checking`` has typed are compiled; so no function looks at the type of what it is given. What the
engine does differently from Python (text outside ASCII in ``upper``, sums of more than 28 digits) raises ``Beyond`` or
``decimal.DecimalException``, and whoever runs the function asks the engine instead.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from interlock.components.arithmetic import (
    Beyond,
    add,
    ceil,
    divider,
    floor,
    greatest,
    least,
    multiply,
    rounder,
    subtract,
    total,
)
from interlock.components.facts import fact_text
from interlock.components.tree import (
    Binary,
    Call,
    Choice,
    Column,
    Current,
    Listed,
    Name,
    Negative,
    Node,
    Not,
    Range,
    Value,
)

Slots = list[Any]
"""The values of one evaluation: a Decimal, text, a boolean, or for collected rows a list of mappings by column."""
Run = Callable[[Slots], Any]
Scope = Mapping[str, int]
"""The slot in which each variable lies."""

_WHITE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""Unicode's White_Space, which the engine trims; Python would also take U+001C to U+001F."""


def compiled(node: Node, scope: Scope, current: int | None = None) -> Run:  # noqa: C901, PLR0911, PLR0912 - a case each
    """The function that computes a node.

    Args:
        node: A tree that was checked in a scope of the same names.
        scope: Where each variable lies.
        current: Where the value lies that ``$`` stands for, in a cell.

    Raises:
        Beyond: it holds what is not computed here.
    """
    match node:
        case Value() | Negative(operand=Value()):
            return _constant(fixed(node))
        case Name():
            return operator.itemgetter(scope[".".join(node.path)])
        case Current() if current is not None:
            return operator.itemgetter(current)
        case Not():
            inner = compiled(node.operand, scope, current)
            return lambda slots: not inner(slots)
        case Negative():
            inner = compiled(node.operand, scope, current)
            return lambda slots: inner(slots).copy_negate()
        case Binary(operator="in" | "not in"):
            return _membership(node, scope, current)
        case Binary(operator="/"):
            divide, dividend = divider(fixed(node.right)), compiled(node.left, scope, current)
            return lambda slots: divide(dividend(slots))
        case Binary():
            return _joined(node.operator, compiled(node.left, scope, current), compiled(node.right, scope, current))
        case Choice():
            test, then = compiled(node.test, scope, current), compiled(node.then, scope, current)
            otherwise = compiled(node.otherwise, scope, current)
            return lambda slots: then(slots) if test(slots) else otherwise(slots)
        case Call():
            return _call(node, scope, current)
        case Column():
            rows, column = scope[".".join(node.rows.path)], node.column
            return lambda slots: [row[column] for row in slots[rows]]
        case Listed():
            items = [compiled(item, scope, current) for item in node.items]
            return lambda slots: [item(slots) for item in items]
        case _:
            raise Beyond


def fixed(node: Node) -> Any:
    """The value of a literal, a sign before it included.

    Raises:
        Beyond: it is none.
    """
    match node:
        case Value(value=Decimal() | str() | bool()):
            return node.value
        case Negative():
            return fixed(node.operand).copy_negate()
        case _:
            raise Beyond


def is_fixed(node: Node) -> bool:
    """Whether a node is a literal."""
    return isinstance(node, Value) or (isinstance(node, Negative) and isinstance(node.operand, Value))


def _constant(value: Decimal | str | bool) -> Run:  # noqa: FBT001 - a value of any type
    return lambda _slots: value


def _joined(symbol: str, left: Run, right: Run) -> Run:
    if symbol == "and":
        return lambda slots: left(slots) and right(slots)
    if symbol == "or":
        return lambda slots: left(slots) or right(slots)
    function = _OPERATORS[symbol]
    return lambda slots: function(left(slots), right(slots))


def _plus(one: Any, other: Any) -> Any:
    return one + other if isinstance(one, str) else add(one, other)


_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": _plus,
    "-": subtract,
    "*": multiply,
}


def _membership(node: Binary, scope: Scope, current: int | None) -> Run:
    left, right = compiled(node.left, scope, current), node.right
    if isinstance(right, Range):
        inside = _in_range(left, right)
    elif isinstance(right, Listed) and all(map(is_fixed, right.items)):
        inside = _in_fixed(left, frozenset(map(fixed, right.items)))
    else:
        inside = _in_list(left, compiled(right, scope, current))
    return inside if node.operator == "in" else lambda slots: not inside(slots)


def _in_range(left: Run, bounds: Range) -> Run:
    low, high = fixed(bounds.low), fixed(bounds.high)
    above = operator.ge if bounds.has_low else operator.gt
    below = operator.le if bounds.has_high else operator.lt

    def inside(slots: Slots) -> bool:
        value = left(slots)
        return above(value, low) and below(value, high)

    return inside


def _in_fixed(left: Run, members: frozenset[Any]) -> Run:
    return lambda slots: left(slots) in members


def _in_list(left: Run, right: Run) -> Run:
    return lambda slots: left(slots) in right(slots)


def _call(node: Call, scope: Scope, current: int | None) -> Run:
    first = compiled(node.arguments[0], scope, current)
    if node.function == "round":
        function: Callable[[Any], Any] = rounder(int(fixed(node.arguments[1])))
    elif node.function in _TEXT_TESTS:
        test, second = _TEXT_TESTS[node.function], compiled(node.arguments[1], scope, current)
        return lambda slots: test(first(slots), second(slots))
    else:
        function = _FUNCTIONS[node.function]
    return lambda slots: function(first(slots))


def _upper(text: str) -> str:
    if not text.isascii():
        # Its tables and ours may be of two versions of Unicode.
        raise Beyond
    return text.upper()


def _lower(text: str) -> str:
    if not text.isascii():
        raise Beyond
    return text.lower()


def _trim(text: str) -> str:
    return text.strip(_WHITE)


def _length(items: list[Any]) -> Decimal:
    return Decimal(len(items))


_TEXT_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": operator.contains,
}
_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "abs": Decimal.copy_abs,
    "floor": floor,
    "ceil": ceil,
    "sum": total,
    "min": least,
    "max": greatest,
    "len": _length,
    "upper": _upper,
    "lower": _lower,
    "trim": _trim,
    "string": fact_text,
}

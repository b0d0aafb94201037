"""A checked condition as one function of the facts: its types are settled once, nothing is looked up twice. Pure.

How a side is read depends on what stands beside it (``"31.00"`` beside a number is that amount), and that is known when
the file is loaded. What a fact turns out to be is checked at each decision: a fact that is missing or of another type
raises, so that a person decides.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from interlock.components.checking import FieldType, constant
from interlock.components.facts import fact_reader
from interlock.components.tree import Binary, Call, Listed, Name, Negative, Node, Not, Range, Value
from interlock.contracts.contract import Shape
from interlock.contracts.exact import read_exact
from interlock.errors import ComponentFailed
from interlock.money import Money

ShapeOf = Callable[[tuple[str, ...]], Shape | None]


def unknown_shape(_path: tuple[str, ...]) -> Shape | None:
    """No contract is known."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a condition may ask about.

    Attributes:
        input: What the decision was asked.
        output: What was answered.
        confidence: How sure the answer is, from 0 to 1.
        exposure: The money at stake; None if it is unknown.
        findings: The codes of what the checks found.
        shape: What the contracts say that stands at a path such as ``("input", "total")``, or in the list there; None
            where no contract says so.
    """

    input: Mapping[str, Any]
    output: Mapping[str, Any]
    confidence: float
    exposure: Money | None
    findings: tuple[str, ...]
    shape: ShapeOf = unknown_shape


Holds = Callable[[Facts], bool]
Read = Callable[[Facts], Any]
Compare = Callable[[Any, Any], bool]

_COMPARE: Mapping[str, Compare] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TEXT_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": operator.contains,
}


def condition_program(node: Node) -> Holds:  # noqa: PLR0911 - one case for each kind of node
    """The function that says whether a condition holds.

    Args:
        node: A condition that ``condition_check`` has passed.

    Returns:
        It raises ComponentFailed where that cannot be said.
    """
    match node:
        case Not():
            inner = condition_program(node.operand)
            return lambda facts: not inner(facts)
        case Binary(operator="and"):
            left, right = condition_program(node.left), condition_program(node.right)
            return lambda facts: left(facts) and right(facts)
        case Binary(operator="or"):
            left, right = condition_program(node.left), condition_program(node.right)
            return lambda facts: left(facts) or right(facts)
        case Binary(operator="in" | "not in"):
            inside = _membership(node)
            return inside if node.operator == "in" else lambda facts: not inside(facts)
        case Binary():
            return _comparison(_COMPARE[node.operator], node)
        case Call():
            test, text, wanted = _TEXT_TESTS[node.function], _text(node.arguments[0]), _text(node.arguments[1])
            return lambda facts: test(text(facts), wanted(facts))
        case _:
            return _boolean(node)


def _comparison(compare: Compare, node: Binary) -> Holds:
    """Both sides in one type: that of the side that is no field; ordered fields are numbers."""
    left, right = node.left, node.right
    known = [kind for kind in map(_known_kind, (left, right)) if kind is not None]
    if Money in known:
        return _amounts(compare, left, right)
    if compare not in (operator.eq, operator.ne) or Decimal in known:
        # A side that is no field is read first: it fails for its own sake.
        is_field_first = _known_kind(left) is None and _known_kind(right) is not None
        return _pair(compare, _number(left), _number(right), right_first=is_field_first)
    if bool in known:
        return _pair(compare, _boolean(left), _boolean(right))
    if str in known:
        return _pair(compare, _text(left), _text(right))
    return _alike(compare, left, right)


def _known_kind(node: Node) -> type | None:
    """The type of a side that is no field."""
    if isinstance(node, Value):
        return type(node.value)
    if isinstance(node, Name):
        return {"exposure": Money, "input": None, "output": None}.get(node.path[0], Decimal)
    return Decimal


def _pair(compare: Compare, left: Read, right: Read, *, right_first: bool = False) -> Holds:
    if right_first:

        def holds(facts: Facts) -> bool:
            other = right(facts)
            return compare(left(facts), other)

        return holds
    return lambda facts: compare(left(facts), right(facts))


def _alike(compare: Compare, left: Node, right: Node) -> Holds:
    """Two fields: both of text, or both true or false, or both numbers."""
    raw_left, raw_right = _raw(left), _raw(right)
    numbers, same = (_number(left), _number(right)), _same_text(left, right)
    wanted = compare is operator.eq

    def holds(facts: Facts) -> bool:
        one, other = raw_left(facts), raw_right(facts)
        if isinstance(one, bool) and isinstance(other, bool):
            return compare(one, other)
        if isinstance(one, str) and isinstance(other, str):
            return same(facts, one, other) is wanted
        return compare(numbers[0](facts), numbers[1](facts))

    return holds


def _same_text(left: Node, right: Node) -> Callable[[Facts, str, str], bool]:
    """Whether the texts of two fields are the same: exact decimals by their value, everything else as it is written.

    What they are their contracts say. Where these say nothing of either, texts that both are written as decimals are
    decimals; the number of a customer, which may begin with zeros, is then none.
    """
    one_path, other_path = (node.path if isinstance(node, Name) else () for node in (left, right))
    if not {*one_path[:1], *other_path[:1]} <= {"input", "output"} or not one_path or not other_path:
        return lambda _facts, one, other: one == other

    def same(facts: Facts, one: str, other: str) -> bool:
        if one == other:
            return True
        number = read_exact(Shape.DECIMAL, one)
        if number is None or number != read_exact(Shape.DECIMAL, other):
            return False
        shapes = {facts.shape(one_path), facts.shape(other_path)}
        return Shape.DECIMAL in shapes or shapes == {None}

    return same


def _amounts(compare: Compare, left: Node, right: Node) -> Holds:
    one, other = _amount(left), _amount(right)

    def holds(facts: Facts) -> bool:
        first, second = one(facts), other(facts)
        if first.currency != second.currency:
            raise ComponentFailed(
                f"{first} is compared with {second}", todo="state the amount in the exposure's currency"
            )
        return compare(first.amount, second.amount)

    return holds


def _amount(node: Node) -> Callable[[Facts], Money]:
    if isinstance(node, Value):
        amount = cast("Money", node.value)
        return lambda _facts: amount
    return _exposure


def _exposure(facts: Facts) -> Money:
    if facts.exposure is None:
        raise ComponentFailed("the exposure is unknown", where="/exposure", todo="pass it, or say where it stands")
    if facts.exposure.amount < 0:  # it would stay below every bound, as if next to nothing were at stake
        raise ComponentFailed(f"the exposure {facts.exposure} is below zero", where="/exposure")
    return facts.exposure


def _membership(node: Binary) -> Holds:
    right = node.right
    if isinstance(right, Listed):
        tests = [_comparison(operator.eq, Binary(item.at, "==", node.left, item)) for item in right.items]
        return lambda facts: any(test(facts) for test in tests)
    if isinstance(right, Range):
        return _in_range(_number(node.left), right)
    text, members, same = _text(node.left), _texts(right), _same_text(node.left, right)

    def holds(facts: Facts) -> bool:
        wanted, found = text(facts), members(facts)
        return wanted in found or any(same(facts, wanted, cast("str", one)) for one in found)

    return holds


def _in_range(number: Read, bounds: Range) -> Holds:
    low, high = cast("Decimal", constant(bounds.low)), cast("Decimal", constant(bounds.high))
    above = operator.ge if bounds.has_low else operator.gt
    below = operator.le if bounds.has_high else operator.lt

    def holds(facts: Facts) -> bool:
        value = number(facts)
        return above(value, low) and below(value, high)

    return holds


def _boolean(node: Node) -> Read:
    raw = _raw(node)

    def read(facts: Facts) -> bool:
        value = raw(facts)
        if value is True or value is False:
            return value
        raise _unusable(node, value, "true or false")

    return read


def _text(node: Node) -> Read:
    raw = _raw(node)

    def read(facts: Facts) -> str:
        value = raw(facts)
        if isinstance(value, str):
            return value
        raise _unusable(node, value, "text")

    return _fixed(node) or read


def _number(node: Node) -> Read:
    raw, exact = _raw(node), fact_reader(_called(node), FieldType.DECIMAL)
    if not isinstance(node, Name):
        return raw

    def read(facts: Facts) -> Any:
        value = raw(facts)
        if isinstance(value, float):
            if not math.isfinite(value):
                raise _unusable(node, value, "a finite number")
            return Decimal(repr(value))
        return exact(value)

    return read


def _texts(node: Node) -> Read:
    items = _items(node)

    def read(facts: Facts) -> tuple[object, ...] | list[object]:
        found = items(facts)
        for item in found:
            if not isinstance(item, str):
                raise _unusable(node, tuple(found), "a list of text")
        return found

    return read


def _items(node: Node) -> Read:
    raw = _raw(node)

    def read(facts: Facts) -> tuple[object, ...] | list[object]:
        value = raw(facts)
        if isinstance(value, (list, tuple)):
            return cast("list[object]", value)
        raise _unusable(node, value, "a list")

    return read


def _fixed(node: Node) -> Read | None:
    if not isinstance(node, Value):
        return None
    value = node.value
    return lambda _facts: value


def _raw(node: Node) -> Read:
    match node:
        case Value():
            value = node.value
            return lambda _facts: value
        case Negative():
            number = constant(node)
            return lambda _facts: number
        case Call():
            items = _items(node.arguments[0])
            return lambda facts: Decimal(len(items(facts)))
        case Name():
            return _fact(node.path)
        case _:
            raise ComponentFailed(f"{type(node).__name__} has no value")


def _fact(path: tuple[str, ...]) -> Read:
    root, *rest = path
    if not rest:
        return lambda facts: _present(getattr(facts, root), path, 1)
    first, *deeper = rest

    def read(facts: Facts) -> Any:
        value = getattr(facts, root).get(first)
        if value is None:
            raise _absent(path, 2)
        return value

    if not deeper:
        return read

    def read_deeper(facts: Facts) -> Any:
        value = read(facts)
        for depth, name in enumerate(deeper, 3):
            value = cast("Mapping[str, Any]", value).get(name) if isinstance(value, Mapping) else None
            _present(value, path, depth)
        return value

    return read_deeper


def _present(value: Any, path: tuple[str, ...], depth: int) -> Any:
    if value is None:
        raise _absent(path, depth)
    return value


def _absent(path: tuple[str, ...], depth: int) -> ComponentFailed:
    missing = path[:depth]
    return ComponentFailed(f"there is no {'.'.join(missing)}", where=f"/{'/'.join(missing)}")


def _called(node: Node) -> str:
    return ".".join(node.path) if isinstance(node, Name) else type(node).__name__.lower()


def _unusable(node: Node, value: object, wanted: str) -> ComponentFailed:
    return ComponentFailed(f"{_called(node)} is {str(value)[:60]!r} ({type(value).__name__}), not {wanted}")

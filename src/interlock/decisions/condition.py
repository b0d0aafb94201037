"""The conditions in a workflow's file, such as ``exposure >= 100 MYR``: when a person decides, when the answer is no.

A condition is checked when the file is loaded: one that could never hold is refused, since its author believes that it
guards something. What shows only at a decision (a missing field, another currency) raises, and the caller makes a
review of it; an error never means that the condition does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

from interlock.components.checking import FieldType
from interlock.components.facts import read_fact
from interlock.components.syntax import Parser
from interlock.components.tree import Binary, Call, Listed, Misread, Name, Negative, Node, Not, Range, Value
from interlock.decisions.condition_check import Reader, never
from interlock.errors import ComponentFailed, RulesInvalid, Violation
from interlock.money import Money

Compared = Decimal | str | bool | Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a condition may ask about.

    Attributes:
        input: What the decision was asked.
        output: What was answered.
        confidence: How sure the answer is, from 0 to 1.
        exposure: The money at stake; None if it is unknown.
        findings: The codes of what the checks found.
    """

    input: Mapping[str, Any]
    output: Mapping[str, Any]
    confidence: float
    exposure: Money | None
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was checked; ``compile_condition`` makes one.

    Attributes:
        text: As it stands in the file.
    """

    text: str
    _tree: Node = field(repr=False, compare=False)

    def holds(self, facts: Facts) -> bool:
        """Whether it holds. ``and`` and ``or`` look at their right side only if the left one leaves it open.

        Raises:
            ComponentFailed: that cannot be said: a field is missing, null, of another type, or the exposure is unknown
                or in another currency. The caller lets a person decide.
        """
        try:
            return _Evaluation(facts).holds(self._tree)
        except ComponentFailed as cause:
            raise ComponentFailed(
                f"the condition {self.text!r} cannot be decided: {cause.what}",
                where=cause.where,
                todo=cause.todo or "let a person decide, and mend the condition or its data",
            ) from cause


def compile_condition(text: str, known: Mapping[str, AbstractSet[str]] | None = None) -> Condition:
    """Read and check a condition (the language is in docs/reference/conditions.md).

    Args:
        text: The condition.
        known: The names that stand in ``input`` and ``output``, where they are known, so that a wrong one is refused.

    Raises:
        RulesInvalid: it cannot be read, its types do not fit, or it could never hold; ``where`` is the character's
            number, from 1.
    """
    try:
        return Condition(text, _checked(text, known or {}))
    except Misread as cause:
        violation = Violation(where=f"character {cause.at + 1}", what=cause.what, rule="condition", todo=cause.todo)
        raise RulesInvalid(f"{text[:200]!r} is no usable condition", (violation,)) from cause


def _checked(text: str, known: Mapping[str, AbstractSet[str]]) -> Node:
    tree = Parser(text, money=True).expression()
    reader = Reader(known)
    reader.condition(tree)
    # A second time, now that it is known what each field is held to be: "input.a == input.b and input.a == 'x'".
    reader.condition(tree)
    impossible = never(tree)
    if impossible is not None:
        raise Misread("this could never hold", impossible.at, "check its operators and bounds together")
    return tree


@dataclass(frozen=True, slots=True)
class _Evaluation:
    facts: Facts

    def holds(self, node: Node) -> bool:  # noqa: PLR0911 - one case for each kind of node
        match node:
            case Not():
                return not self.holds(node.operand)
            case Binary(operator="and"):
                return self.holds(node.left) and self.holds(node.right)
            case Binary(operator="or"):
                return self.holds(node.left) or self.holds(node.right)
            case Binary(operator="in" | "not in"):
                return self._is_in(node) == (node.operator == "in")
            case Binary():
                return self._compare(node)
            case Call():
                return self._text_test(node)
            case _:
                return self._boolean(node)

    def _boolean(self, node: Node) -> bool:
        value = self._raw(node)
        if not isinstance(value, bool):
            raise _unusable(node, value, "true or false")
        return value

    def _text(self, node: Node) -> str:
        value = self._raw(node)
        if not isinstance(value, str):
            raise _unusable(node, value, "text")
        return value

    def _number(self, node: Node) -> Decimal:
        value = self._raw(node)
        if isinstance(value, float):
            if not math.isfinite(value):
                raise _unusable(node, value, "a finite number")
            return Decimal(repr(value))
        if isinstance(value, Decimal) and not isinstance(node, Name):
            return value
        return cast("Decimal", read_fact(_called(node), value, FieldType.DECIMAL))

    def _compare(self, node: Binary) -> bool:
        left, right = self._sides(node)
        if node.operator == "==":
            return left == right
        if node.operator == "!=":
            return left != right
        one, other = cast("Decimal", left), cast("Decimal", right)
        return {"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[node.operator]

    def _sides(self, node: Binary) -> tuple[Compared, Compared]:
        """Both sides in one type: that of the side that is no field; ordered fields are numbers."""
        sides = (node.left, node.right)
        known = [value for value in map(self._known, sides) if value is not None]
        if any(isinstance(value, Money) for value in known):
            return self._amount(node.left, node.right), self._amount(node.right, node.left)
        if node.operator not in ("==", "!=") or any(isinstance(value, Decimal) for value in known):
            return self._number(node.left), self._number(node.right)
        if any(isinstance(value, bool) for value in known):
            return self._boolean(node.left), self._boolean(node.right)
        if any(isinstance(value, str) for value in known):
            return self._text(node.left), self._text(node.right)
        return self._alike(node)

    def _known(self, node: Node) -> Compared | None:
        """A side's value if it is no field; its type then decides how a field beside it is read."""
        if isinstance(node, Value):
            return node.value
        is_field = isinstance(node, Name) and node.path[0] in ("input", "output")
        if isinstance(node, Name) and node.path[0] == "exposure":
            return self._exposure()
        return None if is_field else self._number(node)

    def _alike(self, node: Binary) -> tuple[Compared, Compared]:
        """Two fields: both of text, or both true or false, or both numbers."""
        left, right = self._raw(node.left), self._raw(node.right)
        for kind in (bool, str):
            if isinstance(left, kind) and isinstance(right, kind):
                return left, right
        return self._number(node.left), self._number(node.right)

    def _amount(self, node: Node, other: Node) -> Money:
        amount = self._known(node)
        against = self._known(other)
        if not isinstance(amount, Money) or not isinstance(against, Money) or amount.currency != against.currency:
            raise ComponentFailed(
                f"{amount} is compared with {against}", todo="state the amount in the exposure's currency"
            )
        return amount

    def _exposure(self) -> Money:
        if self.facts.exposure is None:
            raise ComponentFailed("the exposure is unknown", where="/exposure", todo="pass it, or say where it stands")
        return self.facts.exposure

    def _is_in(self, node: Binary) -> bool:
        right = node.right
        if isinstance(right, Listed):
            return any(self._compare(Binary(item.at, "==", node.left, item)) for item in right.items)
        if isinstance(right, Range):
            number, low, high = self._number(node.left), self._number(right.low), self._number(right.high)
            above = low <= number if right.has_low else low < number
            return above and (number <= high if right.has_high else number < high)
        return self._text(node.left) in self._list(right)

    def _list(self, node: Node) -> tuple[str, ...]:
        items = self._items(node)
        if not all(isinstance(item, str) for item in items):
            raise _unusable(node, items, "a list of text")
        return cast("tuple[str, ...]", items)

    def _items(self, node: Node) -> tuple[object, ...]:
        value = self._raw(node)
        if not isinstance(value, (list, tuple)):
            raise _unusable(node, value, "a list")
        return tuple(cast("list[object]", value))

    def _text_test(self, node: Call) -> bool:
        text, wanted = (self._text(argument) for argument in node.arguments)
        if node.function == "contains":
            return wanted in text
        return text.startswith(wanted) if node.function == "startsWith" else text.endswith(wanted)

    def _raw(self, node: Node) -> Any:
        match node:
            case Value():
                return node.value
            case Negative():
                return -self._number(node.operand)
            case Call():
                return Decimal(len(self._items(node.arguments[0])))
            case Name():
                return self._fact(node)
            case _:
                raise ComponentFailed(f"{type(node).__name__} has no value")

    def _fact(self, node: Name) -> Any:
        value: Any = self.facts
        for depth, name in enumerate(node.path):
            if depth == 0:
                value = getattr(value, name)
            elif isinstance(value, Mapping) and name in value:
                value = cast("Mapping[str, Any]", value)[name]
            else:
                value = None
            if value is None:
                missing = "/".join(node.path[: depth + 1])
                raise ComponentFailed(f"there is no {missing.replace('/', '.')}", where=f"/{missing}")
        return value


def _called(node: Node) -> str:
    return ".".join(node.path) if isinstance(node, Name) else type(node).__name__.lower()


def _unusable(node: Node, value: object, wanted: str) -> ComponentFailed:
    return ComponentFailed(f"{_called(node)} is {str(value)[:60]!r} ({type(value).__name__}), not {wanted}")

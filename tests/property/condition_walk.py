"""The meaning of a condition, written as plainly as can be: its tree is walked, and every type looked at, each time."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from interlock.components.checking import FieldType
from interlock.components.facts import read_fact
from interlock.components.tree import Binary, Call, Listed, Name, Negative, Node, Not, Range, Value
from interlock.decisions.condition import Facts
from interlock.errors import ComponentFailed
from interlock.money import Money

Compared = Decimal | str | bool | Money


@dataclass(frozen=True, slots=True)
class Walk:
    """One evaluation, from the root down."""

    facts: Facts

    def holds(self, node: Node) -> bool:  # noqa: PLR0911 - one case for each kind of node
        """Whether a node holds."""
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
        return cast("Decimal", read_fact(called(node), value, FieldType.DECIMAL))

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
        """Two fields: both of text, or both true or false, or both numbers; nothing is known of their contracts."""
        left, right = self._raw(node.left), self._raw(node.right)
        if isinstance(left, bool) and isinstance(right, bool):
            return left, right
        if isinstance(left, str) and isinstance(right, str):
            return _as_decimals(left, right) or (left, right)
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
        if self.facts.exposure.minor < 0:
            raise ComponentFailed(f"the exposure {self.facts.exposure} is below zero", where="/exposure")
        return self.facts.exposure

    def _is_in(self, node: Binary) -> bool:
        right = node.right
        if isinstance(right, Listed):
            return any(self._compare(Binary(item.at, "==", node.left, item)) for item in right.items)
        if isinstance(right, Range):
            number, low, high = self._number(node.left), self._number(right.low), self._number(right.high)
            above = low <= number if right.has_low else low < number
            return above and (number <= high if right.has_high else number < high)
        text, items = self._text(node.left), self._list(right)
        fields = all(isinstance(side, Name) and side.path[0] != "findings" for side in (node.left, right))
        return any(_same(text, item) if fields else text == item for item in items)

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


def _as_decimals(left: str, right: str) -> tuple[Decimal, Decimal] | None:
    """Both as exact decimals, where both are written as our JSON writes them: no zeros before, no sign on zero."""
    form = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?"
    if not all(re.fullmatch(form, one) and not re.fullmatch(r"-[0.]+", one) for one in (left, right)):
        return None
    return Decimal(left), Decimal(right)


def _same(left: str, right: str) -> bool:
    one, other = _as_decimals(left, right) or (left, right)
    return one == other


def called(node: Node) -> str:
    return ".".join(node.path) if isinstance(node, Name) else type(node).__name__.lower()


def _unusable(node: Node, value: object, wanted: str) -> ComponentFailed:
    return ComponentFailed(f"{called(node)} is {str(value)[:60]!r} ({type(value).__name__}), not {wanted}")

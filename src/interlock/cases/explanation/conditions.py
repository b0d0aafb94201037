"""A condition of a workflow's file in words that need no knowledge of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from interlock.cases.explanation.saying import Labels, human, plain_value
from interlock.components.syntax import Parser
from interlock.components.tree import Binary, Misread, Name, Node, Value
from interlock.decisions.counterfactual.change import Part
from interlock.money import Money

_COMPARED: Mapping[str, str] = {
    ">=": "is {} or more",
    ">": "is more than {}",
    "<": "is less than {}",
    "<=": "is {} or less",
    "==": "is {}",
    "!=": "is not {}",
}


def plain_condition(text: str, labels: Labels) -> str:
    """What a condition asks, in a sentence; empty where it is no plain comparison of one field with one value.

    Conditions on the confidence are among the latter: how sure a model must be is nobody's business outside.

    Args:
        text: The condition.
        labels: What fields are called.
    """
    try:
        node = Parser(text, money=True).expression()
    except Misread:
        return ""
    parts = [_compared(one, labels) for one in _joined(node)]
    if not all(parts):
        return ""
    told = " and ".join(parts)
    return f"A rule of the organisation asks for this where {told}."


def _joined(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Binary) and node.operator == "and":
        return *_joined(node.left), *_joined(node.right)
    return (node,)


def _compared(node: Node, labels: Labels) -> str:
    if not isinstance(node, Binary) or not isinstance(node.left, Name) or not isinstance(node.right, Value):
        return ""
    form, name, value = _COMPARED.get(node.operator), _named(node.left.path, labels), node.right.value
    if not form or not name or isinstance(value, str):  # a text that something is compared with may name somebody else
        return ""
    return f"{name} {form.format(_value(value))}"


def _named(path: tuple[str, ...], labels: Labels) -> str:
    if path[0] == "exposure":
        return "the amount"
    if path[0] not in ("input", "output") or len(path) < 2:  # noqa: PLR2004 - a root and a name in it
        return ""
    name = ".".join(path[1:])
    return f"“{labels.get((Part(path[0]), name)) or human(name)}”"


def _value(value: Decimal | bool | Money) -> str:  # noqa: FBT001 - a value of any type
    return str(value) if isinstance(value, (Money, Decimal)) else plain_value(value)

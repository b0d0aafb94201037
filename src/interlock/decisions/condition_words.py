"""A condition in words, for lists: ``exposure >= 100 MYR`` is "At stake: at least 100.00 MYR". Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

from interlock.components.component import FiredRule
from interlock.components.syntax import Parser
from interlock.components.tree import Binary, Misread, Name, Node, Not, Value
from interlock.decisions.decision import Reason

_CONDITION = "condition"
_HOLDS = " holds"
_COMPARED: Mapping[str, str] = MappingProxyType(
    {"==": "", "!=": "not ", "<": "below ", "<=": "at most ", ">": "above ", ">=": "at least "}
)


def line_of_reason(reasons: Sequence[Reason], fired: Sequence[FiredRule]) -> str:
    """Why something came to a person, in one sentence.

    A condition of the workflow's file is told by the sentence of the rule that answered, where its row has one, and
    else in words; any other reason is a sentence already.

    Args:
        reasons: Every reason, the first one first; none: an empty text.
        fired: The rows of the table that proposed the answer.
    """
    if not reasons:
        return ""
    first = reasons[0]
    if first.code != _CONDITION or not first.what.endswith(_HOLDS):
        return first.what
    notes = [one.note for one in fired if one.note]
    return notes[-1] if notes else say_condition(first.what.removesuffix(_HOLDS))


def say_condition(text: str) -> str:
    """A condition in words; one that compares more than names and values stays as it is written."""
    try:
        said = _said(Parser(text, money=True).expression())
    except Misread:
        return text
    return said[:1].upper() + said[1:] if said else text


def _said(node: Node) -> str:
    match node:
        case Binary(operator="and" | "or" as joined, left=left, right=right):
            sides = _said(left), _said(right)
            return f" {joined} ".join(sides) if all(sides) else ""
        case Binary(operator="in", left=Value(value=str(found)), right=Name(path=("findings",))):
            return f"the checks found: {_words(found)}"
        case Binary(operator=operator, left=Name(path=path), right=Value(value=value)) if operator in _COMPARED:
            return f"{_name(path)}: {_COMPARED[operator]}{_value(value)}"
        case Not(operand=Name(path=path)):
            return f"{_name(path)}: no"
        case Name(path=path):
            return f"{_name(path)}: yes"
        case _:
            return ""


def _name(path: tuple[str, ...]) -> str:
    return "at stake" if path == ("exposure",) else _words(path[-1])


def _value(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return f"{value:f}"
        case _:
            return str(value)


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")

"""The tree that an expression is read into: every node keeps its place in the text. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from interlock.money import Money

Operator = Literal["or", "and", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "+", "-", "*", "/"]


class Misread(Exception):
    """A text is no expression, or not one that could ever hold.

    Attributes:
        what: What is wrong.
        at: The character's number, from 0.
        todo: What to do.
    """

    def __init__(self, what: str, at: int, todo: str) -> None:
        super().__init__(what)
        self.what = what
        self.at = at
        self.todo = todo


@dataclass(frozen=True, slots=True)
class Value:
    """A number, a string, true or false, or an amount of money, as written."""

    at: int
    value: Decimal | str | bool | Money


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, or a path into one: ``output.refer``."""

    at: int
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Current:
    """``$``: the value of the column that a cell stands in."""

    at: int


@dataclass(frozen=True, slots=True)
class Not:
    """``not`` of what follows."""

    at: int
    operand: Node


@dataclass(frozen=True, slots=True)
class Negative:
    """A sign before a number or a name."""

    at: int
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """Two sides and what stands between them; ``at`` is the operator's place."""

    at: int
    operator: Operator
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Choice:
    """``test ? then : otherwise``."""

    at: int
    test: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Call:
    """A function and what it is applied to."""

    at: int
    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """``map(rows, #.points)``: one column of the rows that a table collected."""

    at: int
    rows: Name
    column: str


@dataclass(frozen=True, slots=True)
class Listed:
    """``[a, b]``."""

    at: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """``[low..high]``; a round bracket leaves its bound out."""

    at: int
    low: Node
    high: Node
    has_low: bool
    has_high: bool


Node = Value | Name | Current | Not | Negative | Binary | Choice | Call | Column | Listed | Range


def children(node: Node) -> tuple[Node, ...]:  # noqa: PLR0911 - one case for each kind of node
    """What a node is made of, from left to right."""
    match node:
        case Not() | Negative():
            return (node.operand,)
        case Binary():
            return (node.left, node.right)
        case Choice():
            return (node.test, node.then, node.otherwise)
        case Call():
            return node.arguments
        case Listed():
            return node.items
        case Range():
            return (node.low, node.high)
        case Column():
            return (node.rows,)
        case Value() | Name() | Current():
            return ()


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    for child in children(node):
        yield from walk(child)

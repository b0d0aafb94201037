"""What can be said of a condition before any decision is taken: its types, and whether it could ever hold. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from interlock.components.checking import FieldType, Shape, constant
from interlock.components.regions import Numbers, Values, intersection, values_of
from interlock.components.tree import (
    Binary,
    Call,
    Current,
    Listed,
    Misread,
    Name,
    Negative,
    Node,
    Not,
    Operator,
    Range,
    Value,
    walk,
)
from interlock.money import Money
from interlock.spelling import meant

ROOTS = ("confidence", "exposure", "findings", "input", "output")
TEXT_TESTS = ("startsWith", "endsWith", "contains")
_MOST_BOXES = 500
_MIRRORED: Mapping[Operator, Operator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


class Kind(StrEnum):
    """What a part of a condition is; a field of the input or output has the type of what it is compared with."""

    MONEY = "an amount of money"
    NUMBER = "a number"
    TEXT = "text"
    BOOLEAN = "true or false"
    FINDINGS = "the list of findings"
    FIELD = "a field"


@dataclass(frozen=True, slots=True)
class Reader:
    """Checks one condition.

    Attributes:
        known: By root (``input``, ``output``) the names that stand there; a root that is absent may hold any.
        fields: For each field what it was first compared with, and is therefore held to be.
        currencies: The currencies of the amounts so far.
    """

    known: Mapping[str, AbstractSet[str]]
    fields: dict[tuple[str, ...], Kind] = field(default_factory=dict[tuple[str, ...], Kind])
    currencies: set[str] = field(default_factory=set[str])

    def condition(self, node: Node) -> None:
        """Hold a node to be true or false.

        Raises:
            Misread: it is neither, or could never hold.
        """
        match node:
            case Not():
                self.condition(node.operand)
            case Binary(operator="and" | "or"):
                self.condition(node.left)
                self.condition(node.right)
            case Binary(operator="in" | "not in"):
                self._membership(node)
            case Binary():
                self._comparison(node)
            case Name():
                self._held_as(node, Kind.BOOLEAN)
            case Call() if node.function in TEXT_TESTS:
                self._text_test(node)
            case _:
                raise Misread("this is no condition", node.at, "compare something: confidence < 0.9")

    def _comparison(self, node: Binary) -> None:
        if node.operator in ("+", "-", "*", "/"):
            raise Misread(
                "a condition does not compute", node.at, "compute it in the rules and compare the output's field"
            )
        left, right = self._kind(node.left), self._kind(node.right)
        if not any(isinstance(part, Name) for side in (node.left, node.right) for part in walk(side)):
            raise Misread("this is the same for every decision", node.at, f"compare one of {', '.join(ROOTS)}")
        if Kind.MONEY in (left, right) and left is not right:
            other = node.right if left is Kind.MONEY else node.left
            raise Misread(
                f"an amount of money is compared with {right if left is Kind.MONEY else left}",
                other.at,
                "write an amount with its currency, as in exposure >= 100 MYR",
            )
        if Kind.FINDINGS in (left, right):
            raise Misread("a list is compared", node.at, "write 'code' in findings, or len(findings) > 0")
        self._confidence(node)
        ordered = node.operator not in ("==", "!=")
        for side, other in ((node.left, right), (node.right, left)):
            if isinstance(side, Name) and self._kind(side) is Kind.FIELD:
                self._held_as(side, Kind.NUMBER if ordered else other)
        if ordered and not {left, right} <= {Kind.MONEY, Kind.NUMBER, Kind.FIELD}:
            raise Misread(f"{node.operator} compares numbers and amounts", node.at, "use == or in")
        if left is not right and Kind.FIELD not in (left, right):
            raise Misread(f"{left} never equals {right}", node.at, "compare things of one kind")

    def _confidence(self, node: Binary) -> None:
        """A bound for the confidence outside 0 to 1 is a percentage or a slip: it would always hold, or never."""
        for side, other in ((node.left, node.right), (node.right, node.left)):
            bound = constant(other)
            if isinstance(side, Name) and side.path == ("confidence",) and bound is not None and not 0 <= bound <= 1:
                raise Misread(f"confidence is from 0 to 1, not {bound}", other.at, "write 0.9 for 90 percent")

    def _membership(self, node: Binary) -> None:
        left, right = self._kind(node.left), node.right
        if isinstance(right, Range):
            if left not in (Kind.NUMBER, Kind.FIELD) or constant(right.low) is None or constant(right.high) is None:
                raise Misread("a range is of plain numbers", right.at, "write confidence in [0.5..0.9]; amounts with <")
            self._held_as(node.left, Kind.NUMBER)
        elif isinstance(right, Listed):
            for item in right.items:
                self._comparison(Binary(item.at, "==", node.left, item))
        elif isinstance(right, Name) and self._kind(right) in (Kind.FINDINGS, Kind.FIELD):
            if left not in (Kind.TEXT, Kind.FIELD):
                raise Misread(f"{left} is never in a list of text", node.left.at, "write 'code' in findings")
        else:
            raise Misread("after in stands no list", right.at, "write 'code' in findings")

    def _text_test(self, node: Call) -> None:
        if len(node.arguments) != 2:  # noqa: PLR2004 - the text and what is looked for in it
            raise Misread(
                f"{node.function} takes two arguments", node.at, f"write {node.function}(output.note, 'text')"
            )
        for argument in node.arguments:
            if self._kind(argument) not in (Kind.TEXT, Kind.FIELD):
                raise Misread(f"{node.function} takes text", argument.at, "name a field that holds text")
            self._held_as(argument, Kind.TEXT)

    def _kind(self, node: Node) -> Kind:  # noqa: PLR0911 - one case for each kind of node
        match node:
            case Value(value=Money() as amount):
                self.currencies.add(amount.currency)
                if len(self.currencies) > 1:
                    raise Misread(
                        f"amounts in {' and '.join(sorted(self.currencies))}", node.at, "exposure is in one currency"
                    )
                return Kind.MONEY
            case Value(value=bool()):
                return Kind.BOOLEAN
            case Value(value=str()):
                return Kind.TEXT
            case Value():
                return Kind.NUMBER
            case Negative() if constant(node) is not None:
                return Kind.NUMBER
            case Name():
                return self._root(node)
            case Call(function="len", arguments=(Name() as counted,)):
                if self._root(counted) not in (Kind.FINDINGS, Kind.FIELD):
                    raise Misread("len counts the items of a list", counted.at, "write len(findings)")
                return Kind.NUMBER
            case _:
                raise Misread("this cannot be compared", node.at, "compare a name with a value; compute in the rules")

    def _root(self, node: Name) -> Kind:
        root, *rest = node.path
        if root not in ROOTS:
            raise Misread(f"{'.'.join(node.path)!r} is unknown", node.at, meant(root, ROOTS))
        if root in ("input", "output"):
            if not rest:
                raise Misread(f"{root} is more than one value", node.at, f"name a field, as in {root}.total")
            names = self.known.get(root)
            if names is not None and rest[0] not in names:
                raise Misread(f"{root} has no field {rest[0]!r}", node.at, meant(rest[0], names))
            return self.fields.get(node.path, Kind.FIELD)
        if rest:
            raise Misread(f"{root} has no fields", node.at, f"write {root}")
        return {"confidence": Kind.NUMBER, "exposure": Kind.MONEY, "findings": Kind.FINDINGS}[root]

    def _held_as(self, node: Node, kind: Kind) -> None:
        found = self._kind(node)
        if found is Kind.FIELD and isinstance(node, Name) and kind is not Kind.FIELD:
            self.fields[node.path] = kind
        elif Kind.FIELD not in (found, kind) and found is not kind:
            raise Misread(f"this is {found} and {kind} at once", node.at, "compare it with values of one kind")


Box = Mapping[tuple[str, ...], Values]


def never(node: Node) -> Node | None:
    """The part of a condition that no decision could fulfil, the whole or one side of an ``or``; None if none is."""
    parts = [node, *_alternatives(node, positive=True)]
    return next((part for part in parts if _boxes(part, positive=True) == ()), None)


def _alternatives(node: Node, *, positive: bool) -> Iterator[Node]:
    match node:
        case Not():
            yield from _alternatives(node.operand, positive=not positive)
        case Binary(operator="and" | "or"):
            if node.operator == "or" and positive:
                yield from (node.left, node.right)
            yield from _alternatives(node.left, positive=positive)
            yield from _alternatives(node.right, positive=positive)
        case _:
            return


def _boxes(node: Node, *, positive: bool) -> tuple[Box, ...] | None:
    """The values for which a condition holds (or not), as alternatives; None if they are too many to be counted."""
    if isinstance(node, Not):
        return _boxes(node.operand, positive=not positive)
    if not isinstance(node, Binary) or node.operator not in ("and", "or"):
        return _atom(node, positive=positive)
    left, right = _boxes(node.left, positive=positive), _boxes(node.right, positive=positive)
    if left is None or right is None:
        return None
    found = (*left, *right) if (node.operator == "or") == positive else _both(left, right)
    return found if len(found) <= _MOST_BOXES else None


def _both(left: tuple[Box, ...], right: tuple[Box, ...]) -> tuple[Box, ...]:
    joined: list[Box] = []
    for one in left:
        for other in right:
            shared = {path: intersection(one[path], other[path]) for path in one.keys() & other.keys()}
            if all(shared.values()):
                joined.append({**one, **other, **shared})
    return tuple(joined)


def _atom(node: Node, *, positive: bool) -> tuple[Box, ...]:
    """One comparison of a name with values; whatever else is asked may hold or not."""
    if isinstance(node, Name):
        node = Binary(node.at, "==", node, Value(node.at, value=True))
    if not isinstance(node, Binary):
        return ({},)
    if isinstance(node.right, (Name, Call)) and node.operator in _MIRRORED:
        node = Binary(node.at, _MIRRORED[node.operator], node.right, node.left)
    path = _dimension(node.left)
    right, shape = _without_currency(node.right), _shape(node.right)
    values = None if shape is None else values_of(replace(node, left=Current(node.at), right=right), shape)
    if path is None or values is None:
        return ({},)
    values = values if positive else values.complement()
    possible = _POSSIBLE.get(path[0])
    if possible is not None and isinstance(values, Numbers):
        values = intersection(values, possible)
    return ({path: values},) if values else ()


def _dimension(node: Node) -> tuple[str, ...] | None:
    if isinstance(node, Call) and node.function == "len" and isinstance(node.arguments[0], Name):
        return ("len", *node.arguments[0].path)
    return node.path if isinstance(node, Name) else None


_POSSIBLE: Mapping[str, Values] = {
    "confidence": Numbers.of([((Decimal(0), 0), (Decimal(1), 1))], whole=False),
    "len": Numbers.of([((Decimal(0), 0), (Decimal("Infinity"), 1))], whole=False),
}
"""What no decision can leave: a confidence is from 0 to 1, and no list has fewer than no items."""


def _without_currency(node: Node) -> Node:
    if isinstance(node, Value) and isinstance(node.value, Money):
        return Value(node.at, node.value.amount)
    if isinstance(node, Listed):
        return Listed(node.at, tuple(_without_currency(item) for item in node.items))
    return node


def _shape(node: Node) -> Shape | None:
    """The type that a name must have to be compared with a node; None if that has no fixed value."""
    if isinstance(node, Listed):
        return _shape(node.items[0])
    if isinstance(node, Range) or constant(_without_currency(node)) is not None:
        return Shape(FieldType.DECIMAL)
    if isinstance(node, Value):
        return Shape(FieldType.BOOLEAN if isinstance(node.value, bool) else FieldType.STRING)
    return None

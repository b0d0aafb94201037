"""The types of expressions: whatever could fail or never hold for want of a type is refused before it runs. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from interlock.components.tree import (
    Binary,
    Call,
    Choice,
    Column,
    Current,
    Listed,
    Misread,
    Name,
    Negative,
    Node,
    Not,
    Range,
    Value,
)
from interlock.money import Money
from interlock.spelling import meant


class FieldType(StrEnum):
    """What a variable, a column or an output holds."""

    STRING = "string"
    DECIMAL = "decimal"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE = "date"
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Shape:
    """What an expression gives.

    Attributes:
        type: Its type; a number is a decimal unless it is surely whole.
        listed: Whether it is a list of such.
        values: For a string that is one of a few: which; None where any may come.
        columns: For rows: the shape of each column.
    """

    type: FieldType
    listed: bool = False
    values: frozenset[str] | None = None
    columns: tuple[tuple[str, Shape], ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether it is one number."""
        return self.type in (FieldType.DECIMAL, FieldType.INTEGER) and not self.listed

    def __str__(self) -> str:
        return f"a list of {self.type} values" if self.listed else str(self.type)


Scope = Mapping[str, Shape]
"""The variables that an expression may use."""

_STRING = Shape(FieldType.STRING)
_DECIMAL = Shape(FieldType.DECIMAL)
_INTEGER = Shape(FieldType.INTEGER)
_BOOLEAN = Shape(FieldType.BOOLEAN)
_STRING_FUNCTIONS = {"upper": _STRING, "lower": _STRING, "trim": _STRING}
_STRING_TESTS = ("startsWith", "endsWith", "contains")
_NUMBER_FUNCTIONS = {"abs": _DECIMAL, "floor": _INTEGER, "ceil": _INTEGER}
_OVER_LISTS = ("sum", "min", "max")
FUNCTIONS = frozenset({*_STRING_FUNCTIONS, *_STRING_TESTS, *_NUMBER_FUNCTIONS, *_OVER_LISTS, "len", "round", "string"})
"""The engine's functions that we accept. Its ``len`` of a string counts bytes, so ours is for lists."""
_MOST_PLACES = 9


@dataclass(frozen=True, slots=True)
class Checker:
    """Finds the shape of expressions in one scope.

    Attributes:
        scope: The variables by name.
        current: What ``$`` stands for, in a cell.
        total: Refuse what could fail on some input (arithmetic). The cells of tables are checked so: the engine skips
            a row whose cell fails, and the next row answers as if nothing had happened.
    """

    scope: Scope
    current: Shape | None = None
    total: bool = False

    def shape(self, node: Node) -> Shape:  # noqa: C901, PLR0911 - one case for each kind of node
        """What a node gives.

        Raises:
            Misread: an unknown name or function, types that do not fit, or a comparison that could never hold.
        """
        match node:
            case Value():
                return _of_value(node)
            case Name():
                return self._name(node)
            case Current():
                return self._column_value(node)
            case Not():
                self._expect(node.operand, FieldType.BOOLEAN, "not applies to true or false")
                return _BOOLEAN
            case Negative():
                if not isinstance(node.operand, Value):
                    self._refuse_arithmetic(node)
                return replace(self._number(node.operand), values=None)
            case Binary():
                return self._binary(node)
            case Choice():
                return self._choice(node)
            case Call():
                return self._call(node)
            case Column():
                return self._rows_column(node)
            case Listed():
                return self._listed(node)
            case Range():
                raise Misread("a range stands alone", node.at, "write value in [1..5]")

    def _name(self, node: Name) -> Shape:
        name = ".".join(node.path)
        shape = self.scope.get(name)
        if shape is None:
            raise Misread(f"{name!r} is unknown", node.at, meant(name, self.scope))
        return shape

    def _column_value(self, node: Current) -> Shape:
        if self.current is None:
            raise Misread("$ stands for the value of a column, and this one has no field", node.at, "write the name")
        return self.current

    def _expect(self, node: Node, wanted: FieldType, why: str) -> Shape:
        shape = self.shape(node)
        if shape.type is not wanted or shape.listed:
            raise Misread(f"this is {shape}, not {wanted}", node.at, why)
        return shape

    def _number(self, node: Node) -> Shape:
        shape = self.shape(node)
        if not shape.is_number:
            raise Misread(f"this is {shape}, not a number", node.at, "write a number or the name of one")
        return shape

    def _refuse_arithmetic(self, node: Node) -> None:
        if self.total:
            raise Misread(
                "a cell computes",
                node.at,
                "compute it in an expression node before or after the table, and name it here",
            )

    def _binary(self, node: Binary) -> Shape:
        if node.operator in ("and", "or"):
            for side in (node.left, node.right):
                self._expect(side, FieldType.BOOLEAN, f"{node.operator} joins conditions")
            return _BOOLEAN
        if node.operator in ("in", "not in"):
            return self._membership(node)
        if node.operator in ("+", "-", "*", "/"):
            return self._arithmetic(node)
        if node.operator in ("==", "!="):
            self._equal(node.left, node.right, node.at)
            return _BOOLEAN
        for side in (node.left, node.right):
            shape = self.shape(side)
            if not shape.is_number:
                raise Misread(
                    f"{node.operator} compares numbers, and this is {shape}",
                    side.at,
                    "compare it with == or in; for dates, compare a number of days",
                )
        return _BOOLEAN

    def _arithmetic(self, node: Binary) -> Shape:
        left = self.shape(node.left)
        if node.operator == "+" and left == replace(_STRING, values=left.values):
            self._expect(
                node.right, FieldType.STRING, "text is joined with text; string(number) makes text of a number"
            )
            return _STRING
        self._refuse_arithmetic(node)
        left, right = self._number(node.left), self._number(node.right)
        if node.operator == "/":
            # The engine answers a division by zero with null, which would then compare as unequal to everything.
            if not isinstance(node.right, Value) or node.right.value == 0:
                raise Misread("the divisor could be zero", node.right.at, "divide by a number other than 0 only")
            return _DECIMAL
        return _INTEGER if left.type is right.type is FieldType.INTEGER else _DECIMAL

    def _equal(self, left: Node, right: Node, at: int) -> None:
        first, second = self.shape(left), self.shape(right)
        if first.listed or second.listed or FieldType.ROWS in (first.type, second.type):
            raise Misread("lists are not compared", at, "write value in list")
        for shape, other, node in ((first, second, right), (second, first, left)):
            if isinstance(node, Value) and isinstance(node.value, str):
                _could_be(node, node.value, shape)
                if shape.type is FieldType.DATE:
                    return
            elif shape.values is not None and other.values is not None and not shape.values & other.values:
                raise Misread("the two have no value in common", at, "compare what can be equal")
        if first.type is not second.type and not (first.is_number and second.is_number):
            raise Misread(f"{first} never equals {second}", at, "compare values of one type")

    def _membership(self, node: Binary) -> Shape:
        if isinstance(node.right, Range):
            return self._in_range(node, node.right)
        if isinstance(node.right, Listed):
            self.shape(node.right)
            for item in node.right.items:
                self._equal(node.left, item, item.at)
            return _BOOLEAN
        members = self.shape(node.right)
        if not members.listed:
            raise Misread(
                f"after in stands no list but {members}", node.right.at, "write in ['a', 'b'], or compare with =="
            )
        left = self.shape(node.left)
        if left.type is not members.type or left.listed:
            raise Misread(f"{left} is never in {members}", node.at, "look for a value of the list's type")
        return _BOOLEAN

    def _in_range(self, node: Binary, bounds: Range) -> Shape:
        self._number(node.left)
        low, high = (_constant(bound) for bound in (bounds.low, bounds.high))
        if low > high or (low == high and not (bounds.has_low and bounds.has_high)):
            raise Misread("no number is in this range", bounds.at, "write the lower bound first")
        return _BOOLEAN

    def _choice(self, node: Choice) -> Shape:
        self._expect(node.test, FieldType.BOOLEAN, "before ? stands a condition")
        then, otherwise = self.shape(node.then), self.shape(node.otherwise)
        return either(then, otherwise, node.at)

    def _listed(self, node: Listed) -> Shape:
        shape = self.shape(node.items[0])
        for item in node.items[1:]:
            shape = either(shape, self.shape(item), item.at)
        if shape.listed or shape.type is FieldType.ROWS:
            raise Misread("a list of lists", node.at, "list single values")
        return replace(shape, listed=True)

    def _rows_column(self, node: Column) -> Shape:
        rows = self._name(node.rows)
        columns = dict(rows.columns)
        if rows.type is not FieldType.ROWS:
            raise Misread(
                f"map takes a column of rows, and this is {rows}", node.rows.at, "name what a table collected"
            )
        if node.column not in columns:
            raise Misread(f"the rows have no column {node.column!r}", node.at, meant(node.column, columns))
        return replace(columns[node.column], listed=True)

    def _call(self, node: Call) -> Shape:
        name, arguments = node.function, node.arguments
        if name not in FUNCTIONS:
            raise Misread(f"{name!r} is no function here", node.at, meant(name, FUNCTIONS))
        count = 2 if name in (*_STRING_TESTS, "round") else 1
        if len(arguments) != count:
            raise Misread(
                f"{name} takes {count} argument{'s' * (count > 1)}, not {len(arguments)}", node.at, "count them"
            )
        if name in _STRING_FUNCTIONS or name in _STRING_TESTS:
            for argument in arguments:
                self._expect(argument, FieldType.STRING, f"{name} takes text")
            return _STRING_FUNCTIONS.get(name, _BOOLEAN)
        if name == "len":
            return self._length(arguments[0])
        if name == "string":
            shape = self.shape(arguments[0])
            if shape.listed or shape.type is FieldType.ROWS:
                raise Misread(f"string takes one value, not {shape}", node.at, "take a column or a sum first")
            return _STRING
        self._refuse_arithmetic(node)
        if name in _OVER_LISTS:
            return self._over_list(name, arguments[0])
        self._number(arguments[0])
        return self._round(arguments[1]) if name == "round" else _NUMBER_FUNCTIONS[name]

    def _length(self, argument: Node) -> Shape:
        shape = self.shape(argument)
        if not shape.listed and shape.type is not FieldType.ROWS:
            raise Misread(
                f"len counts the items of a list, and this is {shape}", argument.at, "compare text with == '' instead"
            )
        return _INTEGER

    def _over_list(self, name: str, argument: Node) -> Shape:
        shape = self.shape(argument)
        if not shape.listed or shape.type not in (FieldType.DECIMAL, FieldType.INTEGER):
            raise Misread(
                f"{name} takes a list of numbers, and this is {shape}", argument.at, "write map(rows, #.column)"
            )
        return replace(shape, listed=False)

    def _round(self, places: Node) -> Shape:
        number = places.value if isinstance(places, Value) else None
        if not isinstance(number, Decimal) or number != number.to_integral_value() or number > _MOST_PLACES:
            raise Misread("the places to round to are no plain number", places.at, "write round(value, 2)")
        return _DECIMAL


def either(one: Shape, other: Shape, at: int) -> Shape:
    """The shape of what is one or the other.

    Raises:
        Misread: they do not fit together.
    """
    if one.listed != other.listed or (one.type is not other.type and not (one.is_number and other.is_number)):
        raise Misread(f"this is {other} where before it was {one}", at, "give values of one type")
    values = None if one.values is None or other.values is None else one.values | other.values
    return replace(one if one.type is other.type else _DECIMAL, values=values)


def _of_value(node: Value) -> Shape:
    if isinstance(node.value, Money):
        raise Misread("an amount of money stands alone", node.at, "compare exposure with it")
    if isinstance(node.value, bool):
        return _BOOLEAN
    if isinstance(node.value, str):
        return replace(_STRING, values=frozenset({node.value}))
    return _INTEGER if node.value == node.value.to_integral_value() else _DECIMAL


def _could_be(node: Value, text: str, shape: Shape) -> None:
    if shape.type is FieldType.DATE:
        if not is_date(text):
            raise Misread(f"{text!r} is no date", node.at, "write year, month, day: '2026-01-31'")
    elif shape.values is not None and text not in shape.values:
        raise Misread(f"{text!r} is none of its values", node.at, meant(text, shape.values))


def is_date(text: str) -> bool:
    """Whether a text is a date of the calendar, as ``2026-01-31`` (RFC 3339, full-date)."""
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def constant(node: Node) -> Decimal | None:
    """The number that a literal stands for, with its sign; None if it is none."""
    if isinstance(node, Negative):
        number = constant(node.operand)
        return None if number is None else -number
    return node.value if isinstance(node, Value) and isinstance(node.value, Decimal) else None


def _constant(node: Node) -> Decimal:
    number = constant(node)
    if number is None:
        raise Misread("a bound is no plain number", node.at, "write numbers, as in [1..5]")
    return number

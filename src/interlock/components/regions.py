"""Which inputs a row of a decision table answers: sets of values, boxes of them, and what earlier rows leave. Pure.

So a row that can never fire is found before the table is used, and for each other row an input is found that must fire
it, with which the loader asks the engine.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from itertools import count

from interlock.components.checking import FieldType, Shape, constant
from interlock.components.tree import Binary, Current, Listed, Node, Not, Range, Value

Cut = tuple[Decimal, int]
"""A place between numbers: just before a number (0) or just after it (1). Cuts sort as they lie on the line."""

_LOWEST: Cut = (Decimal("-Infinity"), 0)
_HIGHEST: Cut = (Decimal("Infinity"), 1)
_MOST_STEPS = 10_000
"""Boxes that are cut for one row, some 20 us each; rows beyond need an example."""
_MOST_DIGITS = 27


@dataclass(frozen=True, slots=True)
class Numbers:
    """A set of numbers.

    Attributes:
        pieces: Its intervals from cut to cut, ascending, with space between them.
        whole: Whether only whole numbers are meant; then every cut is beside a whole number.
    """

    pieces: tuple[tuple[Cut, Cut], ...]
    whole: bool

    @classmethod
    def of(cls, pieces: Iterable[tuple[Cut, Cut]], *, whole: bool) -> Numbers:
        """The union of some intervals, which may overlap."""
        bounds = sorted((_up(low), _down(high)) if whole else (low, high) for low, high in pieces)
        joined: list[tuple[Cut, Cut]] = []
        for low, high in bounds:
            if low >= high:
                continue
            if joined and low <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
            else:
                joined.append((low, high))
        return cls(tuple(joined), whole)

    def complement(self) -> Numbers:
        """All the other numbers."""
        cuts = [_LOWEST, *(cut for piece in self.pieces for cut in piece), _HIGHEST]
        return Numbers.of(zip(cuts[::2], cuts[1::2], strict=True), whole=self.whole)

    def union(self, other: Numbers) -> Numbers:
        """What is in either."""
        return Numbers.of((*self.pieces, *other.pieces), whole=self.whole)

    def intersection(self, other: Numbers) -> Numbers:
        """What is in both; the pieces of either lie apart, so those of the result do too."""
        pairs = ((max(a, c), min(b, d)) for a, b in self.pieces for c, d in other.pieces if a < d and c < b)
        return Numbers(tuple(sorted(pairs)), self.whole)

    def __bool__(self) -> bool:
        return bool(self.pieces)

    def example(self) -> Decimal | None:
        """One of them, as plain as can be; None if there is none that can be written in 27 digits."""
        for low, high in self.pieces:
            number = _between(low, high)
            if len(number.as_tuple().digits) <= _MOST_DIGITS:
                return number
        return None


@dataclass(frozen=True, slots=True)
class Choices:
    """A set of strings, dates, or of true and false.

    Attributes:
        members: The values.
        negated: Whether all values but these are meant; only where any text may come.
        universe: All that there are; None where any text may come.
    """

    members: frozenset[str | bool]
    negated: bool = False
    universe: frozenset[str | bool] | None = None

    def complement(self) -> Choices:
        """All the other values."""
        if self.universe is None:
            return replace(self, negated=not self.negated)
        return replace(self, members=self.universe - self.members)

    def union(self, other: Choices) -> Choices:
        """What is in either."""
        match (self.negated, other.negated):
            case (False, False):
                return replace(self, members=self.members | other.members)
            case (True, True):
                return replace(self, members=self.members & other.members)
            case (True, False):
                return replace(self, members=self.members - other.members)
            case _:
                return replace(other, members=other.members - self.members)

    def __bool__(self) -> bool:
        return self.negated or bool(self.members)

    def example(self, *, dates: bool = False) -> str | bool:
        """One of them, the first in order; of a negated set one that is not named."""
        if not self.negated:
            return min(self.members)
        first = dt.date(2000, 1, 1)
        others = ((first + dt.timedelta(days=day)).isoformat() if dates else f"other {day}" for day in count())
        return next(other for other in others if other not in self.members)


Values = Numbers | Choices
Box = Mapping[str, Values]
"""For each variable the values that it may have; a variable that is not named may have any."""


def full(shape: Shape) -> Values:
    """Every value of a type."""
    if shape.is_number:
        return Numbers.of([(_LOWEST, _HIGHEST)], whole=shape.type is FieldType.INTEGER)
    if shape.type is FieldType.BOOLEAN:
        return Choices(frozenset({True, False}), universe=frozenset({True, False}))
    if shape.values is not None:
        return Choices(frozenset(shape.values), universe=frozenset(shape.values))
    return Choices(frozenset(), negated=True)


def empty(shape: Shape) -> Values:
    """No value of a type."""
    return full(shape).complement()


def values_of(node: Node, shape: Shape) -> Values | None:
    """The values of ``$`` for which a condition holds; None if it also asks for something else.

    Args:
        node: A condition that was checked against the shape.
        shape: What ``$`` is.
    """
    match node:
        case Current() if shape.type is FieldType.BOOLEAN:
            return _single(node=Value(node.at, value=True), shape=shape)
        case Not():
            values = values_of(node.operand, shape)
            return None if values is None else values.complement()
        case Binary(operator="and" | "or", left=left, right=right):
            one, other = values_of(left, shape), values_of(right, shape)
            if one is None or other is None:
                return None
            return union(one, other) if node.operator == "or" else intersection(one, other)
        case Binary(left=Current(), right=right):
            return _compared(node, right, shape)
        case _:
            return None


def _compared(node: Binary, right: Node, shape: Shape) -> Values | None:
    if node.operator in ("in", "not in"):
        members = _members(right, shape)
        return members.complement() if members is not None and node.operator == "not in" else members
    single = _single(right, shape)
    if single is None or node.operator == "==":
        return single
    if node.operator == "!=":
        return single.complement()
    number = constant(right)
    if number is None:
        return None
    pieces: dict[str, tuple[Cut, Cut]] = {
        "<": (_LOWEST, (number, 0)),
        "<=": (_LOWEST, (number, 1)),
        ">": ((number, 1), _HIGHEST),
        ">=": ((number, 0), _HIGHEST),
    }
    piece = pieces.get(node.operator)
    return None if piece is None else Numbers.of([piece], whole=shape.type is FieldType.INTEGER)


def _single(node: Node, shape: Shape) -> Values | None:
    number = constant(node)
    if number is not None:
        return Numbers.of([((number, 0), (number, 1))], whole=shape.type is FieldType.INTEGER)
    if isinstance(node, Value) and isinstance(node.value, (str, bool)):
        everything = full(shape)
        universe = everything.universe if isinstance(everything, Choices) else None
        return Choices(frozenset({node.value}), universe=universe)
    return None


def _members(node: Node, shape: Shape) -> Values | None:
    if isinstance(node, Range):
        low, high = constant(node.low), constant(node.high)
        if low is None or high is None:
            return None
        cuts = (low, 0 if node.has_low else 1), (high, 1 if node.has_high else 0)
        return Numbers.of([cuts], whole=shape.type is FieldType.INTEGER)
    if not isinstance(node, Listed):
        return None
    found = empty(shape)
    for item in node.items:
        single = _single(item, shape)
        if single is None:
            return None
        found = union(found, single)
    return found


def union(one: Values, other: Values) -> Values:
    """What is in either of two sets of one type."""
    if isinstance(one, Numbers) and isinstance(other, Numbers):
        return one.union(other)
    if isinstance(one, Choices) and isinstance(other, Choices):
        return one.union(other)
    raise TypeError("values of two types have no union")


def intersection(one: Values, other: Values) -> Values:
    """What is in both of two sets of one type."""
    if isinstance(one, Numbers) and isinstance(other, Numbers):
        return one.intersection(other)
    return union(one.complement(), other.complement()).complement()


def left_over(box: Box, earlier: Sequence[Box], shapes: Mapping[str, Shape]) -> tuple[Box, ...] | None:
    """A part of a box that no earlier box holds, searched depth first.

    Returns:
        One such part; empty if nothing is left. None if that would take too long to find out.
    """
    waiting: list[tuple[Box, int]] = [(box, 0)] if all(box.values()) else []
    steps = 0
    while waiting:
        part, place = waiting.pop()
        while place < len(earlier):
            steps += 1
            if steps > _MOST_STEPS:
                return None
            pieces = tuple(_without(part, earlier[place], shapes))
            place += 1
            if not pieces:
                break
            part, *others = pieces
            waiting += [(other, place) for other in reversed(others)]
        else:
            return (part,)
    return ()


def _without(box: Box, taken: Box, shapes: Mapping[str, Shape]) -> Iterable[Box]:
    """A box without another: for each variable in turn the part outside, the variables before it being inside."""
    inside: dict[str, Values] = dict(box)
    if any(name in inside and not intersection(inside[name], values) for name, values in taken.items()):
        # Nothing is taken away, however many variables there are.
        yield box
        return
    for name, values in taken.items():
        here = inside.get(name, full(shapes[name]))
        outside = intersection(here, values.complement())
        if outside:
            yield {**inside, name: outside}
        inside[name] = intersection(here, values)


def example(box: Box, shapes: Mapping[str, Shape]) -> dict[str, Decimal | str | bool] | None:
    """One input of a box, with a value for every variable; None if it cannot be written down."""
    found: dict[str, Decimal | str | bool] = {}
    for name, shape in shapes.items():
        values = box.get(name, full(shape))
        value = values.example() if isinstance(values, Numbers) else values.example(dates=shape.type is FieldType.DATE)
        if value is None:
            return None
        found[name] = value
    return found


def _up(cut: Cut) -> Cut:
    """The cut before the first whole number above a cut."""
    number, after = cut
    if not number.is_finite():
        return cut
    first = number.to_integral_value(ROUND_CEILING)
    return (first + 1, 0) if first == number and after else (first, 0)


def _down(cut: Cut) -> Cut:
    """The cut before the first whole number that is not below a cut: so ranges of whole numbers that touch are one."""
    number, after = cut
    if not number.is_finite():
        return cut
    last = number.to_integral_value(ROUND_FLOOR)
    return (last, 0) if last == number and not after else (last + 1, 0)


def _between(low: Cut, high: Cut) -> Decimal:
    if low[0].is_finite() and low[1] == 0:
        return low[0]
    if high[0].is_finite() and high[1] == 1:
        return high[0]
    if low[0].is_finite() and high[0].is_finite():
        with localcontext() as exact:
            exact.prec = 60
            return (low[0] + high[0]) / 2
    if low[0].is_finite():
        return low[0] + 1
    return high[0] - 1 if high[0].is_finite() else Decimal(0)

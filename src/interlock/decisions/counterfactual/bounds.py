"""With which values a decision's file and tables compare: the places at which its outcome can turn. Pure.

Every literal of a comparison is a bound of the fields beside it; nothing is worked out of sums and products of fields,
which only trying could tell.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from interlock.components.rules_file import Expressions
from interlock.components.syntax import Parser
from interlock.components.tree import Binary, Call, Misread, Name, Negative, Node, Not, Value, children, walk
from interlock.decisions.counterfactual.change import Part
from interlock.decisions.counterfactual.kept import KeptTable
from interlock.decisions.point import ComponentChoice, DecisionPoint
from interlock.decisions.policy import CONFIDENCE, EXPOSURE
from interlock.decisions.sureness import Sureness
from interlock.money import Money

Literal = Decimal | str | bool | Money
Field = tuple[Part, str]
"""A part of the decision, and the path in it."""
Bounds = dict[Field, list[Literal]]
FieldOf = Callable[[tuple[str, ...]], Field | None]


class Reading:
    """Collects bounds; each once, in the order in which they were found."""

    def __init__(self) -> None:
        self._found: defaultdict[Field, dict[tuple[type, Literal], Literal]] = defaultdict(dict)

    @property
    def bounds(self) -> Bounds:
        """What was found."""
        return {field: list(found.values()) for field, found in self._found.items()}

    def add(self, field: Field, literal: Literal) -> None:
        """Note a bound."""
        self._found[field].setdefault((type(literal), literal), literal)

    def point(self, point: DecisionPoint, step: ComponentChoice | None) -> None:
        """The bounds of a point's terms: amounts and confidences of its bands, and the literals of its conditions."""
        own = step.sureness if step is not None else None
        for sureness in (Sureness(point.sure_from, point.bands), own):
            for band in sureness.bands if sureness is not None else ():
                self.add((Part.EXPOSURE, ""), band.below)
        for condition in (*point.review, *point.reject):
            self.text(condition.text, condition_field, money=True)

    def text(self, text: str, field_of: FieldOf, *, money: bool = False) -> None:
        """The bounds in an expression; what cannot be read here has none."""
        try:
            self.node(Parser(text, money=money).expression(), field_of)
        except Misread:
            return

    def node(self, node: Node, field_of: FieldOf) -> None:
        """The bounds in a tree: each comparison's literals for each of its fields."""
        for atom in _atoms(node):
            names = [field_of(part.path) for part in walk(atom) if isinstance(part, Name)]
            fields = [field for field in names if field is not None]
            literals = list(_literals(atom))
            for field in fields:
                for literal in literals:
                    self.add(field, literal)
                if isinstance(atom, Name):
                    self._both(field)

    def table(self, table: KeptTable, field_of: FieldOf) -> None:
        """The bounds in a rules file: of columns that test an input, of free conditions, and of expressions."""
        known = table.file.header.inputs

        def declared_field(path: tuple[str, ...]) -> Field | None:
            return field_of(path) if path[0] in known else None

        for step in table.file.steps:
            if isinstance(step, Expressions):
                for text in step.texts.values():
                    self.text(text, declared_field)
                continue
            for column in step.inputs:
                for row in step.rows:
                    self._cell(row.cells[column.key].strip(), column.field, declared_field)
        for name, declared in known.items():
            field = field_of((name,))
            if field is not None:
                for value in declared.values:
                    self.add(field, value)

    def _both(self, field: Field) -> None:
        for value in (True, False):
            self.add(field, value)

    def _cell(self, text: str, field: str, field_of: FieldOf) -> None:
        own = field_of((field,)) if field else None
        if not text or (field and own is None):
            return
        if own is None:
            self.text(text, field_of)
            return
        try:
            for test in Parser(text, unary=True).cell():
                for literal in _literals(test):
                    self.add(own, literal)
        except Misread:
            return


def names_in(text: str) -> Iterator[tuple[str, ...]]:
    """Every name in a condition; none where it cannot be read."""
    try:
        node = Parser(text, money=True).expression()
    except Misread:
        return
    yield from (part.path for part in walk(node) if isinstance(part, Name))


def condition_field(path: tuple[str, ...]) -> Field | None:
    """Which field a condition's name means; None: one that is changed in another way."""
    if path[0] == EXPOSURE:
        return Part.EXPOSURE, ""
    if path[0] == CONFIDENCE:
        return Part.CONFIDENCE, ""
    if path[0] in ("input", "output") and len(path) > 1:
        return Part(path[0]), ".".join(path[1:])
    return None


def input_field(path: tuple[str, ...]) -> Field | None:
    """Which field a name in the answering table means."""
    return Part.INPUT, ".".join(path)


def policy_field(answer: dict[str, Any]) -> FieldOf:
    """Which field a name in a policy means: it sees the input, the answer over it, confidence and exposure.

    Args:
        answer: The answer.
    """

    def field_of(path: tuple[str, ...]) -> Field | None:
        if path[0] in (EXPOSURE, CONFIDENCE):
            return Part(path[0]), ""
        return (Part.OUTPUT if path[0] in answer else Part.INPUT), ".".join(path)

    return field_of


def _atoms(node: Node) -> Iterator[Node]:
    """The comparisons, calls and bare names of a tree; what joins them is passed through."""
    match node:
        case Binary(operator="and" | "or") | Not():
            for child in children(node):
                yield from _atoms(child)
        case Binary() | Call() | Name():
            yield node
        case _:
            for child in children(node):
                yield from _atoms(child)


def _literals(node: Node) -> Iterator[Literal]:
    if isinstance(node, Negative) and isinstance(node.operand, Value) and isinstance(node.operand.value, Decimal):
        yield -node.operand.value
        return
    if isinstance(node, Value):
        yield node.value
        return
    for child in children(node):
        yield from _literals(child)

"""One expression over named facts, checked when it is compiled and exact when it is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interlock.components.checking import Checker, FieldType, Shape
from interlock.components.engine import Formula
from interlock.components.facts import read_fact, write_value
from interlock.components.syntax import Parser
from interlock.components.tree import Misread
from interlock.errors import ComponentFailed, RulesInvalid, Violation


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression; ``Expression.compile`` makes one.

    Attributes:
        text: As it was written.
        variables: The type of every fact that it may use.
        type: The type of its value.
    """

    text: str
    variables: Mapping[str, FieldType]
    type: FieldType
    _value: Formula
    _engine_type: Formula

    @classmethod
    def compile(cls, text: str, variables: Mapping[str, FieldType]) -> Expression:
        """Check and compile an expression of the language in docs/reference/decision-tables.md.

        Args:
            text: The expression, such as ``round(total * 0.06, 2)``.
            variables: The type of every fact by name; rows are none.

        Raises:
            RulesInvalid: it does not parse, uses an unknown variable or function, or its types do not fit; ``where`` is
                the character's number, from 1.
        """
        try:
            shape = _single(Checker({name: Shape(kind) for name, kind in variables.items()}), text)
        except Misread as cause:
            violation = Violation(
                where=f"character {cause.at + 1}", what=cause.what, rule="expression", todo=cause.todo
            )
            raise RulesInvalid(f"{text[:200]!r} is no usable expression", (violation,)) from cause
        value, engine_type = Formula(f"string(({text}))"), Formula(f"type(({text}))")
        return cls(text, dict(variables), shape.type, value, engine_type)

    def evaluate(self, facts: Mapping[str, Any]) -> Any:
        """Its value for some facts.

        Args:
            facts: Every variable by name, in the forms of our JSON: a decimal as a string such as ``"31.00"``.

        Returns:
            A string, int, bool; a decimal as a string with all its digits, a date as ``"2026-01-31"``.

        Raises:
            ComponentFailed: a fact is missing or of another type, or the value cannot be held exactly.
        """
        missing = [name for name in self.variables if facts.get(name) is None]
        if missing:
            raise ComponentFailed(f"{self.text!r} lacks {', '.join(missing)}", todo="give every variable a value")
        exact = {name: read_fact(name, facts[name], kind) for name, kind in self.variables.items()}
        return write_value(self.text, self._value.evaluate(exact), self._engine_type.evaluate(exact), self.type)


def _single(checker: Checker, text: str) -> Shape:
    shape = checker.shape(Parser(text).expression())
    if shape.listed or shape.type is FieldType.ROWS:
        raise Misread(f"it gives {shape}", 0, "give a single value")
    return shape

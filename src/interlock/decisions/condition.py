"""The conditions in a workflow's file, such as ``exposure >= 100 MYR``: when a person decides, when the answer is no.

A condition is checked when the file is loaded: one that could never hold is refused, since its author believes that it
guards something. What shows only at a decision (a missing field, another currency) raises, and the caller makes a
review of it; an error never means that the condition does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from interlock.components.syntax import Parser
from interlock.components.tree import Misread, Node
from interlock.decisions.condition_check import Reader, never
from interlock.decisions.condition_program import Facts, Holds, condition_program
from interlock.errors import ComponentFailed, RulesInvalid, Violation

__all__ = ["Condition", "Facts", "compile_condition"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was checked; ``compile_condition`` makes one.

    Attributes:
        text: As it stands in the file.
    """

    text: str
    _holds: Holds = field(repr=False, compare=False)

    def holds(self, facts: Facts) -> bool:
        """Whether it holds. ``and`` and ``or`` look at their right side only if the left one leaves it open.

        Raises:
            ComponentFailed: that cannot be said: a field is missing, null, of another type, or the exposure is unknown
                or in another currency. The caller lets a person decide.
        """
        try:
            return self._holds(facts)
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
        return Condition(text, condition_program(_checked(text, known or {})))
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

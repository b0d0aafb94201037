"""Rules between the fields of one record: a small, closed set of pure functions.

A rule runs on a record whose parts already have the right shapes. An absent or null operand makes a rule say nothing;
whether a field must be there is its own matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import eq, le, lt
from typing import Any, cast

from interlock.contracts.contract import ITEMS, Field, Rule, RuleKind, Shape
from interlock.contracts.exact import EXACT, read_exact
from interlock.contracts.shown import Path, Step, pointer, shown
from interlock.errors import Violation

_COMPARES: dict[RuleKind, tuple[Callable[[Any, Any], bool], str]] = {
    RuleKind.EQUAL: (eq, "is not"),
    RuleKind.LESS: (lt, "does not come before"),
    RuleKind.LESS_OR_EQUAL: (le, "comes after"),
}


def rule_violations(rule: Rule, record: Field, value: object) -> Iterator[Violation]:
    """What breaks one rule in a record.

    Args:
        rule: The rule.
        record: What the contract says about the record.
        value: The record; everything that the rule reads has the shape that the contract demands.

    Yields:
        One violation for each object or item that breaks it.
    """
    scope = field_at(record, rule.scope)
    if scope is None:
        return
    if rule.kind in _COMPARES and _quick(scope, rule):
        yield from _compare_items(rule, value)
        return
    for path, part in _parts(rule.scope, value, ()):
        what, todo = _judge(rule, scope, part)
        if what:
            yield Violation(where=pointer(path), what=what, rule=rule.name, todo=rule.description or todo)


def field_at(field: Field, path: Path) -> Field | None:
    """The field at a path of names and ``*``; None if there is none."""
    here: Field | None = field
    for step in path:
        if here is None:
            return None
        here = here.item if step == ITEMS and here.shape is Shape.ARRAY else here.child(str(step))
    return here


def operand_field(scope: Field, operand: str | int) -> Field | None:
    """What the contract says about one operand of a rule: a field of an object, or a position that surely exists."""
    if isinstance(operand, str):
        return scope.child(operand) if scope.shape is Shape.OBJECT else None
    sure = scope.shape is Shape.ARRAY and 0 <= operand < (scope.min_items or 0)
    return scope.item if sure else None


def _quick(scope: Field, rule: Rule) -> bool:
    """Whether the operands are positions of plain numbers, which compare as they are: thousands of boxes, say."""
    if scope.shape is not Shape.ARRAY or not scope.item or scope.item.shape not in (Shape.INTEGER, Shape.NUMBER):
        return False
    return len(rule.operands) == 2  # noqa: PLR2004 - what a comparison takes


def _compare_items(rule: Rule, value: object) -> Iterator[Violation]:
    first, second = cast("tuple[int, int]", rule.operands)
    holds, words = _COMPARES[rule.kind]
    parts = _level(rule.scope, value)
    if all([holds(part[first], part[second]) for part in parts]):  # noqa: C419 - a list is half the time of a generator
        return
    for path, part in _parts(rule.scope, value, ()):
        items = cast("Sequence[Any]", part)
        if not holds(items[first], items[second]):
            what = f"item {first}, {shown(items[first])}, {words} item {second}, {shown(items[second])}"
            yield Violation(where=pointer(path), what=what, rule=rule.name, todo=rule.description or "check the order")


def _level(scope: Path, value: object) -> list[Any]:
    """All parts at a path, without their places: quicker than ``_parts``."""
    level: list[Any] = [value]
    for step in scope:
        if step == ITEMS:
            level = [item for items in level for item in items]
        else:
            level = [below for part in level if (below := part.get(step)) is not None]
    return level


def _parts(scope: Path, value: object, path: Path) -> Iterator[tuple[Path, object]]:
    """All parts at a path, each with its place."""
    if not scope:
        yield path, value
    elif scope[0] == ITEMS:
        for place, item in enumerate(cast("Sequence[object]", value)):
            yield from _parts(scope[1:], item, (*path, place))
    else:
        below = cast("dict[Step, object]", value).get(scope[0])
        if below is not None:
            yield from _parts(scope[1:], below, (*path, scope[0]))


def _judge(rule: Rule, scope: Field, part: object) -> tuple[str, str]:
    """What is wrong with one part and what to do; empty words if nothing is."""
    if rule.kind is RuleKind.UNIQUE_BY:
        return _judge_unique(rule, scope, _operand(part, rule.operands[0])), "send each one once"
    values = [_operand(part, operand) for operand in rule.operands]
    if rule.kind is RuleKind.REQUIRES:
        return _judge_requires(rule, values)
    if None in values:
        return "", ""
    if rule.kind is RuleKind.SAME_LENGTH:
        return _judge_lengths(rule, values), "send them equally long"
    return _judge_pair(rule, scope, values), "check both"


def _judge_requires(rule: Rule, values: list[Any]) -> tuple[str, str]:
    first, *others = rule.operands
    missing = ", ".join(str(operand) for operand, value in zip(others, values[1:], strict=True) if value is None)
    if values[0] is None or not missing:
        return "", ""
    return f"{first} is given without {missing}", f"give {missing} too, or leave {first} out"


def _judge_pair(rule: Rule, scope: Field, values: list[Any]) -> str:
    first, second = rule.operands
    holds, words = _COMPARES[rule.kind]
    field = operand_field(scope, first)
    if holds(*(_comparable(field, value) for value in values)):
        return ""
    return f"{first}, {shown(values[0])}, {words} {second}, {shown(values[1])}"


def _operand(part: Any, operand: str | int) -> Any:
    return part.get(operand) if isinstance(operand, str) else part[operand]


def _comparable(field: Field | None, value: Any) -> Any:
    return read_exact(field.shape, value) if field is not None and field.shape in EXACT else value


def _judge_lengths(rule: Rule, values: list[Any]) -> str:
    lengths = [len(value) for value in values]
    if len(set(lengths)) == 1:
        return ""
    told = [f"{operand} has {length:,}" for operand, length in zip(rule.operands, lengths, strict=True)]
    return f"the lengths differ: {', '.join(told)}"


def _judge_unique(rule: Rule, scope: Field, items: Any) -> str:
    array, name = map(str, rule.operands)
    field = field_at(scope, (array, ITEMS, name))
    seen: dict[Any, int] = {}
    for place, item in enumerate(items or ()):
        if item.get(name) is None:
            continue
        key = _comparable(field, item[name])
        if key in seen:
            return f"items {seen[key]} and {place} of {array} have the same {name}, {shown(item[name])}"
        seen[key] = place
    return ""

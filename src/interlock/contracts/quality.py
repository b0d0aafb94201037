"""From ODCS ``quality`` entries to choices and to rules between fields. Pure.

Two kinds of entries become these: ``invalidValues`` that must be 0 with a list of valid values, and rules of type
``custom`` whose engine is ``interlock``. The other metrics of the library are read in ``metrics``; text, SQL and the
engines of others are named in ``Contract.not_enforced``, with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from interlock.contracts.contract import ITEMS, Field, Rule, RuleKind, Shape
from interlock.contracts.exact import EXACT, read_exact
from interlock.contracts.metrics import read_limit
from interlock.contracts.reading import Reading, Spot
from interlock.contracts.rules import field_at, operand_field
from interlock.contracts.shown import shown
from interlock.spelling import meant

if TYPE_CHECKING:
    from open_data_contract_standard.model import DataQuality, SchemaProperty

ENGINE = "interlock"
_ELSEWHERE = {
    "text": "it is text for people",
    "sql": "it is a query, and SQL of a file is run nowhere",
    "custom": "it is for the engine {}, which is not run here",
}
"""Why an entry is not enforced, by its type."""
_ENUM_SINCE = "v3.2.0"
_PAIR = 2
_ORDERED = frozenset({Shape.INTEGER, Shape.NUMBER, *EXACT})
_SCALAR = frozenset(set(Shape) - {Shape.OBJECT, Shape.ARRAY})
_CHOSEN = frozenset({Shape.STRING, Shape.INTEGER, *EXACT})


def read_choices(field: Field, model: SchemaProperty, spot: Spot, reading: Reading) -> Field:
    """The field with the values that are its only ones."""
    written: list[tuple[object, tuple[str | int, ...]]] = []
    for place, entry in enumerate(model.enum or []):
        if reading.api != _ENUM_SINCE:
            todo = f"write apiVersion: {_ENUM_SINCE}, or a quality rule invalidValues with validValues"
            reading.refuse(spot.key("enum"), f"enum came with ODCS {_ENUM_SINCE}", "enum", todo)
            return field
        written.append((entry.value, spot.key("enum", place)))
    for place, quality in enumerate(model.quality or []):
        for position, value in enumerate(_valid_values(quality) or []):
            written.append((value, spot.key("quality", place, "arguments", "validValues", position)))
    choices: list[str | int | bool] = []
    for value, at in written:
        if value is None and not field.required:
            continue  # null is valid already
        if _is_choice(field, value):
            choices.append(cast("str | int", value))
        else:
            what = f"{shown(value)} is no value of a field that is {field.shape}"
            reading.refuse(at, what, "enum", "put numbers in quotes only where the field is text or a decimal")
    return msgspec.structs.replace(field, choices=tuple(choices))


def _is_choice(field: Field, value: object) -> bool:
    if field.shape not in _CHOSEN:
        return False
    if field.shape is Shape.INTEGER:
        return isinstance(value, int) and not isinstance(value, bool)
    if not isinstance(value, str):
        return False
    return field.shape is Shape.STRING or read_exact(field.shape, value) is not None


def _valid_values(quality: DataQuality) -> list[Any] | None:
    """The list of an entry that says: no value may be another than these. None for any other entry."""
    if quality.metric != "invalidValues" or list(quality.arguments or {}) != ["validValues"]:
        return None
    limit, _ = read_limit(quality)
    values: object = (quality.arguments or {})["validValues"]
    strict = limit is not None and limit.none_at_all
    return cast("list[Any]", values) if strict and isinstance(values, list) else None


def read_rules(field: Field, entries: list[DataQuality] | None, spot: Spot, reading: Reading) -> None:
    """Gather the rules that stand at a field; what is for others is named."""
    for place, quality in enumerate(entries or []):
        if quality.type == "custom" and quality.engine == ENGINE:
            rule = _rule(field, quality, spot, place, reading)
            if rule is not None:
                reading.rules.append(rule)
        elif quality.type in _ELSEWHERE:
            named = quality.name or quality.id or quality.engine or "without a name"
            reading.leave(spot.data, f"quality rule {named}: {_ELSEWHERE[quality.type].format(quality.engine)}")


def _rule(field: Field, quality: DataQuality, spot: Spot, place: int, reading: Reading) -> Rule | None:
    at = spot.key("quality", place, "implementation")
    written = quality.implementation
    if not isinstance(written, dict) or len(written) != 1:
        todo = "write one rule, as in implementation: {sameLength: [words, boxes]}"
        reading.refuse(at, "the rule is not one name with its operands", "rule", todo)
        return None
    name, operands = next(iter(written.items()))
    if name not in tuple(RuleKind):
        reading.refuse(at, f"{shown(name)} is no rule", "rule", meant(name, tuple(RuleKind)))
        return None
    kind, listed = RuleKind(name), cast("object", operands)
    wrong = _operands_wrong(kind, field, listed)
    if wrong:
        reading.refuse((*at, name), f"{name} cannot be checked here: {wrong}", "rule", "mend the operands")
        return None
    return Rule(
        name=quality.name or name,
        kind=kind,
        scope=spot.data,
        operands=tuple(cast("list[str]", listed)),
        description=quality.description or "",
    )


def _operands_wrong(kind: RuleKind, scope: Field, operands: object) -> str:
    """Why a rule cannot run on these operands; empty if it can."""
    if not isinstance(operands, list):
        return "its operands are no list"
    listed = cast("list[object]", operands)
    count, pairs = len(listed), kind not in (RuleKind.SAME_LENGTH, RuleKind.REQUIRES)
    if count < _PAIR or (pairs and count != _PAIR):
        return f"it takes {'two' if pairs else 'two or more'} operands, and {count} are given"
    if len(set(map(str, listed))) != count:
        return "an operand stands twice"
    if kind is RuleKind.UNIQUE_BY:
        array, name = map(str, listed)
        field = field_at(scope, (array, ITEMS, name)) if scope.shape is Shape.OBJECT else None
        return "" if field and field.shape in _SCALAR else f"{array} is no array of objects with a plain field {name}"
    fields = [operand_field(scope, operand) if isinstance(operand, (str, int)) else None for operand in listed]
    for operand, field in zip(listed, fields, strict=True):
        if field is None:
            return f"{shown(operand)} is neither a field here nor a position that minItems makes sure of"
    return _shapes_wrong(kind, [field for field in fields if field is not None])


def _shapes_wrong(kind: RuleKind, fields: list[Field]) -> str:
    shapes = {field.shape for field in fields}
    listed = ", ".join(sorted(shapes))
    if kind is RuleKind.SAME_LENGTH and not shapes <= {Shape.ARRAY, Shape.STRING}:
        return f"only arrays and strings have a length, not {listed}"
    if kind is RuleKind.EQUAL and (len(shapes) > 1 or not shapes <= _SCALAR):
        return f"it compares two plain fields of one type, not {listed}"
    if kind in (RuleKind.LESS, RuleKind.LESS_OR_EQUAL) and (len(shapes) > 1 or not shapes <= _ORDERED):
        return f"it compares two numbers or times of one type, not {listed}"
    return ""

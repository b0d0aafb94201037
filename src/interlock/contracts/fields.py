"""From the properties of an ODCS schema to fields: each demand is kept, refused, or named as not enforced. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from interlock.contracts.contract import ITEMS, Field, Shape
from interlock.contracts.exact import MOST_DIGITS
from interlock.contracts.explain import Findings, explain
from interlock.contracts.mark import MARKS, read_mark
from interlock.contracts.metrics import read_metrics, read_uniqueness
from interlock.contracts.options import read_options
from interlock.contracts.quality import read_choices, read_rules
from interlock.contracts.reading import Reading, Spot
from interlock.contracts.shown import shown

if TYPE_CHECKING:
    from open_data_contract_standard.model import SchemaObject, SchemaProperty

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
_DECIMAL = re.compile(r"(?:decimal|numeric)(?:\s*\(\s*([0-9]{1,3})\s*(?:,\s*([0-9]{1,3})\s*)?\))?", re.IGNORECASE)
_COMPILED = frozenset(set(Shape) - {Shape.DECIMAL})
_INSTEAD = {"map": "an object whose fields are named", "vector": "an array of numbers"}


def read_record(model: SchemaObject, reading: Reading) -> Field:
    """The one record that a contract describes."""
    spot = Spot(("schema", 0), ())
    record = Field(
        name=model.name or "",
        shape=Shape.OBJECT,
        required=True,
        description=model.description or "",
        fields=_fields(model.properties, spot, reading, frozenset()),
    )
    _leave_metadata(model, spot, reading)
    read_rules(record, model.quality, spot, reading)
    return read_metrics(record, model.quality, spot, reading)


def _fields(
    models: list[SchemaProperty] | None, spot: Spot, reading: Reading, required: frozenset[str]
) -> tuple[Field, ...]:
    if not models:
        reading.refuse(spot.file, "no properties are named", "properties", "name every field; no others are accepted")
        return ()
    fields: dict[str, Field] = {}
    for place, model in enumerate(models):
        name, at = model.name or "", spot.key("properties", place)
        if not _NAME.fullmatch(name):
            reading.refuse(at, f"{shown(name)} is no name of a field", "name", "write letters, digits, _ and -")
        if name in fields:
            reading.refuse(at, f"{shown(name)} is described twice", "name", "keep one of them")
        must = model.required is True or name in required
        fields[name] = _field(model, name, Spot(at, (*spot.data, name)), reading, required=must)
    for name in sorted(required - set(fields)):
        reading.refuse(spot.key("logicalTypeOptions", "required"), f"{shown(name)} is no field here", "required", "")
    return tuple(fields.values())


def _field(model: SchemaProperty, name: str, spot: Spot, reading: Reading, *, required: bool) -> Field:
    options = model.logicalTypeOptions or {}
    field = _shaped(model, name, spot, reading, required=required)
    field = read_options(field, options, spot, reading)
    field = read_choices(field, model, spot, reading)
    if field.shape is Shape.OBJECT:
        inner = frozenset(map(str, options.get("required", ())))
        field = msgspec.structs.replace(field, fields=_fields(model.properties, spot, reading, inner))
    elif field.shape is Shape.ARRAY:
        field = msgspec.structs.replace(field, item=_item(model, spot, reading))
    _leave_metadata(model, spot, reading)
    if model.customProperties:
        customs = {custom.property or "": custom.value for custom in model.customProperties}
        field = msgspec.structs.replace(field, mark=read_mark(customs, spot, reading))
    read_rules(field, model.quality, spot, reading)
    read_uniqueness(field, model, spot, reading)
    field = read_metrics(field, model.quality, spot, reading)
    _refuse_examples(field, model, spot, reading)
    return field


def _item(model: SchemaProperty, spot: Spot, reading: Reading) -> Field | None:
    if model.items is None:
        reading.refuse(spot.file, "the items of this array are not described", "items", "add items with a logicalType")
        return None
    # An item that may be null would be a hole in the array; nothing says what it means.
    return _field(model.items, ITEMS, Spot(spot.key("items"), (*spot.data, ITEMS)), reading, required=True)


def _shaped(model: SchemaProperty, name: str, spot: Spot, reading: Reading, *, required: bool) -> Field:
    field = Field(
        name=name,
        shape=Shape.STRING,
        required=required,
        description=model.description or "",
        classification=model.classification or "",
    )
    written, physical = model.logicalType, (model.physicalType or "").strip()
    if written not in _COMPILED:
        what = f"a {written} is not enforced here"
        todo = f"describe it as {_INSTEAD.get(written or '', 'one of the other types')}"
        reading.refuse(spot.key("logicalType"), what, "type", todo)
        return field
    digits = _DECIMAL.fullmatch(physical) if written == Shape.NUMBER else None
    if digits:
        return _decimal(field, digits, spot, reading)
    if "(" in physical:
        reading.leave(spot.data, f"physicalType {physical}")
    return msgspec.structs.replace(field, shape=Shape(written))


def _decimal(field: Field, found: re.Match[str], spot: Spot, reading: Reading) -> Field:
    digits, decimals = int(found[1] or 0), int(found[2] or 0)
    if not 0 < digits <= MOST_DIGITS or decimals > digits:
        what = f"{found[0]} does not say how many digits are kept"
        todo = f"write decimal(DIGITS,AFTER_THE_POINT) with at most {MOST_DIGITS} digits, as in decimal(12,2)"
        reading.refuse(spot.key("physicalType"), what, "decimal", todo)
        digits, decimals = MOST_DIGITS, 0
    return msgspec.structs.replace(field, shape=Shape.DECIMAL, digits=digits, decimals=decimals)


def _leave_metadata(model: SchemaObject | SchemaProperty, spot: Spot, reading: Reading) -> None:
    """Name what reads like a demand, and is one over many records or for another tool."""
    from open_data_contract_standard.model import SchemaProperty  # noqa: PLC0415 - as in odcs: read with the first contract

    if model.physicalName and model.physicalName != model.name:
        reading.leave(spot.data, f"physicalName {model.physicalName}: data use the name")
    if model.relationships:
        reading.leave(spot.data, "relationships to other data")
    for custom in model.customProperties or []:
        if custom.property in MARKS and isinstance(model, SchemaProperty):
            continue
        reading.leave(spot.data, f"the custom property {custom.property}")


def _refuse_examples(field: Field, model: SchemaProperty, spot: Spot, reading: Reading) -> None:
    """An example that breaks its own contract would mislead whoever copies it."""
    for place, example in enumerate(model.examples or []):
        found = Findings()
        explain(field, example, (), found)
        for violation in found.violations[:1]:
            reading.refuse(
                spot.key("examples", place), f"the example is wrong: {violation.what}", "example", violation.todo
            )

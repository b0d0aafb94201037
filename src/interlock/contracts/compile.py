"""From a contract to something that says yes or no in microseconds. Pure.

The contract becomes a JSON Schema (2020-12) for jsonschema-rs; what JSON Schema cannot say is a format whose function
is ours (exact decimals, days that exist) or a check afterwards (``1.0`` is an integer to JSON Schema, not to us).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import msgspec

from interlock.contracts.contract import ITEMS, Bound, Contract, Field, Shape
from interlock.contracts.exact import EXACT, FORMS, exact_fault
from interlock.contracts.pattern import whole
from interlock.contracts.quick import QuickLook
from interlock.contracts.shown import Path, pointer

Formats = dict[str, Callable[[str], bool]]
_JSON_TYPES = {
    Shape.STRING: "string",
    Shape.DECIMAL: "string",
    Shape.DATE: "string",
    Shape.TIMESTAMP: "string",
    Shape.TIME: "string",
    Shape.NUMBER: "number",
    Shape.INTEGER: "integer",
    Shape.BOOLEAN: "boolean",
    Shape.OBJECT: "object",
    Shape.ARRAY: "array",
}


def json_schema(contract: Contract) -> dict[str, Any]:
    """The contract as a JSON Schema (2020-12), for tools outside.

    It says all that JSON Schema can say; the ranges of decimals and dates, and the rules between fields, are only in
    the contract. Formats named ``interlock:...`` mark where.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": contract.reference,
        **_schema(contract.record, (), {}),
    }


class Compiled:
    """A contract that is ready to be asked; it may be shared by threads."""

    def __init__(self, contract: Contract) -> None:
        self._quick = QuickLook(contract.record, lambda field: FieldSchema(field).accepts)
        self._schema = FieldSchema(contract.record)

    def accepts(self, value: object) -> bool:
        """Whether a value has the shape that the contract demands; the rules between fields come afterwards."""
        return self._quick.sure(value) or self._schema.accepts(value)


class FieldSchema:
    """The exact check of one field, or of a whole record, by its JSON Schema."""

    def __init__(self, field: Field) -> None:
        formats: Formats = {}
        schema = _schema(field, (), formats)
        self._validator = jsonschema_rs.Draft202012Validator(
            schema,
            formats=formats,
            validate_formats=True,
            ignore_unknown_formats=False,
            pattern_options=jsonschema_rs.RegexOptions(),
            offline=True,
        )
        self._numbers = tuple(_number_sites(field, ()))

    def accepts(self, value: object) -> bool:
        """Whether a value is what the field demands."""
        try:
            return self._validator.is_valid(value) and all(site.accepts(value) for site in self._numbers)
        except (ValueError, OverflowError, RecursionError):
            # No JSON value: an object of Python's, a lone surrogate, a key that is no string.
            return False


@functools.lru_cache(maxsize=1024)
def compiled(contract: Contract) -> Compiled:
    """The compiled form of a contract; compiled once, found again in 0.2 us."""
    return Compiled(contract)


def _schema(field: Field, path: Path, formats: Formats) -> dict[str, Any]:
    name = _JSON_TYPES[field.shape]
    schema: dict[str, Any] = {"type": name if field.required else [name, "null"]}
    if field.description:
        schema["description"] = field.description
    if field.choices:
        schema["enum"] = [*field.choices, *([] if field.required else [None])]
    if field.shape is Shape.OBJECT:
        schema["additionalProperties"] = False
        schema["properties"] = {child.name: _schema(child, (*path, child.name), formats) for child in field.fields}
        schema["required"] = [child.name for child in field.fields if child.required]
    elif field.shape is Shape.ARRAY:
        schema |= _present(minItems=field.min_items, maxItems=field.max_items, uniqueItems=field.unique_items or None)
        schema["items"] = _schema(field.item, (*path, ITEMS), formats) if field.item else False
    elif field.shape is Shape.STRING:
        schema |= _string(field)
    elif field.shape in EXACT:
        place = f"interlock:{pointer(path)}"
        formats[place] = functools.partial(_exact, field)
        schema |= {"pattern": f"^{FORMS[field.shape]}$", "format": place}
    elif field.shape is not Shape.BOOLEAN:
        schema |= _range(field)
    if field.missing:
        schema["allOf"] = [{"not": {"enum": list(field.missing)}}]
    return schema


def _exact(field: Field, text: str) -> bool:
    return exact_fault(field, text) is None


def _string(field: Field) -> dict[str, Any]:
    return {
        # Also makes the validator read every character, so that a lone surrogate cannot pass.
        "not": {"type": "string", "pattern": "\\u0000"},
        **_present(
            minLength=field.min_length,
            maxLength=field.max_length,
            pattern=whole(field.pattern) if field.pattern else None,
            format=field.text_format,
        ),
    }


def _range(field: Field) -> dict[str, Any]:
    as_json = int if field.shape is Shape.INTEGER else float
    ends: dict[str, Any] = {}
    for bound, inclusive, exclusive in (
        (field.low, "minimum", "exclusiveMinimum"),
        (field.high, "maximum", "exclusiveMaximum"),
    ):
        if isinstance(bound, Bound):
            ends[exclusive if bound.exclusive else inclusive] = as_json(str(bound.value))
    return ends | _present(multipleOf=None if field.multiple_of is None else int(field.multiple_of))


def _present(**keywords: Any) -> dict[str, Any]:
    return {keyword: value for keyword, value in keywords.items() if value is not None}


class _Scalars:
    """Fields of one number type: their values must be of exactly these Python types, and can be written down."""

    def __init__(self, path: Path, field: Field) -> None:
        types: set[type] = {int} if field.shape is Shape.INTEGER else {int, float}
        self._path = path
        self._types = frozenset(types if field.required else {*types, type(None)})

    def accepts(self, value: object) -> bool:
        level = _level(value, self._path)
        # jsonschema-rs 0.60 ignores the bounds of ints of 4,300 digits and more; msgspec raises ValueError on them.
        return self._types.issuperset(map(type, level)) and bool(_ENCODER.encode(level))


class _WholeNumbers:
    """Arrays, nested or not, of nothing but integers: thousands of them are written and looked at in C.

    The validator has found nothing but numbers without a fraction there, so a point, an exponent or a quote in what
    msgspec writes is a float or a Decimal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def accepts(self, value: object) -> bool:
        written = _ENCODER.encode(_level(value, self._path))
        return not written.translate(None, b"-0123456789,[]nul")


_ENCODER = msgspec.json.Encoder()


def _number_sites(field: Field, path: Path) -> list[_Scalars | _WholeNumbers]:
    if field.shape in (Shape.INTEGER, Shape.NUMBER):
        return [_Scalars(path, field)]
    if field.shape is Shape.OBJECT:
        return [site for child in field.fields for site in _number_sites(child, (*path, child.name))]
    inner = field
    while inner.shape is Shape.ARRAY and inner.item is not None:
        inner = inner.item
    if inner is not field and inner.shape is Shape.INTEGER:
        return [_WholeNumbers(path)]
    return _number_sites(field.item, (*path, ITEMS)) if field.item is not None else []


def _level(value: object, path: Path) -> list[Any]:
    """All values at a path that are there and not null, except at its last step, where null stays."""
    level: list[Any] = [value]
    for step in path:
        if step == ITEMS:
            level = [item for items in level if items is not None for item in items]
        else:
            level = [part[step] for part in level if part is not None and step in part]
    return level

"""The output contract as providers take it for structured output. Pure.

Providers enforce different parts of JSON Schema, and refuse a request whose schema holds another part. So only what all
of them take is sent: types, fields, choices, ranges, patterns. Whatever is left out is still held against the answer
afterwards, by the contract itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

_KEPT = frozenset(
    {
        "type",
        "description",
        "enum",
        "properties",
        "additionalProperties",
        "items",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minItems",
        "maxItems",
        "pattern",
    }
)
_BEYOND = re.compile(r"\(\?[^:]|\\[bBpPdDwWsSk1-9]|\*\+|\+\+|\?\+")
"""What not every engine for regular expressions has, or reads alike: look-around, classes, possessive repetition."""
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_NAME = 64


def schema_name(contract: str) -> str:
    """A contract's name in the characters that the protocol allows: ``category@1.2.0`` is ``category_1_2_0``."""
    return _NO_NAME.sub("_", contract)[:_LONGEST_NAME]


def answer_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A contract's JSON Schema, reduced to what every provider takes.

    Every field is required, as strict structured output demands; those that the contract leaves free may be null.
    """
    kept = {key: value for key, value in schema.items() if key in _KEPT}
    if _BEYOND.search(str(kept.get("pattern", ""))):
        del kept["pattern"]
    if told := _lengths(schema):
        kept["description"] = f"{kept['description']} ({told})" if "description" in kept else told
    if "properties" in kept:
        fields = cast("Mapping[str, Mapping[str, Any]]", kept["properties"])
        kept["properties"] = {name: answer_schema(field) for name, field in fields.items()}
        kept["required"] = list(fields)
        kept["additionalProperties"] = False
    if isinstance(kept.get("items"), Mapping):
        kept["items"] = answer_schema(cast("Mapping[str, Any]", kept["items"]))
    return kept


def _lengths(schema: Mapping[str, Any]) -> str:
    """How long a text may be, in words: not every provider takes the keywords, and every model reads a description."""
    least, most = schema.get("minLength"), schema.get("maxLength")
    told = [f"at least {least} characters"] if least else []
    return ", ".join([*told, *([f"at most {most} characters"] if most is not None else [])])

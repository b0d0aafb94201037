"""How far a model's answer may lie from its earlier one and still count as the same: what its manifest declares. Pure.

Sums of floats come out otherwise on another processor or release of the runtime; how much of that is harmless only the
model's author can say. Without a declaration nothing is: then an answer is equal or different.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, cast

from interlock.plain_yaml import Mapping as Table
from interlock.plain_yaml import Node, Scalar, describe

CONFIDENCE = "confidence"
"""The name of the answer's confidence; every other name is a field of its output."""
EXACT: Mapping[str, Decimal] = MappingProxyType({})
_TODO = "write tolerance: {confidence: 0.001, total: 0.01}, each an absolute difference"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}\Z")
_PLAIN = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,12})?\Z")
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?\Z", re.ASCII)


def read_tolerance(root: Table, add: Callable[[Node, str, str], None]) -> Mapping[str, Decimal]:
    """The ``tolerance`` of a manifest, by field.

    Args:
        root: The manifest.
        add: Takes what is wrong: where, what, and what to do.
    """
    node = root.get("tolerance")
    if node is None:
        return EXACT
    if not isinstance(node, Table):
        add(node, f"tolerance is {describe(node)}", _TODO)
        return EXACT
    found: dict[str, Decimal] = {}
    for entry in node.entries:
        name, value = entry.key.text, entry.value
        if not _NAME.match(name):
            add(entry.key, f"{name[:60]!r} is no field of an output", _TODO)
        elif not isinstance(value, Scalar) or not _PLAIN.match(value.text):
            add(value, f"the tolerance of {name} is {describe(value)}", _TODO)
        elif name == CONFIDENCE and Decimal(value.text) > 1:
            add(value, f"the tolerance of the confidence is {value.text}, more than a confidence can be", _TODO)
        else:
            found[name] = Decimal(value.text)
    return MappingProxyType(found)


def tolerance_of(component: object) -> Mapping[str, Decimal]:
    """What a component's manifest declares; rules, and who declares nothing, are exact."""
    manifest: Any = getattr(component, "manifest", None)
    return cast("Mapping[str, Decimal]", getattr(manifest, "tolerance", EXACT))


def apart(one: object, other: object) -> Decimal | None:
    """How far two numbers lie apart, however they are written; None where one of them is none."""
    numbers = _number(one), _number(other)
    return None if numbers[0] is None or numbers[1] is None else abs(numbers[0] - numbers[1])


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    text = value if isinstance(value, str) else repr(float(value)) if isinstance(value, float) else str(value)
    try:
        return Decimal(text) if _NUMBER.match(text) else None
    except InvalidOperation:
        return None

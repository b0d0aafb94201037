"""Why a value does not keep a contract: every violation, in words, within a bound of work. Pure.

The quick verdict comes from the compiled JSON Schema (``compile``); this walk runs only after a no, and finds the
words. It follows the contract, never the data, so that neither depth nor size of hostile data costs more than its
bound.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import cast

import jsonschema_rs

from interlock.contracts.contract import Field, Shape
from interlock.contracts.exact import Fault, exact_fault, range_fault
from interlock.contracts.pattern import whole
from interlock.contracts.shown import Path, pointer, shown
from interlock.errors import Violation
from interlock.spelling import meant

MOST_LISTED = 100
"""Violations that one check lists."""
_MOST_VISITED = 20_000
"""Values that one walk looks at; a receipt of 2,000 words has about 12,000."""
_LARGEST_SHOWN = 10**12
"""Beyond it, a number is not written out again as a hint."""
_MOST_MEANT = 10
"""Unknown fields for which the likeliest known one is looked up; comparing names is slow."""


class Findings:
    """What one walk found.

    Attributes:
        violations: The first hundred.
        places: Where each stands; rules between fields leave these places alone.
        more: How many more there are.
        stopped: Whether the walk ended before it had seen everything.
    """

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.places: set[Path] = set()
        self.more = 0
        self.stopped = False
        self._visited = 0

    def visit(self) -> bool:
        """Count one value; False when the bound is reached."""
        self._visited += 1
        self.stopped = self._visited > _MOST_VISITED
        return not self.stopped

    def add(self, path: Path, fault: Fault) -> None:
        """Note what is wrong at a place."""
        self.places.add(path)
        self.note(Violation(where=pointer(path), what=fault.what, rule=fault.rule, todo=fault.todo))

    def note(self, violation: Violation) -> None:
        """List a violation, or count it once a hundred are listed."""
        if len(self.violations) < MOST_LISTED:
            self.violations.append(violation)
        else:
            self.more += 1

    def listed(self) -> tuple[Violation, ...]:
        """The violations, and one that says how many more there are."""
        if not self.more and not self.stopped:
            return tuple(self.violations)
        what = f"{'at least ' if self.stopped else ''}{self.more:,} more are not listed"
        return (*self.violations, Violation(where="", what=what, rule="more", todo="mend the ones before first"))


def explain(field: Field, value: object, path: Path, found: Findings) -> None:
    """Find everything that is wrong with a value.

    Args:
        field: What the contract says.
        value: What came.
        path: Where it stands.
        found: Where violations are noted.
    """
    if not found.visit():
        return
    if value is None and not field.required:
        return
    wrong = _type_fault(field, value)
    if wrong:
        found.add(path, wrong)
    elif field.shape is Shape.OBJECT:
        _explain_object(field, cast("dict[object, object]", value), path, found)
    elif field.shape is Shape.ARRAY:
        _explain_array(field, cast("Sequence[object]", value), path, found)
    else:
        for fault in _scalar_faults(field, value):
            found.add(path, fault)


def _type_fault(field: Field, value: object) -> Fault | None:
    accepted, noun = _TYPES[field.shape]
    if isinstance(value, accepted) and not (isinstance(value, bool) and field.shape is not Shape.BOOLEAN):
        return None
    todo = f"send {noun}"
    if value is None:
        todo = f"send {noun}; this field is required"
    elif field.shape is Shape.DECIMAL and isinstance(value, (int, float)):
        todo = (
            f'write it as a string, as in "{value:.2f}"'
            if abs(value) < _LARGEST_SHOWN
            else "write it as a string of digits"
        )
    elif field.shape is Shape.INTEGER and isinstance(value, float):
        todo = "send a whole number, without a point or an exponent"
    return Fault(f"{shown(value)} is not {noun}", "type", todo)


_TYPES: dict[Shape, tuple[tuple[type, ...], str]] = {
    Shape.STRING: ((str,), "a string"),
    Shape.DECIMAL: ((str,), "a string of decimal digits"),
    Shape.DATE: ((str,), 'a day as a string ("YYYY-MM-DD")'),
    Shape.TIMESTAMP: ((str,), 'a moment as a string ("2018-02-28T09:30:00Z")'),
    Shape.TIME: ((str,), 'a time of day as a string ("09:30:00")'),
    Shape.NUMBER: ((int, float), "a number"),
    Shape.INTEGER: ((int,), "a whole number"),
    Shape.BOOLEAN: ((bool,), "true or false"),
    Shape.OBJECT: ((dict,), "an object"),
    Shape.ARRAY: ((list, tuple), "an array"),
}


def _explain_object(field: Field, value: dict[object, object], path: Path, found: Findings) -> None:
    known = {child.name: child for child in field.fields}
    for name in value:
        if name in known:
            continue
        if not found.visit():
            return
        text = name if isinstance(name, str) else shown(name)
        # Looking for what was meant costs 100 us a name, so a flood of unknown names gets plain words.
        todo = meant(text, known) if len(found.violations) < _MOST_MEANT else "remove it"
        found.add((*path, text), Fault(f"{shown(name)} is no field of the contract", "unknown", todo))
    for child in field.fields:
        if child.name in value:
            explain(child, value[child.name], (*path, child.name), found)
        elif child.required:
            found.add((*path, child.name), Fault(f"{child.name} is missing", "required", f"send {_described(child)}"))


def _described(field: Field) -> str:
    noun = _TYPES[field.shape][1]
    return f"{noun}: {field.description}" if field.description else noun


def _explain_array(field: Field, value: Sequence[object], path: Path, found: Findings) -> None:
    low, high = field.min_items, field.max_items
    if high is not None and len(value) > high:
        # Its items are left alone: what a million items cost is not for the sender to decide.
        found.add(path, Fault(f"{len(value):,} items are more than {high:,}", "maxItems", f"send at most {high:,}"))
        return
    if low is not None and len(value) < low:
        found.add(path, Fault(f"{len(value):,} items are fewer than {low:,}", "minItems", f"send at least {low:,}"))
    if field.unique_items and not _unique(value):
        found.add(path, Fault("two items are the same", "uniqueItems", "send each item once"))
    if field.item is not None:
        for place, item in enumerate(value):
            if found.stopped:
                break
            explain(field.item, item, (*path, place), found)


def _scalar_faults(field: Field, value: object) -> list[Fault]:
    faults: list[Fault | None] = []
    if isinstance(value, str):
        faults = _text_faults(field, value) if field.shape is Shape.STRING else [exact_fault(field, value)]
    elif field.shape is Shape.NUMBER and isinstance(value, (int, float)):
        faults = [_number_fault(field, value)]
    elif field.shape is Shape.INTEGER and isinstance(value, int):
        faults = [range_fault(field, value, shown(value)), _multiple_fault(field, value)]
    if field.choices and value not in field.choices:
        listed = ", ".join(shown(choice) for choice in field.choices[:5])
        others = f" or one of {len(field.choices) - 5} more" if len(field.choices) > 5 else ""  # noqa: PLR2004 - enough to see
        faults.append(Fault(f"{shown(value)} is not one of the choices", "enum", f"send {listed}{others}"))
    if any(value == one and isinstance(value, bool) is isinstance(one, bool) for one in field.missing):
        faults.append(Fault(f"{shown(value)} stands for no value", "missingValues", "send a value, or leave it out"))
    return [fault for fault in faults if fault is not None]


def _text_faults(field: Field, value: str) -> list[Fault | None]:
    faults: list[Fault | None] = []
    if field.min_length is not None and len(value) < field.min_length:
        what = f"{shown(value)} has {len(value)} characters, fewer than {field.min_length}"
        faults.append(Fault(what, "minLength", f"send at least {field.min_length}"))
    if field.max_length is not None and len(value) > field.max_length:
        what = f"{shown(value)} has {len(value):,} characters, more than {field.max_length:,}"
        faults.append(Fault(what, "maxLength", f"send at most {field.max_length:,}"))
    if not _storable(value):
        what = f"{shown(value)} holds NUL or half of a surrogate pair"
        return [*faults, Fault(what, "characters", "remove the character")]
    if field.pattern and not _keyword("pattern", whole(field.pattern)).is_valid(value):
        faults.append(Fault(f"{shown(value)} does not match {field.pattern}", "pattern", "send text of that form"))
    if field.text_format and not _keyword("format", field.text_format).is_valid(value):
        what = f"{shown(value)} is no {field.text_format}"
        faults.append(Fault(what, "format", f"send a valid {field.text_format}"))
    return faults


def _storable(value: str) -> bool:
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


@functools.lru_cache(maxsize=1024)
def _keyword(keyword: str, demand: str | bool) -> jsonschema_rs.Draft202012Validator:  # noqa: FBT001 - JSON Schema's value
    # The same engine as the compiled schema's, or the two could disagree on what a pattern means.
    return jsonschema_rs.Draft202012Validator(
        {keyword: demand}, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions(), offline=True
    )


def _number_fault(field: Field, value: float) -> Fault | None:
    if isinstance(value, float):
        if not math.isfinite(value):
            return Fault(f"{value!r} is no JSON number", "type", "leave the field out if there is no value")
        # The bounds were read through the same shortest form, so this compares as the doubles themselves do.
        return range_fault(field, Decimal(repr(value)), shown(value))
    return range_fault(field, value, shown(value))


def _multiple_fault(field: Field, value: int) -> Fault | None:
    if field.multiple_of is None or value % int(field.multiple_of) == 0:
        return None
    return Fault(f"{shown(value)} is no multiple of {field.multiple_of:f}", "multipleOf", "send a multiple")


def _unique(items: Sequence[object]) -> bool:
    try:
        return _keyword("uniqueItems", True).is_valid(items)  # noqa: FBT003 - JSON Schema's value
    except ValueError:
        return False

"""The ``interlock`` section of a rules file: who answers for the rules, what goes in, what comes out. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from interlock.components.checking import FieldType, Shape
from interlock.components.faults import Faults
from interlock.components.syntax import WORDS

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
_MOST_PLACES = 9

_T = TypeVar("_T")


class InputField(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input of the rules.

    Attributes:
        type: Its type.
        description: What it means, for whoever reads the table.
        values: For a string: the only ones that may come; empty for any.
        if_missing: What stands for a missing or null value; None refuses the input. Choose one that lets a row answer
            which sends the decision to a person.
        days_since: Instead of being sent, it is the number of days from that date input until today in UTC.
    """

    type: FieldType
    description: str = ""
    values: tuple[str, ...] = ()
    if_missing: str | int | bool | None = None
    days_since: str = ""


class OutputField(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One output of the rules.

    Attributes:
        type: Its type; ``rows`` is what a table of hit policy collect gathers.
        description: What it means.
        values: For a string: the only ones that may come out; empty for any.
        places: For a decimal: how many decimals it has; None leaves them as they come.
        columns: For rows: each column.
    """

    type: FieldType
    description: str = ""
    values: tuple[str, ...] = ()
    places: int | None = None
    columns: dict[str, OutputField] = {}


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An input and the output that it must give; every example is run when the file is loaded.

    Attributes:
        input: The input.
        output: The whole output.
        now: The time of the decision, for inputs that count days.
        note: What it shows.
    """

    input: dict[str, Any]
    output: dict[str, Any]
    now: datetime | None = None
    note: str = ""


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``interlock`` section.

    Attributes:
        name: The component's name.
        version: Its version.
        owner: Who answers for it.
        description: What it decides.
        inputs: By name.
        outputs: By name.
        examples: In order.
    """

    name: str
    version: str
    owner: str
    description: str
    inputs: dict[str, InputField]
    outputs: dict[str, OutputField]
    examples: tuple[Example, ...] = ()


def read_header(value: object, faults: Faults) -> Header | None:
    """Read the section; None if it cannot be gone on with."""
    given = faults.object(value, "interlock")
    if given is None:
        return None
    inputs = _fields(given.get("inputs"), InputField, "interlock.inputs", faults)
    outputs = _fields(given.get("outputs"), OutputField, "interlock.outputs", faults)
    header = _convert({**given, "inputs": {}, "outputs": {}}, Header, "interlock", faults)
    if header is None:
        return None
    header = msgspec.structs.replace(header, inputs=inputs, outputs=outputs)
    for name, declared in inputs.items():
        _check_input(name, declared, inputs, faults)
    for name, declared in outputs.items():
        _check_output(f"interlock.outputs.{name}", declared, faults)
    return header


def _fields(value: object, kind: type[_T], where: str, faults: Faults) -> dict[str, _T]:
    given = faults.object(value, where) or {}
    if value is not None and not given:
        faults.add(where, "nothing is declared", "form", 'declare each, as in "total": {"type": "decimal"}')
    found: dict[str, _T] = {}
    for name, declared in given.items():
        usable_name(name, f"{where}.{name}", faults)
        converted = _convert(declared, kind, f"{where}.{name}", faults)
        if converted is not None:
            found[name] = converted
    return found


def usable_name(name: str, where: str, faults: Faults) -> None:
    """Note a name that an expression could not use."""
    if not _NAME.match(name) or name in WORDS:
        faults.add(where, f"{name!r} is no name", "name", "use letters, digits and _, and no word of the language")


def _convert(value: object, kind: type[_T], where: str, faults: Faults) -> _T | None:
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as cause:
        faults.add(where, str(cause), "form", "see docs/reference/decision-tables.md")
        return None


def _check_input(name: str, declared: InputField, inputs: Mapping[str, InputField], faults: Faults) -> None:
    where = f"interlock.inputs.{name}"
    if declared.type is FieldType.ROWS:
        faults.add(where, "an input of rows", "type", "send single values")
    if declared.values and declared.type is not FieldType.STRING:
        faults.add(where, f"values are listed for {declared.type}", "type", "list values for a string only")
    if declared.days_since:
        other = inputs.get(declared.days_since)
        if other is None or other.type is not FieldType.DATE or declared.type is not FieldType.INTEGER:
            faults.add(where, f"days_since {declared.days_since!r} counts from no date", "type", "name a date input")
        if declared.if_missing is not None:
            faults.add(where, "it is computed, so it is never missing", "type", "remove if_missing")


def _check_output(where: str, declared: OutputField, faults: Faults) -> None:
    if (declared.type is FieldType.ROWS) != bool(declared.columns):
        faults.add(where, "columns belong to rows, and rows need them", "type", "declare columns for rows only")
    if declared.values and declared.type is not FieldType.STRING:
        faults.add(where, f"values are listed for {declared.type}", "type", "list values for a string only")
    if declared.places is not None and (
        declared.type is not FieldType.DECIMAL or not 0 <= declared.places <= _MOST_PLACES
    ):
        faults.add(where, f"places {declared.places} for {declared.type}", "type", "give a decimal 0 to 9 places")
    for name, column in declared.columns.items():
        usable_name(name, f"{where}.columns.{name}", faults)
        if column.type is FieldType.ROWS:
            faults.add(f"{where}.columns.{name}", "rows within rows", "type", "declare single values")
        else:
            _check_output(f"{where}.columns.{name}", column, faults)


def input_shapes(header: Header) -> dict[str, Shape]:
    """The scope that the first node sees."""
    return {
        name: Shape(declared.type, values=frozenset(declared.values) or None)
        for name, declared in header.inputs.items()
    }

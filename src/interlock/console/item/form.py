"""The form of an output, made from its contract: what is asked for, how it is labelled, and what was typed. Pure.

A field of the form is named ``output:`` and the JSON Pointer of the value that it gives. Arrays, and objects below the
third level, are typed as JSON. Nothing is corrected in silence: what cannot be read is a violation at its field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from interlock.contracts.contract import Field, Shape
from interlock.contracts.door import read_json
from interlock.contracts.exact import EXACT, read_exact
from interlock.errors import MalformedJson, Violation

PREFIX = "output:"
WHOLE = "output:"
"""The field of the whole output, where there is no contract to make fields from."""
_DEEPEST = 3
_LONG = 160
_LONGEST_JSON = 200_000
_MOST_DIGITS = 60
_KINDS = {
    Shape.DATE: "date",
    Shape.DECIMAL: "decimal",
    Shape.INTEGER: "integer",
    Shape.NUMBER: "number",
    Shape.TIMESTAMP: "moment",
    Shape.TIME: "time",
    Shape.ARRAY: "json",
}
_UNITS = {
    Shape.DECIMAL: "an exact amount or number with a point, such as 31.00",
    Shape.DATE: "a day",
    Shape.INTEGER: "a whole number",
    Shape.NUMBER: "a number",
    Shape.TIMESTAMP: "a moment with its offset, such as 2026-02-28T09:30:00Z",
    Shape.TIME: "a time of day, such as 09:30:00",
    Shape.ARRAY: "a list, as JSON",
}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One field of the form, or a group of them.

    Attributes:
        name: Of the form's field.
        where: The JSON Pointer of its value.
        label: For people.
        hint: What belongs there, in words: description, unit, range.
        kind: ``text``, ``long``, ``choice``, ``boolean``, ``date``, ``decimal``, ``integer``, ``number``, ``moment``,
            ``time``, ``json`` or ``group``.
        required: Whether it must be filled in.
        value: What stands in it.
        choices: The only values, with the empty one first where it may be left out.
        longest: The most characters.
        wrong: What is wrong with what stands in it.
        number: Its place among the outermost fields, from 1; 0 within a group.
        parts: Of a group, its fields.
    """

    name: str
    where: str
    label: str
    hint: str
    kind: str
    required: bool
    value: str = ""
    choices: tuple[str, ...] = ()
    longest: int | None = None
    wrong: tuple[str, ...] = ()
    number: int = 0
    parts: tuple[Entry, ...] = ()

    @property
    def has_lines(self) -> bool:
        """Whether it needs more than one line: a field of one line would drop what parts lines."""
        return self.kind == "long" or (self.kind == "text" and ("\n" in self.value or "\r" in self.value))

    @property
    def input_type(self) -> str:
        """Of the field in HTML: a day that is none is kept as text, where a field for days would drop it."""
        is_day = self.value == "" or read_exact(Shape.DATE, self.value) is not None
        return "date" if self.kind == "date" and is_day else "text"


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed into a form.

    Attributes:
        output: What it says, as far as it can be read.
        violations: What cannot.
    """

    output: dict[str, Any]
    violations: tuple[Violation, ...]


def entries(record: Field | None, output: Mapping[str, Any] | None) -> tuple[Entry, ...]:
    """The fields of a form, filled with an output.

    Args:
        record: The contract's record; None: there is no contract, and the whole is typed as JSON.
        output: What stands in the fields at first.
    """
    if record is None:
        return (_whole(dict(output) if output is not None else None),)
    return tuple(_entry(field, f"/{_step(field.name)}", output, 1, n) for n, field in enumerate(record.fields, 1))


def refilled(
    record: Field | None, typed: Mapping[str, str], violations: tuple[Violation, ...]
) -> tuple[tuple[Entry, ...], tuple[Violation, ...]]:
    """The same form with what was typed, each violation at its field; and those that belong to no field."""
    made = tuple(_with(one, typed, violations) for one in entries(record, None))
    placed = {what for one in _leaves(made) for what in one.wrong}
    return made, tuple(one for one in violations if _said(one) not in placed)


def read_typed(record: Field | None, typed: Mapping[str, str], before: Mapping[str, Any] | None = None) -> Typed:
    """The output that a filled form says.

    Args:
        record: The contract's record; None: the whole stands as JSON in one field.
        typed: The form's fields by name; others are ignored.
        before: What stood in the fields at first. What was left as it was shown is exactly what it was: a browser sends
            every end of a line as CR LF, and what is empty and what is not there look alike.
    """
    if record is None:
        text = typed.get(WHOLE, "")
        if before is not None and _lines(text) == _whole(dict(before)).value:
            return Typed(output=dict(before), violations=())
        value, violations = _json(text, "")
        if not violations and not isinstance(value, dict):
            violations = (Violation(where="", what="an output is a JSON object", rule="type", todo='write {"…": …}'),)
        return Typed(output=cast("dict[str, Any]", value) if not violations else {}, violations=violations)
    found: list[Violation] = []
    return Typed(output=_object(record, "", typed, found, before), violations=tuple(found))


def _entry(field: Field, where: str, output: Mapping[str, Any] | None, depth: int, number: int = 0) -> Entry:
    value = cast("object", output.get(field.name)) if output is not None else None
    nested = field.shape is Shape.OBJECT and depth < _DEEPEST
    parts: tuple[Entry, ...] = ()
    if nested:
        inner = cast("Mapping[str, Any]", value) if isinstance(value, dict) else None
        parts = tuple(_entry(part, f"{where}/{_step(part.name)}", inner, depth + 1) for part in field.fields)
    return Entry(
        name=PREFIX + where,
        where=where,
        label=label_of(field.name),
        hint=hint_of(field),
        kind="group" if nested else _kind(field),
        required=field.required,
        value="" if nested else text_of(field, cast("object", value)),
        choices=_choices(field),
        longest=field.max_length,
        number=number,
        parts=parts,
    )


def _whole(output: dict[str, Any] | None) -> Entry:
    text = json.dumps(output, indent=2, ensure_ascii=False) if output is not None else ""
    return Entry(
        name=WHOLE, where="", label="Output", hint="the whole output, as JSON", kind="json", required=True, value=text,
        number=1,
    )  # fmt: skip


def _kind(field: Field) -> str:
    if field.choices:
        return "choice"
    match field.shape:
        case Shape.BOOLEAN:
            return "boolean"
        case Shape.OBJECT:
            return "json"
        case Shape.STRING:
            return "long" if field.max_length is not None and field.max_length > _LONG else "text"
        case _:
            return _KINDS[field.shape]


def label_of(name: str) -> str:
    """A field's name for people: ``line_total`` is ``Line total``."""
    words = name.replace("_", " ").replace("-", " ").strip() or name
    return words[:1].upper() + words[1:]


def hint_of(field: Field) -> str:
    """What belongs into a field, in words."""
    told = [field.description] if field.description else []
    if not field.choices and field.shape in _UNITS:
        told.append(_UNITS[field.shape])
    if field.low is not None:
        told.append(f"{'more than' if field.low.exclusive else 'at least'} {_plain(field.low.value)}")
    if field.high is not None:
        told.append(f"{'less than' if field.high.exclusive else 'at most'} {_plain(field.high.value)}")
    if field.decimals is not None and field.shape is Shape.DECIMAL:
        told.append(f"at most {field.decimals} digits after the point")
    if field.min_length:
        told.append(f"at least {field.min_length} characters")
    if field.max_length is not None and field.shape is Shape.STRING:
        told.append(f"at most {field.max_length} characters")
    if field.pattern:
        told.append(f"of the form {field.pattern}")
    if field.text_format:
        told.append(f"as {field.text_format}")
    return "; ".join(told)


def text_of(field: Field, value: object) -> str:
    """A value as it stands in its field."""
    if value is None:
        return ""
    if field.shape is Shape.BOOLEAN and isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and field.shape not in (Shape.ARRAY, Shape.OBJECT):
        return value
    indent = 2 if isinstance(value, (list, dict)) else None
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _choices(field: Field) -> tuple[str, ...]:
    if field.shape is Shape.BOOLEAN and not field.choices:
        return ("true", "false")
    return tuple(text_of(field, one) for one in field.choices)


def _with(entry: Entry, typed: Mapping[str, str], violations: tuple[Violation, ...]) -> Entry:
    here = tuple(_said(one) for one in violations if _belongs(one.where, entry))
    parts = tuple(_with(part, typed, violations) for part in entry.parts)
    return msgspec.structs.replace(entry, value=typed.get(entry.name, ""), wrong=here, parts=parts)


def _belongs(where: str, entry: Entry) -> bool:
    """Whether a violation is this field's: it is at it, or within what is typed as one text."""
    return where == entry.where or (entry.kind == "json" and where.startswith(f"{entry.where}/"))


def _said(one: Violation) -> str:
    return f"{one.what}: {one.todo}" if one.todo else one.what


def _leaves(made: tuple[Entry, ...]) -> list[Entry]:
    return [leaf for one in made for leaf in (one, *_leaves(one.parts))]


def _object(
    record: Field, where: str, typed: Mapping[str, str], found: list[Violation], before: Mapping[str, Any] | None
) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for field in record.fields:
        at = f"{where}/{_step(field.name)}"
        was: object = before.get(field.name) if before else None
        stood = before is not None and field.name in before
        if field.shape is Shape.OBJECT and where.count("/") + 1 < _DEEPEST:
            within = cast("Mapping[str, Any]", was) if isinstance(was, dict) else None
            inner = _object(field, at, typed, found, within)
            if inner or field.required or within is not None:
                said[field.name] = inner
            elif stood:
                said[field.name] = was
            continue
        text = typed.get(PREFIX + at, "")
        if stood and _lines(text) == _lines(text_of(field, was)):
            said[field.name] = was
            continue
        if text == "" and not _empty_counts(field):
            continue  # left out: where it is required, the contract says so
        value, wrong = _value(field, text, at)
        found.extend(wrong)
        if not wrong:
            said[field.name] = value
    return said


def _empty_counts(field: Field) -> bool:
    return field.shape is Shape.STRING and field.required and not field.choices


def _value(field: Field, text: str, at: str) -> tuple[Any, tuple[Violation, ...]]:
    if field.shape in (Shape.ARRAY, Shape.OBJECT):
        return _json(text, at)
    if field.choices:
        chosen = next((one for one in field.choices if _lines(text_of(field, one)) == _lines(text)), None)
        return (text, ()) if chosen is None else (chosen, ())  # the contract names the choices
    match field.shape:
        case Shape.BOOLEAN if text in ("true", "false"):
            return text == "true", ()
        case Shape.INTEGER | Shape.NUMBER:
            return _number(field, text.strip(), at)
        case shape if shape in EXACT:
            return text.strip(), ()
        case _:
            return _lines(text), ()


def _number(field: Field, text: str, at: str) -> tuple[Any, tuple[Violation, ...]]:
    wants = "a whole number" if field.shape is Shape.INTEGER else "a number"
    try:
        value: Any = msgspec.json.decode(text.encode()) if len(text) <= _MOST_DIGITS else None
    except (msgspec.DecodeError, UnicodeEncodeError):
        value = None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        shown = text if len(text) <= _MOST_DIGITS else f"{text[:_MOST_DIGITS]}…"
        return None, (Violation(where=at, what=f"{shown!r} is not {wants}", rule="type", todo="write plain digits"),)
    return value, ()


def _json(text: str, at: str) -> tuple[Any, tuple[Violation, ...]]:
    """A JSON value; what is wrong with it is said with its line."""
    if len(text) > _LONGEST_JSON:
        what = f"it has {len(text)} characters, and {_LONGEST_JSON} are the most"
        return None, (Violation(where=at, what=what, rule="size"),)
    try:
        return read_json_text(text), ()
    except MalformedJson as cause:
        what = f"{cause.where}: {cause.what}" if cause.where else cause.what
        return None, (Violation(where=at, what=what, rule="json", todo=cause.todo or "write JSON"),)


def read_json_text(text: str) -> Any:
    """JSON that a person typed, read as strictly as what comes from outside.

    Raises:
        MalformedJson: what cannot be read, or could be read in two ways, or cannot be stored; its place is named.
    """
    return read_json(text.encode("utf-8", "surrogatepass"))


def _lines(text: str) -> str:
    """A text with every end of a line as LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _step(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _plain(value: object) -> str:
    return format(value, "f") if hasattr(value, "as_tuple") else str(value)

"""Values from outside as our own types, naming everything that is wrong at once. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import EnumMeta
from typing import Any, TypeVar, cast, get_args

import msgspec
from msgspec.structs import FieldInfo

from interlock.contracts.shown import pointer, shown
from interlock.errors import ManyRefused, Violation
from interlock.spelling import meant

T = TypeVar("T", bound=msgspec.Struct)
_PLACE = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?\Z", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


def read_body(value: Any, kind: type[T]) -> T:
    """A JSON value as a struct, strictly: nothing is coerced, no field is unknown.

    Raises:
        ManyRefused: every field that is missing, unknown or of another type, by its JSON Pointer.
    """
    if not isinstance(value, dict):
        wrong = Violation(where="", what=f"{shown(value)} is no object", rule="type", todo="send a JSON object")
        raise ManyRefused("the body is not what this asks for", (wrong,))
    fields = cast("dict[str, Any]", value)
    return _read(fields, kind, "the body is not what this asks for", "/", strict=True)


def read_query(pairs: Sequence[tuple[str, str]], kind: type[T]) -> T:
    """The parameters of a query as a struct; each may stand once.

    Raises:
        ManyRefused: every parameter that is unknown, repeated, not of its form or holds NUL.
    """
    fields = dict(pairs)
    what = "the query is not what this asks for"
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = tuple(
            Violation(where=f"?{shown_name(name)}", what="stands twice", rule="repeated", todo="send it once")
            for name in fields
            if names.count(name) > 1
        )
        raise ManyRefused(what, twice)
    nul = tuple(
        Violation(where=f"?{shown_name(name)}", what="holds NUL", rule="characters", todo="remove the character")
        for name, value in pairs
        if "\0" in value
    )
    if nul:
        raise ManyRefused(what, nul)  # no text of the database can hold it
    return _read(fields, kind, what, "?", strict=False)


def shown_name(name: str) -> str:
    """A name as a pointer holds it: cut and printable."""
    return pointer((name,))[1:]


def _read(fields: Mapping[str, Any], kind: type[T], what: str, mark: str, *, strict: bool) -> T:
    infos = _fields(kind)
    if strict and fields.keys() <= infos.keys():
        try:
            return msgspec.convert(fields, kind, strict=True)
        except msgspec.ValidationError:
            pass  # it names the first thing that is wrong; below everything is
    wrong = [
        Violation(where=f"{mark}{shown_name(name)}", what="is not known here", rule="unknown", todo=meant(name, infos))
        for name in fields
        if name not in infos
    ]
    values: dict[str, Any] = {}
    for name, info in infos.items():
        if name not in fields:
            if info.required:
                wrong.append(Violation(where=f"{mark}{name}", what="is missing", rule="required", todo=f"send {name}"))
            continue
        try:
            values[info.name] = msgspec.convert(fields[name], info.type, strict=strict or _is_moment(info.type))
        except msgspec.ValidationError as cause:
            wrong.append(_violation(f"{mark}{name}", fields[name], info.type, str(cause)))
    if wrong:
        raise ManyRefused(what, tuple(wrong))
    return kind(**values)


@functools.cache  # the annotations are text, and reading them costs more than reading a body
def _fields(kind: type[msgspec.Struct]) -> Mapping[str, FieldInfo]:
    return {info.encode_name: info for info in msgspec.structs.fields(kind)}


@functools.cache
def _is_moment(kind: Any) -> bool:
    """Whether a type is that of a time: the lax way would take a number for seconds since 1970, which nobody means."""
    return kind is datetime or any(_is_moment(one) for one in get_args(kind))


def _violation(where: str, value: Any, kind: Any, message: str) -> Violation:
    parts = _PLACE.match(message)
    said, path = (parts["what"], parts["path"] or "") if parts else (message, "")
    steps = "".join(f"/{shown_name(name) or number}" for name, number in _STEP.findall(path))
    names = [str(member) for one in (kind, *get_args(kind)) if isinstance(one, EnumMeta) for member in one]
    todo = meant(value, names) if names and isinstance(value, str) else ""
    text = said[:1].lower() + said[1:] if "`" not in said[:1] else said
    return Violation(where=where + steps, what=f"{shown(value)}: {text}", rule="type", todo=todo)

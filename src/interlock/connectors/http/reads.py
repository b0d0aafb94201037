"""Facts over HTTP: what ``[connectors.NAME.reads.FACT]`` says, and what an answer shows of a fact. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import msgspec

from interlock.actions.connector import Read, Unknown
from interlock.connectors.http.answer import LARGEST_ANSWER, Answer
from interlock.connectors.http.template import KEY, Template
from interlock.connectors.table import Table, text_of
from interlock.contracts.door import read_json
from interlock.errors import MalformedJson, Refused
from interlock.setting_forms import Problems

READ_KEYS = ("method", "path", "value", "absent")

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}\Z")
_PATH = re.compile(r"/[\x21\x24-\x7e]*\Z")
_POINTER = re.compile(r"(/([^~/]|~[01])*)*\Z")
_INDEX = re.compile(r"(0|[1-9][0-9]{0,8})\Z")
_DECODER = msgspec.json.Decoder(float_hook=str)


@dataclass(frozen=True, slots=True)
class Reading:
    """How one fact is read.

    Attributes:
        name: Its name, which ``read`` in a workflow's file gives.
        path: Path and query, after the connector's url.
        pointer: Where its value stands in the answer: a JSON Pointer (RFC 6901); empty: the whole answer.
        absent: The status of an answer that says that there is no such thing.
    """

    name: str
    path: Template
    pointer: str
    absent: int


def read_readings(tables: Mapping[str, object], where: str) -> dict[str, Reading]:
    """Read all readings of a connector.

    Args:
        tables: As TOML gives them, by the reading's name.
        where: The connector's place in the settings, for messages.

    Raises:
        ConfigInvalid: anything is unknown, missing or malformed; all of it is named, with what to do.
    """
    problems = Problems()
    read: dict[str, Reading] = {}
    for name, value in tables.items():
        place = f"{where}.reads.{name}"
        if not _NAME.match(name):
            problems.add(
                place, f"{name[:60]!r} is no name", "start with a small letter; then small letters, digits, -, _"
            )
        table = Table.of(value, place, READ_KEYS, problems)
        if table is not None:
            table.read("method", _get, "GET")
            read[name] = Reading(
                name=name,
                path=table.read("path", _path, Template(()), required='write the path, as in "/vendors/{id}"'),
                pointer=table.read("value", _pointer, "", required='say where the value stands, as in "/status"'),
                absent=table.read("absent", _status, int(HTTPStatus.NOT_FOUND)),
            )
    problems.raise_any()
    return read


def judge_read(reading: Reading, answer: Answer) -> Read | Unknown:
    """What an answer shows of a fact. Numbers with a fraction are kept as text, digit by digit."""
    if answer.status == reading.absent:
        return Read(None)
    if answer.status != HTTPStatus.OK:
        return Unknown(f"it answered {answer.status}")
    try:
        read_json(answer.body, max_bytes=LARGEST_ANSWER)
        value: Any = _DECODER.decode(answer.body)
    except (MalformedJson, ValueError, RecursionError):
        return Unknown("it answered with a body that is no JSON")
    try:
        return Read(_at(value, reading.pointer))
    except LookupError:
        return Unknown(f"its answer has nothing at {reading.pointer}")


def _at(value: Any, pointer: str) -> Any:
    """The value at a JSON Pointer (RFC 6901, section 4).

    Raises:
        LookupError: there is none.
    """
    for part in pointer.split("/")[1:]:
        step = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping):
            value = cast("Mapping[str, Any]", value)[step]
        elif isinstance(value, list) and _INDEX.match(step):
            value = cast("list[Any]", value)[int(step)]
        else:
            raise LookupError(step)
    return value


def _get(value: object) -> str:
    if value != "GET":
        raise Refused(f"{value!r} may cause an effect", todo='write "GET", or leave it out')
    return "GET"


def _path(value: object) -> Template:
    text = text_of(value)
    if not _PATH.match(text):
        raise Refused(f"{text[:60]!r} is no path", todo='begin with "/", and percent-encode spaces and other letters')
    template = Template.parse(text)
    if KEY in template.names:
        raise Refused("a fact has no idempotency key", todo="name the parameter otherwise")
    return template


def _pointer(value: object) -> str:
    if not isinstance(value, str) or not _POINTER.match(value):
        raise Refused(f"{value!r} is no JSON Pointer", todo='write it as in "/status"; "" is the whole answer')
    return value


def _status(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 300 <= value <= 599:  # noqa: PLR2004 - RFC 9110
        raise Refused(f"{value!r} is no status that can say so", todo="write a whole number from 300 to 599")
    return value

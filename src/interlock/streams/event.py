"""An event as it comes in: a CloudEvent (CloudEvents 1.0.2, CNCF, 2022) with JSON data, read strictly. Pure.

The reading is our own: the library's makes up an id where there is none, which would turn every redelivery into a new
decision, takes duplicate keys and NaN, and raises whatever it stumbles over. The tests read what the library writes.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import msgspec

from interlock.contracts import read_json
from interlock.contracts.shown import shown
from interlock.decisions.origin import event_key
from interlock.errors import EventInvalid, MalformedJson, Violation

LARGEST_EVENT = 2_200_000
"""Bytes: the largest input of a decision, and its envelope."""
MOST_EVENTS = 10_000
LONGEST_ATTRIBUTE = 4096
_LEAST_INTEGER, _GREATEST_INTEGER = -(2**31), 2**31 - 1

_ATTRIBUTES = frozenset({"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"})
_NAME = re.compile(r"[a-z0-9]{1,100}\Z")
_NO_TEXT = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    + "".join(chr((plane << 16) + last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
"""What no string of a CloudEvent may hold: control characters, surrogates, noncharacters."""
_URI = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,30})?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)
_MEDIA = re.compile(r"([!#$&^_.+\-a-z0-9]+)/([!#$&^_.+\-a-z0-9]+)[ \t]*(;.*)?\Z", re.IGNORECASE | re.DOTALL)
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^";\s]*)', re.IGNORECASE)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event.

    Attributes:
        id: Which event of its source.
        source: Where it came from: a URI reference.
        type: What kind of event it is.
        data: The data: a JSON value.
        subject: What of its source it is about, or empty.
        time: When it happened, as its source wrote it, or empty.
        extensions: Other attributes: text, whole numbers and truth values.
    """

    id: str
    source: str
    type: str
    data: Any
    subject: str = ""
    time: str = ""
    extensions: Mapping[str, str | int | bool] = msgspec.field(default_factory=dict[str, "str | int | bool"])

    @property
    def key(self) -> str:
        """The idempotency key: CloudEvents' own identity, so that a redelivery is the same decision."""
        return event_key(self.source, self.id)

    def text(self, name: str) -> str:
        """An extension that is text; empty where there is none, or none of text."""
        value = self.extensions.get(name, "")
        return value if isinstance(value, str) else ""


def read_structured(body: bytes) -> Event:
    """An event in the JSON format: the content of ``application/cloudevents+json``.

    Raises:
        EventInvalid: it is no such event; everything that is wrong is named.
        MalformedJson: it is not the JSON that we accept.
    """
    return _read_members(read_json(body, max_bytes=LARGEST_EVENT))


def read_batch(body: bytes, *, max_bytes: int) -> list[Event | EventInvalid]:
    """Events in the JSON batch format: the content of ``application/cloudevents-batch+json``. One bad event never
    stops the rest.

    Raises:
        EventInvalid: it is no array, or one that is too long.
        MalformedJson: it is not the JSON that we accept.
    """  # noqa: D205 - one thought
    value = read_json(body, max_bytes=max_bytes)
    if not isinstance(value, list):
        wrong = Violation(where="", what=f"{shown(value)} is no array", rule="type", todo="send an array of events")
        raise EventInvalid("this is no batch of CloudEvents", (wrong,))
    members = cast("list[Any]", value)
    if len(members) > MOST_EVENTS:
        todo = f"send at most {MOST_EVENTS:,} at once"
        wrong = Violation(where="", what=f"there are {len(members):,} events", rule="size", todo=todo)
        raise EventInvalid("the batch is too long", (wrong,))
    return [_event_or_error(one, at) for at, one in enumerate(members)]


def read_binary(attributes: Sequence[tuple[str, str]], content_type: str, body: bytes, *, prefix: str) -> Event:
    """An event whose attributes came beside its data, as in headers.

    Args:
        attributes: Names without the prefix, in small letters, and values, decoded.
        content_type: Of the data; empty where nothing said it.
        body: The data.
        prefix: What stood before the names, so that what is wrong is named as it was sent.

    Raises:
        EventInvalid: it is no event; everything that is wrong is named.
        MalformedJson: the data are not the JSON that we accept.
    """
    members: dict[str, Any] = dict(attributes)
    wrong = [
        Violation(where=f"{prefix}{name}", what="does not belong here", rule="unknown", todo="remove it")
        for name in ("datacontenttype", "data", "data_base64")
        if name in members
    ]
    if len(members) < len(attributes):
        names = [name for name, _ in attributes]
        twice = sorted({name for name in names if names.count(name) > 1})
        wrong += [Violation(where=f"{prefix}{name}", what="stands there twice", rule="unique") for name in twice]
    if wrong:
        raise EventInvalid("this is no CloudEvent", tuple(wrong))
    if content_type:
        members["datacontenttype"] = content_type
    return _read(members, prefix, body)


def _event_or_error(value: Any, at: int) -> Event | EventInvalid:
    try:
        return _read_members(value, f"/{at}/")
    except EventInvalid as cause:
        return cause
    except MalformedJson as cause:  # of data in base64
        wrong = Violation(where=f"/{at}/data_base64", what=cause.what, rule="json", todo=cause.todo)
        return EventInvalid(cause.what, (wrong,))


def _read_members(value: Any, mark: str = "/") -> Event:
    if not isinstance(value, dict):
        wrong = Violation(where=mark[:-1], what=f"{shown(value)} is no object", rule="type", todo="send a CloudEvent")
        raise EventInvalid("this is no CloudEvent", (wrong,))
    # a member that is null is one that is not there: JSON event format, 2.2
    members = {name: member for name, member in cast("dict[str, Any]", value).items() if member is not None}
    if "data" not in members and "data" in value:
        members["data"] = None
    return _read(members, mark, None)


def _read(members: dict[str, Any], mark: str, body: bytes | None) -> Event:
    """An event of its members; the data stand among them, or are the body."""
    wrong: list[Violation] = []
    if members.get("specversion") != "1.0":
        what = f"is {shown(members['specversion'])}" if "specversion" in members else "is missing"
        wrong.append(Violation(where=f"{mark}specversion", what=what, rule="version", todo='send "1.0"'))
    wrong += [
        Violation(where=f"{mark}{name}", what="is missing", rule="required", todo=f"send {name}")
        for name in ("id", "source", "type")
        if name not in members
    ]
    extensions: dict[str, str | int | bool] = {}
    for name, member in members.items():
        if name in {"data", "data_base64"}:
            continue
        problem = _problem(name, member, loose=body is not None)
        if problem:
            wrong.append(Violation(where=f"{mark}{shown_name(name)}", what=problem, rule="attribute"))
        elif name not in _ATTRIBUTES:
            extensions[name] = member
    data = _data(members, mark, body, wrong)
    if wrong:
        raise EventInvalid("this is no CloudEvent that can be decided", tuple(wrong))
    return Event(
        id=members["id"],
        source=members["source"],
        type=members["type"],
        data=data,
        subject=members.get("subject", ""),
        time=members.get("time", ""),
        extensions=extensions,
    )


def shown_name(name: str) -> str:
    """A member's name in a JSON Pointer, of a length that can be read."""
    return name[:100].replace("~", "~0").replace("/", "~1")


def _problem(name: str, value: Any, *, loose: bool) -> str:
    """What is wrong with one attribute; empty if nothing is."""
    if name not in _ATTRIBUTES:
        return _extension_problem(name, value, loose=loose)
    if not isinstance(value, str) or not value:
        return f"{shown(value)} is no text that says anything"
    if problem := _text_problem(value):
        return problem
    if name in {"source", "dataschema"} and not _URI.match(value):
        return f"{shown(value)} is no URI (RFC 3986)"
    if name == "time" and not _is_time(value):
        return f"{shown(value)} is no time as in 2026-01-31T12:00:00Z (RFC 3339)"
    return ""


def _extension_problem(name: str, value: Any, *, loose: bool) -> str:
    if not _NAME.match(name):
        return "is no attribute's name: small letters and digits only"
    if isinstance(value, str):
        return _text_problem(value)
    if isinstance(value, bool) or (isinstance(value, int) and _LEAST_INTEGER <= value <= _GREATEST_INTEGER):
        return "" if not loose else "is no text"
    return f"{shown(value)} is neither text nor a whole number of 32 bits nor true nor false"


def _text_problem(value: str) -> str:
    if len(value) > LONGEST_ATTRIBUTE:
        return f"has {len(value):,} characters, more than {LONGEST_ATTRIBUTE:,}"
    if not (value.isascii() and value.isprintable()) and _NO_TEXT.search(value):
        return "holds a control character or a noncharacter"
    return ""


def _is_time(value: str) -> bool:
    if not _TIME.match(value):
        return False
    try:
        datetime.fromisoformat(value.upper())
    except ValueError:
        return False
    return True


def _data(members: Mapping[str, Any], mark: str, body: bytes | None, wrong: list[Violation]) -> Any:
    """The data, as a JSON value; what is wrong with their form is added to ``wrong``."""
    content_type = members.get("datacontenttype", "application/json")
    if not isinstance(content_type, str) or not is_json(content_type):
        todo = "send data as application/json, in UTF-8"
        wrong.append(
            Violation(where=f"{mark}datacontenttype", what=f"{shown(content_type)} is not JSON", rule="data", todo=todo)
        )
        return None
    if body is None and "data_base64" in members:
        if "data" in members:
            wrong.append(Violation(where=f"{mark}data_base64", what="stands beside data", rule="data"))
            return None
        try:
            body = b64decode(members["data_base64"], validate=True)
        except (binascii.Error, ValueError, TypeError):
            wrong.append(Violation(where=f"{mark}data_base64", what="is not base64 (RFC 4648)", rule="data"))
            return None
    if body is None:
        if "data" not in members:
            wrong.append(Violation(where=f"{mark}data", what="is missing", rule="required", todo="send data"))
        return members.get("data")
    if not body:
        wrong.append(Violation(where="", what="there is no data", rule="required", todo="send data"))
        return None
    return read_json(body, max_bytes=LARGEST_EVENT)


def is_json(content_type: str) -> bool:
    """Whether a media type says that the data are JSON in UTF-8."""
    found = _MEDIA.match(content_type)
    if not found:
        return False
    subtype = found[2].lower()
    if not (subtype == "json" or subtype.endswith("+json")):
        return False
    charset = _CHARSET.search(found[3] or "")
    return charset is None or charset[1].lower() in {"utf-8", "us-ascii"}

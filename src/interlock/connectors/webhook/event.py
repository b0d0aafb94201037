"""Events: what a webhook tells, and how its table in the settings is read. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from interlock.actions.connector import Request
from interlock.connectors.http.operation import Operation
from interlock.connectors.http.tables import body_of, failures
from interlock.connectors.http.template import Body, Template, filled
from interlock.connectors.table import Table, text_of
from interlock.errors import Refused
from interlock.setting_forms import Problems

EVENT_KEYS = ("type", "data", "not_executed", "refused", "code")
LARGEST_BODY = 256 * 1024
"""Bytes; the specification advises to stay below 20 kB."""

_ACTION = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}\Z")
_TYPE = re.compile(r"[A-Za-z0-9_]{1,64}(\.[A-Za-z0-9_]{1,64}){0,7}\Z")
_CODE = re.compile(r"[^.\s{}]{1,64}(\.[^.\s{}]{1,64}){0,7}\Z")


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of event.

    Attributes:
        type: Its name for receivers, such as ``invoice.paid``.
        data: What it tells, with templates; None: the action's whole payload.
        answers: How answers that are no success are read.
    """

    type: str
    data: Body
    answers: Operation

    def body(self, request: Request, now: datetime) -> bytes:
        """The bytes to send: the same at each attempt, as long as the request says when it was decided.

        Args:
            request: What the connector is asked.
            now: Stands in where the request does not say when it was decided; UTC.

        Raises:
            Refused: a name is missing in the payload, or it is too large.
        """
        data: Any = request.payload if self.data is None else filled(self.data, request.key, request.payload)
        at = (request.decided_at or now).astimezone(UTC).isoformat().replace("+00:00", "Z")
        content = msgspec.json.encode({"type": self.type, "timestamp": at, "data": data})
        if len(content) > LARGEST_BODY:
            raise Refused(
                f"the event has more than {LARGEST_BODY:,} bytes", todo="send what it is about, not all of it"
            )
        return content


def read_events(tables: Mapping[str, object], where: str) -> dict[str, Event]:
    """Read all events of a connector.

    Args:
        tables: As TOML gives them, by the action's name.
        where: The connector's place in the settings, for messages.

    Raises:
        ConfigInvalid: anything is unknown, missing or malformed; all of it is named, with what to do.
    """
    problems = Problems()
    if not tables:
        problems.add(where, "there are no operations", f"write a table [{where}.operations.NAME] for each action")
    read: dict[str, Event] = {}
    for name, value in tables.items():
        place = f"{where}.operations.{name}"
        if not _ACTION.match(name):
            problems.add(place, f"{name[:60]!r} is no name of an action", "use letters, digits, _ and -")
        table = Table.of(value, place, EVENT_KEYS, problems)
        if table is not None:
            read[name] = _event(name, table)
    problems.raise_any()
    return read


def _event(name: str, table: Table) -> Event:
    answers = Operation(
        name=name,
        method="POST",
        path=Template(()),
        body=None,
        success=frozenset(),
        not_executed=table.read("not_executed", failures, frozenset[int]()),
        refused=table.read("refused", failures, frozenset[int]()),
        pending=None,
        done=None,
        look_up=None,
        void=None,
        code=table.read("code", _code, ""),
        key_header="",
        key_bare=True,
    )
    if both := answers.not_executed & answers.refused:
        table.add("refused", f"{min(both)} is under not_executed too", "a status means one thing; remove it from one")
    return Event(
        type=table.read("type", _type, "", required='name the event for its receivers, as in "invoice.paid"'),
        data=table.read("data", body_of, None),
        answers=answers,
    )


def _type(value: object) -> str:
    text = text_of(value)
    if not _TYPE.match(text):
        raise Refused(f"{text[:60]!r} is no type of an event", todo="use letters, digits and _, joined by full stops")
    return text


def _code(value: object) -> str:
    text = text_of(value)
    if not _CODE.match(text):
        raise Refused(f"{text[:60]!r} is no field", todo="write name or name.name")
    return text

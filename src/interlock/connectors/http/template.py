"""Templates of the HTTP connector: ``{dotted.name}`` looks a value up, and nothing else happens. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from interlock.errors import Refused

KEY = "key"
"""The one name that is no field of the payload: the action's idempotency key."""

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,63}){0,7}\Z")
_NOT_A_SEGMENT = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True)
class Name:
    """A look-up.

    Attributes:
        dotted: The name as it was written: ``amount.currency``.
    """

    dotted: str


@dataclass(frozen=True, slots=True)
class Template:
    """A text with look-ups in it.

    Attributes:
        parts: Its texts and look-ups, in order.
    """

    parts: tuple[str | Name, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Read a template; ``{{`` and ``}}`` stand for single braces.

        Raises:
            Refused: a brace that is not closed or opened, or what stands in braces is no dotted name.
        """
        parts: list[str | Name] = []
        end = 0
        for token in _TOKEN.finditer(text):
            parts.append(text[end : token.start()])
            end = token.end()
            if token[0] in ("{{", "}}"):
                parts.append(token[0][0])
            elif token[1] is not None and _NAME.match(token[1]):
                parts.append(Name(token[1]))
            else:
                what = f"{token[0][:60]!r} in {text[:60]!r} is no look-up"
                raise Refused(what, todo="write {name} or {name.name}; {{ and }} stand for single braces")
        parts.append(text[end:])
        return cls(tuple(part for part in parts if part != ""))

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it looks up."""
        return tuple(part.dotted for part in self.parts if isinstance(part, Name))

    def value(self, key: str, payload: Mapping[str, Any]) -> Any:
        """Fill it in. A look-up that stands alone keeps its JSON type; beside text it becomes text.

        Raises:
            Refused: a name is missing, or its value has no plain text.
        """
        if len(self.parts) == 1 and isinstance(self.parts[0], Name):
            return _found(self.parts[0], key, payload)
        return self.text(key, payload)

    def text(self, key: str, payload: Mapping[str, Any]) -> str:
        """Fill it in as text.

        Raises:
            Refused: a name is missing, or its value is no text, whole number, true or false.
        """
        return "".join(part if isinstance(part, str) else _as_text(part, key, payload) for part in self.parts)

    def path(self, key: str, payload: Mapping[str, Any]) -> str:
        """Fill it in as the path and query of a URL; what is looked up is percent-encoded whole (RFC 3986).

        Raises:
            Refused: a name is missing, has no plain text, or would change the path: empty, ``.`` or ``..``.
        """
        filled: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                filled.append(part)
                continue
            text = _as_text(part, key, payload)
            if text in _NOT_A_SEGMENT:
                raise Refused(f"{part.dotted} is {text!r}, which cannot stand in a path")
            filled.append(quote(text, safe=""))
        return "".join(filled)


Body = Template | int | bool | None | list["Body"] | dict[str, "Body"]
"""JSON with templates for its strings."""


def filled(body: Body, key: str, payload: Mapping[str, Any]) -> Any:
    """A body as JSON values, each template filled in.

    Raises:
        Refused: a name is missing, or its value has no plain text where text is needed.
    """
    if isinstance(body, Template):
        return body.value(key, payload)
    if isinstance(body, list):
        return [filled(item, key, payload) for item in body]
    if isinstance(body, dict):
        return {name: filled(item, key, payload) for name, item in body.items()}
    return body


def field(value: object, dotted: str) -> object:
    """The field of a JSON object by its dotted name; None if there is none."""
    for step in dotted.split("."):
        if not isinstance(value, Mapping):
            return None
        value = cast("Mapping[str, object]", value).get(step)
    return value


def plain(value: object) -> str | None:
    """The text of a JSON scalar: a string itself, a whole number, true or false; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else None


def _found(name: Name, key: str, payload: Mapping[str, Any]) -> object:
    if name.dotted == KEY:
        return key
    value = field(payload, name.dotted)
    if value is None:
        todo = "pass it in the workflow's act(), or change the operation's template"
        raise Refused(f"the payload has no {name.dotted}", todo=todo)
    return value


def _as_text(name: Name, key: str, payload: Mapping[str, Any]) -> str:
    text = plain(_found(name, key, payload))
    if text is None:
        raise Refused(f"{name.dotted} is no text and no whole number", todo="look up one of its fields, or pass text")
    return text

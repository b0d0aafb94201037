"""What one operation of a SQL connector says: a statement, and what its parameters are filled with. Pure.

Nothing of an action ever becomes a part of a statement's text: values travel beside it, as parameters of the protocol.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, cast

from interlock.connectors.http.template import Template, plain
from interlock.contracts.canonical import canonical, digest
from interlock.db.text import storable
from interlock.errors import Refused
from interlock.money import Money

LONGEST_KEY = 1000
"""Bytes."""
_EXACT = re.compile(r"-?[0-9]{1,60}(\.[0-9]{1,60})?\Z")


class Form(StrEnum):
    """How a value of the payload becomes a parameter."""

    AS_IT_IS = ""
    NUMERIC = "numeric"
    MINOR = "minor"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a statement.

    Attributes:
        name: As the statement names it: ``%(name)s``.
        template: What it is filled with.
        form: Its type: as the JSON value is, an exact number, an amount in minor units, or JSON.
    """

    name: str
    template: Template
    form: Form

    def value(self, key: str, payload: Mapping[str, Any]) -> object:
        """The value that travels.

        Raises:
            Refused: the payload lacks it, or it has another type.
        """
        value = self.template.value(key, payload)
        match self.form:
            case Form.NUMERIC:
                return _numeric(self.name, value)
            case Form.MINOR:
                return _minor(self.name, value)
            case Form.JSON:
                return canonical(value).decode()
            case Form.AS_IT_IS:
                return _scalar(self.name, value)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of the settings.

    Attributes:
        name: The action's name in the workflow's file, or the fact's.
        text: The SQL, as bytes: the driver takes what is no literal only so.
        parameters: What its parameters are filled with.
        rows: How many rows it must change or give; None: any number.
    """

    name: str
    text: bytes
    parameters: tuple[Parameter, ...]
    rows: int | None = 1

    def values(self, key: str, payload: Mapping[str, Any]) -> dict[str, object]:
        """The parameters' values.

        Raises:
            Refused: the payload lacks one, or one has another type.
        """
        return {parameter.name: parameter.value(key, payload) for parameter in self.parameters}


def check_key(key: str) -> None:
    """See that a key can be kept: not empty, what a text column holds, and not longer than an index takes.

    Raises:
        Refused: it cannot.
    """
    if not key or storable(key) != key or len(key.encode()) > LONGEST_KEY:
        raise Refused(f"the key {key[:60]!r} cannot be kept", todo=f"use 1 to {LONGEST_KEY} bytes of text without NUL")


def request_hash(operation: str, payload: Mapping[str, Any]) -> bytes:
    """What tells two requests under one key apart: SHA-256 over operation and payload, 32 bytes.

    Not over the parameters: a template that is mended between two attempts makes no other request of it.

    Raises:
        MalformedJson: the payload has no canonical form.
    """
    return digest(canonical({"operation": operation, "payload": payload}))


def _scalar(name: str, value: object) -> object:
    if not isinstance(value, str | bool | int):
        todo = 'look up one of its fields, or write as = "json", or as = "minor" for an amount'
        raise Refused(f"{name} is no text, whole number, true or false", todo=todo)
    if isinstance(value, str) and storable(value) != value:
        raise Refused(
            f"{name} has a character that no text of a database holds", todo="leave out NUL and lone surrogates"
        )
    return value


def _numeric(name: str, value: object) -> Decimal:
    text = None if isinstance(value, bool) else plain(value)
    if text is None or not _EXACT.match(text):
        raise Refused(f"{name} is {value!r:.60}, which is no exact number", todo='pass it as text: "12.30"')
    return Decimal(text)


def _minor(name: str, value: object) -> int:
    if not isinstance(value, Mapping):
        raise Refused(f"{name} is no amount", todo='look up a whole amount: {"amount": "12.30", "currency": "MYR"}')
    amount = cast("Mapping[str, object]", value)
    number, currency = amount.get("amount"), amount.get("currency")
    if not isinstance(number, str) or not isinstance(currency, str):
        raise Refused(f"{name} is no amount", todo='look up a whole amount: {"amount": "12.30", "currency": "MYR"}')
    return Money(number, currency).minor

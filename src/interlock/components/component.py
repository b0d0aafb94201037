"""What can decide: the types that every kind of component shares. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from interlock.errors import Refused


class Kind(StrEnum):
    """How a component comes to its answer."""

    ONNX = "onnx"
    RULES = "rules"
    PERSON = "person"


class ComponentRef(msgspec.Struct, frozen=True):
    """The name by which a workflow's file asks for a component: ``onnx:receipt-fields@3``, or ``person``.

    Attributes:
        kind: How it comes to its answer.
        name: Its name; for a person, the queue's owner decides, and the name is ``person``.
        version: Its version as its author wrote it; empty for a person.
    """

    kind: Kind
    name: str
    version: str = ""

    @classmethod
    def parse(cls, text: str) -> ComponentRef:
        """Read ``kind:name@version`` or ``person``.

        Raises:
            Refused: not of that form, or no such kind.
        """
        if text == Kind.PERSON:
            return cls(Kind.PERSON, "person")
        kind, _, rest = text.partition(":")
        name, _, version = rest.partition("@")
        if kind not in (Kind.ONNX, Kind.RULES) or not name or not version:
            raise Refused(
                f"{text!r} names no component",
                todo="write onnx:NAME@VERSION, rules:NAME@VERSION or person",
            )
        return cls(Kind(kind), name, version)

    def __str__(self) -> str:
        return str(self.kind) if self.kind is Kind.PERSON else f"{self.kind}:{self.name}@{self.version}"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a component is asked.

    Attributes:
        input: The input, already checked against its contract. Amounts of money are strings of exact decimals.
        now: The time of the decision in UTC, so that a component needs no clock.
    """

    input: Mapping[str, Any]
    now: datetime


class FiredRule(msgspec.Struct, frozen=True, kw_only=True):
    """The row of a decision table that answered, in words that an auditor can compare with the file.

    Attributes:
        table: The table's name in its file.
        row: The row's number as a reader counts, from 1.
        cells: The text of each cell of the row, by column title.
        note: The row's own description, if it has one.
    """

    table: str
    row: int
    cells: dict[str, str]
    note: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a component answers.

    Attributes:
        output: The answer itself; it is checked against the output contract afterwards. Money as exact strings.
        confidence: How likely the component holds its output to be right, from 0 to 1, calibrated. Rules say 1.
        evidence: What the answer rests on, for a reviewer: per-field confidences, places in the input, runners-up.
        fired: The rules that fired, for a rules component.
        cost: What the answer cost in USD beside compute (tokens, calls); exact.
    """

    output: dict[str, Any]
    confidence: float
    evidence: dict[str, Any] = {}
    fired: tuple[FiredRule, ...] = ()
    cost: Decimal = Decimal(0)


class Component(Protocol):
    """What the decision path asks. Two kinds fulfil it by computing (onnx, rules); a person is asked by a review."""

    @property
    def ref(self) -> ComponentRef:
        """The name that workflows use."""
        ...

    @property
    def digest(self) -> bytes:
        """SHA-256 over everything that makes the answer: manifest, model files, tables, code. 32 bytes."""
        ...

    def answer(self, question: Question) -> Answer:
        """Answer, in the calling thread, without I/O.

        Raises:
            ComponentFailed: there is no usable answer; the declared fallback takes over.
        """
        ...

"""What can decide: the types that every kind of component shares. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from interlock.errors import Refused, Violation
from interlock.usage import Usage


class Kind(StrEnum):
    """How a component comes to its answer."""

    ONNX = "onnx"
    RULES = "rules"
    LLM = "llm"
    PERSON = "person"


OUTSIDE = frozenset({Kind.LLM})
"""Kinds that ask somebody outside: they take long, may cost money, and are awaited."""


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
        if kind not in (Kind.ONNX, Kind.RULES, Kind.LLM) or not name or not version:
            raise Refused(
                f"{text[:60]!r} names no component",
                todo="write onnx:NAME@VERSION, rules:NAME@VERSION, llm:NAME@VERSION or person",
            )
        return cls(Kind(kind), name, version)

    def __str__(self) -> str:
        return str(self.kind) if self.kind is Kind.PERSON else f"{self.kind}:{self.name}@{self.version}"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The form that the answer must have: the contract of the decision's output, for components that are told it.

    Attributes:
        contract: Its name and full version, such as ``category@1.2.0``.
        schema: The contract as a JSON Schema (2020-12).
        violations: What of the contract a JSON value breaks.
    """

    contract: str
    schema: Mapping[str, Any]
    violations: Callable[[Any], tuple[Violation, ...]]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a component is asked.

    Attributes:
        input: The input, already checked against its contract. Amounts of money are strings of exact decimals.
        now: The time of the decision in UTC, so that a component needs no clock.
        wanted: The form that the answer must have; only a component that asks outside is told it.
    """

    input: Mapping[str, Any]
    now: datetime
    wanted: Wanted | None = None


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
        usage: The tokens that it used up; None: it uses none.
    """

    output: dict[str, Any]
    confidence: float
    evidence: dict[str, Any] = {}
    fired: tuple[FiredRule, ...] = ()
    cost: Decimal = Decimal(0)
    usage: Usage | None = None


class Tally:
    """What one asking has used up so far. Whoever asks may keep it: it counts even if the asking is cut off.

    Attributes:
        cost: In USD, exact.
        usage: In tokens and requests.
    """

    def __init__(self) -> None:
        self.cost = Decimal(0)
        self.usage = Usage()

    def add(self, usage: Usage, cost: Decimal) -> None:
        """Count one more request."""
        self.usage += usage
        self.cost += cost


class Component(Protocol):
    """What the decision path asks: onnx and rules compute, llm asks outside, and a person is asked by a review."""

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


class OutsideComponent(Component, Protocol):
    """A component that asks somebody outside (kind llm). It is asked on the event loop; ``answer`` always refuses."""

    def most_cost(self, question: Question) -> Decimal | None:
        """The most that asking this can cost, with every attempt, repair and sample; asked before anything is paid.

        Args:
            question: As for ``ask``.

        Returns:
            USD, exact; None: nobody can say, so that no budget allows it.
        """
        ...

    async def ask(self, question: Question, *, until: float, tally: Tally | None = None) -> Answer:
        """Ask, and answer by a deadline.

        Args:
            question: With what is ``wanted``.
            until: The deadline on the event loop's clock (``loop.time()``), at which it fails as late by itself.
            tally: Where to count what it uses up, if the caller wants to know that even when it cuts the asking off.

        Raises:
            ComponentLate: there was no answer in time.
            ComponentFailed: there is no usable answer. Both bear what the asking cost.
        """
        ...

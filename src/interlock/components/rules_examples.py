"""A table's own examples, each run and shown: what it must give, what it gives, and the rows that fired."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from interlock.components.component import FiredRule, Question
from interlock.components.rules import Rules, load_rules
from interlock.errors import ComponentFailed, RulesInvalid, Violation

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One example and what came of it.

    Attributes:
        number: Its number in the file, from 1.
        note: What it shows.
        input: Its input.
        expected: The output that it must give.
        got: The output that it gives; None if it fails.
        failed: Why there is no output.
        fired: The rows that fired.
    """

    number: int
    note: str
    input: dict[str, Any]
    expected: dict[str, Any]
    got: dict[str, Any] | None
    failed: str = ""
    fired: tuple[FiredRule, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether it gives what it must."""
        return self.got == self.expected


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """A file whose examples were run.

    Attributes:
        rules: ``rules:NAME@VERSION``.
        tried: Every example, in order.
        wrong: What else is wrong with the file, such as a row that no example and no input known fires.
    """

    rules: str
    tried: tuple[Tried, ...]
    wrong: tuple[Violation, ...]

    @property
    def passes(self) -> bool:
        """Whether there are examples, all of them pass, and nothing else is wrong."""
        return bool(self.tried) and not self.wrong and all(one.passes for one in self.tried)


def run_examples(data: bytes, file: str) -> Tested:
    """Run the examples of a rules file.

    Raises:
        RulesInvalid: the file cannot be run at all; everything that is wrong is named.
    """
    rules = Rules.unproven(data, file)
    return Tested(
        rules=str(rules.ref),
        tried=tuple(_try(rules, number) for number in range(1, len(rules.header.examples) + 1)),
        wrong=_else_wrong(data, file),
    )


def _try(rules: Rules, number: int) -> Tried:
    example = rules.header.examples[number - 1]
    shown = Tried(number=number, note=example.note, input=example.input, expected=example.output, got=None)
    unknown = sorted(example.input.keys() - rules.header.inputs.keys())
    if unknown:
        return msgspec.structs.replace(shown, failed=f"its input {unknown[0]!r} is declared nowhere")
    try:
        answer = rules.answer_by_zen(Question(input=example.input, now=example.now or _EPOCH))
    except ComponentFailed as cause:
        return msgspec.structs.replace(shown, failed=cause.what)
    return msgspec.structs.replace(shown, got=answer.output, fired=answer.fired)


def _else_wrong(data: bytes, file: str) -> tuple[Violation, ...]:
    try:
        load_rules(data, file)
    except RulesInvalid as cause:
        return tuple(one for one in cause.violations if one.rule != "example")
    return ()

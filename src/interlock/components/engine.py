"""The one place that talks to zen-engine (https://gorules.io): texts and JSON go in, plain values come out.

What the engine does in silence stands here once, each shown by ``tests/unit/components/test_engine.py``:

- A cell or output that does not parse passes ``create_decision`` and ``validate``; then its row never fires.
- A cell or output that fails while it runs makes the engine go on to the next row.
- Input that lacks a field, or has another type, gives ``{}`` or the default row.
- Numbers are decimals of 28 digits inside, but come out as floats; ``string()`` gives them exactly.
- Fractions of 30 digits and more are read as floats.
- A division by zero is null, and ``len`` of text counts bytes.

Therefore nothing reaches the engine that ``checking`` has not typed, and nothing leaves it but strings and their types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, cast

import msgspec
import zen

from interlock.errors import ComponentFailed


class _Runs(Protocol):
    """What of zen's two objects is used; they lack full types of their own."""

    def evaluate(self, context: str, options: Mapping[str, bool] | None = ..., /) -> object: ...


class _Evaluates(Protocol):
    def evaluate(self, context: str, /) -> object: ...


Fact = Decimal | str | bool
"""A value that the engine may be given. Numbers are exact."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a decision gave.

    Attributes:
        result: The output node's value.
        trace: By node id what the node noted: for a table the rows that fired, None if none did.
    """

    result: Mapping[str, Any]
    trace: Mapping[str, Any]


class Decision:
    """A decision graph, ready to run; threads may share it.

    Args:
        content: The graph as JDM. It must have been linted: the engine itself accepts nearly anything.

    Raises:
        ComponentFailed: the engine refuses the graph.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        try:
            decision = zen.ZenEngine().create_decision(msgspec.json.encode(content).decode())
            decision.validate()
        except Exception as cause:
            raise ComponentFailed(f"the rule engine refuses the graph: {reason(cause)}") from cause
        self._decision = cast("_Runs", decision)

    def evaluate(self, facts: Mapping[str, Fact]) -> Evaluated:
        """Run it on some facts.

        Raises:
            ComponentFailed: a node failed.
        """
        context = exact_json(facts)
        try:
            response = cast("Mapping[str, Any]", self._decision.evaluate(context, {"trace": True}))
        except Exception as cause:
            raise ComponentFailed(f"the rule engine gave no result: {reason(cause)}") from cause
        result, trace = response.get("result"), response.get("trace")
        if not isinstance(result, dict) or not isinstance(trace, dict):
            raise ComponentFailed("the rule engine gave no result of the form that it documents")
        notes = cast("Mapping[str, Mapping[str, Any]]", trace)
        return Evaluated(
            cast("Mapping[str, Any]", result), {node: noted.get("traceData") for node, noted in notes.items()}
        )


class Formula:
    """One expression, ready to run.

    Args:
        text: The expression; it must have been checked.

    Raises:
        ComponentFailed: the engine refuses it.
    """

    def __init__(self, text: str) -> None:
        try:
            # the engine knows no carriage return; outside of strings, which hold none, it is as good as a space
            compiled = zen.compile_expression(text.replace("\r", " "))
        except Exception as cause:
            raise ComponentFailed(f"the rule engine refuses {text!r}: {reason(cause)}") from cause
        self._compiled = cast("_Evaluates", compiled)

    def evaluate(self, facts: Mapping[str, Fact]) -> object:
        """Its value; numbers come out as floats, so ask for ``string(...)``.

        Raises:
            ComponentFailed: it failed, by overflow for example.
        """
        try:
            return self._compiled.evaluate(exact_json(facts))
        except Exception as cause:
            raise ComponentFailed(f"the rule engine gave no result: {reason(cause)}") from cause


def exact_json(facts: Mapping[str, Fact]) -> str:
    """Facts as JSON in which every number stands with all its digits and no exponent.

    Raises:
        ComponentFailed: a text holds what is no Unicode.
    """
    plain = {
        name: msgspec.Raw(format(fact, "f").encode()) if isinstance(fact, Decimal) else fact
        for name, fact in facts.items()
    }
    try:
        return msgspec.json.encode(plain).decode()
    except UnicodeEncodeError as cause:
        raise ComponentFailed("a text holds half a surrogate pair", todo="refuse such text at the door") from cause


def reason(cause: BaseException) -> str:
    """The engine's message without the stack of the machine that it appends."""
    return str(cause).split("\n\nStack backtrace", 1)[0].replace("\n", " ").strip()[:300]

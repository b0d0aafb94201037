"""Reading recorded evaluations of components: one JSON object a line, an example each. Pure.

    {"components": {"onnx:small@1": {"confidence": 0.97, "correct": true, "cost": "0.0001 USD"}, ...}}

Every example has every component of the cascade. ``cost`` may be left out where asking costs nothing beside compute.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Annotated

import msgspec
import numpy as np

from interlock.decisions.purse import billionths
from interlock.decisions.tune import Evaluations
from interlock.errors import ManyRefused, Violation

MOST_EXAMPLES = 1_000_000
_MOST_WRONG = 20
_USD = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})? USD\Z")


class Evaluated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one component did on one example.

    Attributes:
        confidence: How sure it was.
        correct: Whether its answer was right.
        cost: What asking it cost: "0.0012 USD", exact to a billionth.
    """

    confidence: Annotated[float, msgspec.Meta(ge=0, le=1)]
    correct: bool
    cost: str = "0 USD"


class Example(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One example.

    Attributes:
        components: How each component did on it, by reference.
        id: What it was, for whoever looks at the file.
    """

    components: dict[str, Evaluated]
    id: str = ""


_decoder = msgspec.json.Decoder(Example)


def read_evaluations(lines: Iterable[bytes], components: Sequence[str], file: str) -> Evaluations:
    """The evaluations of a cascade's components.

    Args:
        lines: The file's; empty ones are passed over.
        components: The references of the cascade, in order.
        file: Its name, for the places of what is wrong.

    Raises:
        ManyRefused: what is wrong with the first lines that are wrong, with their numbers.
    """
    confidence: list[list[float]] = []
    correct: list[list[bool]] = []
    cost: list[list[int]] = []
    wrong: list[Violation] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if len(confidence) >= MOST_EXAMPLES:
            wrong.append(_wrong(file, number, f"is beyond {MOST_EXAMPLES} examples", "take a sample"))
            break
        try:
            row = _row(_decoder.decode(line), components)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as cause:
            wrong.append(_wrong(file, number, str(cause), "write it as in the documentation"))
            if len(wrong) >= _MOST_WRONG:
                break
            continue
        confidence.append([one.confidence for one in row])
        correct.append([one.correct for one in row])
        cost.append([billionths(Decimal(one.cost.removesuffix(" USD"))) for one in row])
    if not confidence and not wrong:
        wrong.append(_wrong(file, 1, "no example stands in it", "write one JSON object a line"))
    if wrong:
        raise ManyRefused("the evaluations cannot be used", tuple(wrong), where=file)
    return Evaluations(
        np.array(confidence, dtype=np.float64), np.array(correct, dtype=np.bool_), np.array(cost, dtype=np.int64)
    )


def _row(example: Example, components: Sequence[str]) -> list[Evaluated]:
    missing = [name for name in components if name not in example.components]
    if missing:
        raise ValueError(f"{', '.join(missing)} is missing; every example has every component of the point")
    unknown = sorted(example.components.keys() - set(components))
    if unknown:
        raise ValueError(f"{', '.join(unknown)[:200]} is no component of the point: {', '.join(components)}")
    row = [example.components[name] for name in components]
    for one in row:
        if not _USD.match(one.cost):
            raise ValueError(f"{one.cost[:60]!r} is no cost; write it in USD, as in 0.0012 USD")
    return row


def _wrong(file: str, number: int, what: str, todo: str) -> Violation:
    return Violation(where=f"{file}:{number}", what=what, rule="evaluation", todo=todo)

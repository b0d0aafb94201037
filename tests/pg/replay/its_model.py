"""The code of a model whose answers wander, as sums of floats do on another machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.components.component import Answer

off = 0.0
"""How far the confidence lies from where it was."""
reason = "within_policy"


def read(value: Mapping[str, Any], run: object) -> Answer:
    """Say yes."""
    del value, run
    return Answer(output={"approved": True, "reason": reason}, confidence=0.75 + off)


def age(value: Mapping[str, Any], now: object) -> int:
    """A feature."""
    del now
    return int(value["days_since_purchase"]) + round(off)

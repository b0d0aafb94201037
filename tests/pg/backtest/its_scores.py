"""The code of two models: how sure they are stands in the input, and the second one says no to what is old."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.components.component import Answer


def first(value: Mapping[str, Any], run: object) -> Answer:
    """Say yes to everything."""
    del run
    return Answer(output={"approved": True, "reason": "within_policy"}, confidence=_sure(value))


def second(value: Mapping[str, Any], run: object) -> Answer:
    """Say no to what is older than ten days."""
    del run
    old = value["days_since_purchase"] > 10
    output = {"approved": not old, "reason": "too_late" if old else "within_policy"}
    return Answer(output=output, confidence=_sure(value))


def _sure(value: Mapping[str, Any]) -> float:
    return int(value["customer"].removeprefix("sure-")) / 100

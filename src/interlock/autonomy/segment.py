"""Which segment a decision is in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

LONGEST_SEGMENT = 100


def segment_of(path: str, value: Mapping[str, Any], output: Mapping[str, Any]) -> str | None:
    """The segment of a decision; empty where the point declares none; None: it is not known, so a person decides.

    Args:
        path: Where it stands, as ``input.grade`` or ``output.kind``; empty: there is one segment.
        value: The checked input.
        output: The answer, as it stands in the record: what is veiled there is the same token in both places.
    """
    if not path:
        return ""
    root, *names = path.split(".")
    found: Any = output if root == "output" else value
    for name in names:
        found = cast("Mapping[str, Any]", found).get(name) if isinstance(found, Mapping) else None
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, (str, int)):
        text = str(found)
        return text if 0 < len(text) <= LONGEST_SEGMENT else None
    return None

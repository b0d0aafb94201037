"""Regular expressions of contracts: linear in time, and about the whole value. Pure.

JSON Schema's ``pattern`` looks for a match anywhere, so ``[a-z]+`` would accept ``"DROP x"``. A contract must therefore
say both ends, and the ends hold for every alternative. Look-around and back-references are refused: they make the time
of a match depend on the sender.
"""

from __future__ import annotations

import jsonschema_rs


def whole(pattern: str) -> str:
    """A pattern with both anchors, as an expression that holds them for all of its alternatives."""
    return f"^(?:{pattern[1:-1]})$"


def pattern_fault(pattern: str) -> str:
    """Why a pattern cannot be used; empty if it can."""
    if not (pattern.startswith("^") and pattern.endswith("$")) or pattern.endswith("\\$"):
        return f"{pattern!r} does not say both ends: write ^...$ for the whole value, or ^.*(...).*$ for any part of it"
    try:
        jsonschema_rs.Draft202012Validator(
            {"pattern": whole(pattern)}, pattern_options=jsonschema_rs.RegexOptions(), offline=True
        )
    except ValueError:
        return f"{pattern!r} is no regular expression of linear time: remove look-around, back-references or mistakes"
    return ""

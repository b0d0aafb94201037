"""What a comparison of rules tells of personal decisions: how many change and in which field, never to what. Pure."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from interlock.decisions.rules_diff import FAILS, ROUTE, Diff, Difference, Outcome, Tally
from interlock.privacy.token import HIDDEN

_PLAIN = frozenset({"true", "false", FAILS})
"""Values that tell nothing of a person."""


def unsaid(result: Diff) -> Diff:
    """A comparison without the values of personal decisions; routes, rows and money stay."""
    return structs.replace(
        result, tallies=tuple(map(_tally, result.tallies)), examples=tuple(map(_difference, result.examples))
    )


def _tally(tally: Tally) -> Tally:
    if tally.field == ROUTE:
        return tally
    return structs.replace(tally, before=_value(tally.before), after=_value(tally.after))


def _value(text: str) -> str:
    return text if text in _PLAIN else HIDDEN


def _difference(one: Difference) -> Difference:
    return structs.replace(one, old=_outcome(one.old), new=_outcome(one.new))


def _outcome(one: Outcome) -> Outcome:
    output: dict[str, Any] | None = None
    if one.output is not None:
        output = {name: value if isinstance(value, bool) else HIDDEN for name, value in one.output.items()}
    return structs.replace(one, output=output, fails=one.fails and HIDDEN)

"""What somebody sent from the page of a review: the choice, its reason, and the output that they typed. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast

import msgspec

from interlock.errors import Refused, Violation
from interlock.oversight.review import Resolution
from interlock.privacy.token import HIDDEN, MARKER, TOKEN, hide_in

_FIXED = frozenset(
    {
        "resolution",
        "note",
        "shown",
        "confirmed",
        "then",
        "reason_approve",
        "reason_change",
        "reason_reject",
        "view",
        "read_at",
        "at_stake",
    }
)


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent.

    Attributes:
        resolution: The choice; None: nothing is chosen.
        reason_code: Why.
        reasons: What was chosen as a reason for each choice, to be shown again.
        note: Why, in words.
        shown: The digest of what was on the page.
        confirmed: The digest of the output whose difference to the proposal was on the page.
        goes_on: Whether the next item is wanted.
        fields: The fields of the output.
        view: The view of the queue that they work in, as its query.
        read_at: When the page was read, as it says.
        at_stake: What was at stake then, as it says.
    """

    resolution: Resolution | None
    reason_code: str
    reasons: Mapping[str, str]
    note: str
    shown: str
    confirmed: str
    goes_on: bool
    fields: Mapping[str, str]
    view: str = ""
    read_at: datetime | None = None
    at_stake: str = ""


def read_said(pairs: Iterable[tuple[str, str]]) -> Said:
    """The form of a page.

    Raises:
        Refused: a field stands twice or is none of the page's, or the choice is none.
    """
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise Refused(f"the field {name[:80]!r} was sent twice", where=name[:80], todo="load the page anew")
        if name not in _FIXED and not name.startswith("output:"):
            raise Refused(f"there is no field {name[:80]!r}", where=name[:80], todo="load the page anew")
        fields[name] = value
    chosen = fields.get("resolution", "")
    if chosen and chosen not in set(Resolution):
        raise Refused(f"there is no choice {chosen[:80]!r}", where="resolution", todo="choose one of the page's")
    return Said(
        resolution=Resolution(chosen) if chosen else None,
        reason_code=fields.get(f"reason_{chosen}", ""),
        reasons={one.value: fields.get(f"reason_{one}", "") for one in Resolution},
        note=fields.get("note", "").replace("\r\n", "\n"),
        shown=fields.get("shown", ""),
        confirmed=fields.get("confirmed", ""),
        goes_on=fields.get("then") == "next",
        fields={name: value for name, value in fields.items() if name.startswith("output:")},
        view=fields.get("view", ""),
        read_at=_time(fields.get("read_at", "")),
        at_stake=fields.get("at_stake", "")[:60],
    )


def unchosen(count: int) -> tuple[Violation, ...]:
    """What is wrong where none of so many choices is chosen."""
    return (Violation(where="resolution", what="nothing is chosen", rule="choice", todo=f"choose first: 1 to {count}"),)


def _time(text: str) -> datetime | None:
    try:
        read = datetime.fromisoformat(text[:40])
    except ValueError:
        return None
    return read if read.tzinfo else None


def digest_of(output: Mapping[str, Any]) -> str:
    """What a difference that was shown is known by again."""
    return hashlib.sha256(json.dumps(output, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def unhidden(output: object, stored: object) -> tuple[Any, bool]:
    """An output with the stored tokens in the place of values that stood hidden and were left as they were.

    INVARIANT: nobody's value is handed to another. A row of a list keeps what is hidden in it only where it is certain
    which row it was: see ``_rows``. Otherwise it stays hidden, and ``still_hidden`` finds it.

    Returns:
        The output, and whether any token is in it.
    """
    if isinstance(output, str):
        return _unhidden_text(output, stored if isinstance(stored, str) else "")
    if isinstance(output, dict):
        known = cast("dict[str, Any]", stored) if isinstance(stored, dict) else {}
        parts = {name: unhidden(part, known.get(name)) for name, part in cast("dict[str, Any]", output).items()}
        return {name: part for name, (part, _) in parts.items()}, any(found for _, found in parts.values())
    if isinstance(output, list):
        typed = cast("list[Any]", output)
        others = cast("list[Any]", stored) if isinstance(stored, list) else []
        items = [unhidden(part, other) for part, other in zip(typed, _rows(typed, others), strict=True)]
        return [part for part, _ in items], any(found for _, found in items)
    return output, False


def _unhidden_text(text: str, stored: str) -> tuple[str, bool]:
    """A text with its tokens; words that were typed beside the only one stay."""
    if MARKER not in stored or HIDDEN not in text:
        return text, False
    if text == hide_in(stored):
        return stored, True
    tokens = [found[0] for found in TOKEN.finditer(stored)]
    return (text.replace(HIDDEN, tokens[0]), True) if len(tokens) == text.count(HIDDEN) == 1 else (text, False)


def _rows(typed: list[Any], stored: list[Any]) -> list[Any]:
    """For each row that was typed the stored one that it was; None where that is not certain.

    Certain are: values changed within rows that stay in their places, rows added at the end, and rows taken away where
    nothing else was changed and only one way of taking away gives what is left.
    """
    rows, shown = list(map(_as_text, typed)), [_as_text(_shown(one)) for one in stored]
    unknown: list[Any] = [None] * len(rows)
    if len(rows) == len(shown):
        changed = [row for row, was in zip(rows, shown, strict=True) if row != was]
        moved = len(changed) > 1 and not set(shown).isdisjoint(changed)
        return unknown if moved else stored
    if len(rows) > len(shown):
        return [*stored, *unknown[len(shown) :]] if rows[: len(shown)] == shown else unknown
    first = _found(rows, shown)
    last = [len(shown) - 1 - place for place in reversed(_found(rows[::-1], shown[::-1]))]
    return [stored[place] for place in first] if len(first) == len(rows) and first == last else unknown


def _as_text(row: object) -> str:
    return json.dumps(row, sort_keys=True)


def _found(rows: list[str], within: list[str]) -> list[int]:
    """The places of rows within others, in their order, each as early as can be; fewer where one is not there."""
    places: list[int] = []
    for place, one in enumerate(within):
        if len(places) < len(rows) and rows[len(places)] == one:
            places.append(place)
    return places


def _shown(stored: object) -> Any:
    """A stored value as it is shown."""
    if isinstance(stored, str):
        return hide_in(stored)
    if isinstance(stored, dict):
        return {name: _shown(part) for name, part in cast("dict[str, Any]", stored).items()}
    return [_shown(part) for part in cast("list[Any]", stored)] if isinstance(stored, list) else stored


def still_hidden(output: object) -> bool:
    """Whether a value that stands for a hidden one was put where none stood."""
    if isinstance(output, str):
        return HIDDEN in output
    if isinstance(output, dict):
        return any(map(still_hidden, cast("dict[str, Any]", output).values()))
    return isinstance(output, list) and any(map(still_hidden, cast("list[Any]", output)))


def wrong_reason(said: Said, declared: Iterable[str]) -> tuple[Violation, ...]:
    """What is wrong with the reason: it is one of those that the workflow's file declares."""
    if said.reason_code in tuple(declared):
        return ()
    todo = "choose one of the list"
    return (Violation(where=f"reason_{said.resolution}", what="a reason is needed", rule="reason", todo=todo),)

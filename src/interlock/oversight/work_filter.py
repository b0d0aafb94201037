"""A filter of work as the query of an address: ``workflow=receipts&due_within=4h``, and back. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from interlock.db.text import storable
from interlock.durations import format_duration, parse_duration
from interlock.errors import InterlockError, Refused
from interlock.money import Money
from interlock.oversight.work import WorkFilter, WorkKind, WorkState
from interlock.spelling import meant

LONGEST = 200
"""Characters of one value."""
LONGEST_QUERY = 4000
Value = TypeVar("Value")


def _text(text: str) -> str:
    if text != storable(text):
        raise Refused("it holds a character that cannot be stored", todo="leave NUL and half characters out")
    return text


def _yes(text: str) -> bool:
    if text not in ("yes", "no"):
        raise Refused(f"{text[:20]!r} is neither yes nor no", todo="write yes, or leave it out")
    return text == "yes"


def _duration(text: str) -> timedelta:
    return parse_duration(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError as cause:
        raise Refused(f"{text[:20]!r} is no number", todo="write a confidence from 0 to 1, as in 0.9") from cause
    if not 0 <= value <= 1:
        raise Refused(f"a confidence is from 0 to 1, not {text[:20]}", todo="write 0.9 for 90 percent")
    return value


def _one_of(kind: type[WorkKind | WorkState]) -> Callable[[str], WorkKind | WorkState]:
    def read(text: str) -> WorkKind | WorkState:
        try:
            return kind(text)
        except ValueError as cause:
            raise Refused(f"{text[:40]!r} is none of {', '.join(kind)}", todo=meant(text, tuple(kind))) from cause

    return read


_READ: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "mine": _yes,
        "my_team": _yes,
        "kind": _one_of(WorkKind),
        "workflow": _text,
        "point": _text,
        "queue": _text,
        "team": _text,
        "state": _one_of(WorkState),
        "parked": _yes,
        "assigned_to": _text,
        "claimed_by": _text,
        "text": _text,
        "code": _text,
        "exposure_from": Money.parse,
        "exposure_to": Money.parse,
        "confidence_from": _share,
        "confidence_to": _share,
        "due_within": _duration,
        "older_than": _duration,
        "second": _yes,
    }
)
KEYS = tuple(_READ)
"""Every key of a filter's query."""


def read_filter(query: str | Iterable[tuple[str, str]]) -> WorkFilter:
    """The filter that a query string, or its pairs, says. Empty values ask nothing.

    Raises:
        Refused: an unknown key, one that stands twice, or a value that cannot be read; ``where`` is the key.
    """
    if isinstance(query, str):
        if len(query) > LONGEST_QUERY:
            raise Refused(f"the filter has {len(query)} characters", todo=f"keep it to {LONGEST_QUERY}")
        query = parse_qsl(query.removeprefix("?"), keep_blank_values=True, max_num_fields=len(KEYS) * 2)
    read: dict[str, Any] = {}
    for key, text in query:
        known = _READ.get(key)
        if known is None:
            raise Refused(f"{key[:60]!r} is no filter of work", where=key[:60], todo=meant(key, KEYS))
        if not text.strip():
            continue
        if key in read:
            raise Refused(f"{key} stands twice", where=key, todo="name it once")
        read[key] = _read(key, text.strip(), known)
    return WorkFilter(**read)


def _read(key: str, text: str, known: Callable[[str], Value]) -> Value:
    if len(text) > LONGEST:
        raise Refused(f"{key} has {len(text)} characters", where=key, todo=f"keep it to {LONGEST}")
    try:
        return known(text)
    except InterlockError as cause:
        raise Refused(f"{key}: {cause.what}", where=key, todo=cause.todo or "") from cause


def query_of(asked: WorkFilter) -> str:
    """A filter as the query string that ``read_filter`` reads; the empty filter is an empty string."""
    pairs = [(key, getattr(asked, key)) for key in KEYS]
    return urlencode([(key, _written(value)) for key, value in pairs if value is not None and value is not False])


def _written(value: Any) -> str:
    if value is True:
        return "yes"
    return format_duration(value) if isinstance(value, timedelta) else str(value)

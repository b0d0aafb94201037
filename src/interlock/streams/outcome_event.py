"""What became of a decision, as a CloudEvent says it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from interlock.autonomy.outcomes.line import OutcomeLine, read_line
from interlock.autonomy.outcomes.plan import Line
from interlock.contracts.shown import shown
from interlock.errors import Refused
from interlock.streams.event import Event

SAID = "interlock.outcome.said"
"""The type of the events."""


def outcome_line(event: Event) -> Line:
    """The outcome of an event: its data are one, its source and id the word's key, its time when it became so.

    What is no outcome is the answer, not raised: beside others it stops none of them.
    """
    try:
        return _read(event)
    except Refused as cause:
        return cause


def _read(event: Event) -> OutcomeLine:
    if event.type != SAID:
        raise Refused(f"an event of the type {shown(event.type)} says no outcome", where="/type", todo=f"send {SAID}")
    if not isinstance(event.data, Mapping):
        raise Refused("an outcome is an object", where="/data", todo="send what POST /v1/outcomes takes a line of")
    said = cast("Mapping[str, Any]", event.data)
    if said.get("key") is not None:
        what = "an event's source and id are the key of its outcome"
        raise Refused(what, where="/key", todo="leave it out; to correct an earlier one send it as a later one")
    when = {"became_at": event.time} if event.time and said.get("became_at") is None else {}
    return read_line({**said, **when, "key": event.key})

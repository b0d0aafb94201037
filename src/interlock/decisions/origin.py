"""How a question or a case came in from outside, so that whatever it leads to can be found from there. Pure."""

from __future__ import annotations

import hashlib

import msgspec

_LONGEST_KEY = 200


def event_key(source: str, event_id: str) -> str:
    """The idempotency key of an event: CloudEvents' own identity, so that a redelivery is the same decision.

    INVARIANT: two events have the same key only if source and id are the same. A source holds neither spaces nor
    angle brackets, so the first space ends it, and no plain key begins as a hashed one does.
    """
    plain = f"{source} {event_id}"
    if len(plain) <= _LONGEST_KEY and plain.isprintable():
        return plain
    return f"<sha256> {hashlib.sha256(plain.encode()).hexdigest()}"


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What brought it; it stands in the ledger's entry of the decision or the case. Names and places, never data.

    Attributes:
        event: Of an event: its source and id, as its idempotency key has them.
        stream: Of a broker's message: the stream's name in the settings.
        at: Where the message stands at its broker: topic, partition and offset, or stream and sequence.
        job: Of a table's row: the run that decided the table.
        row: Its number in the table, from 1.
        trace: Of a request: the id of its W3C trace.
    """

    event: str = ""
    stream: str = ""
    at: str = ""
    job: str = ""
    row: int = 0
    trace: str = ""

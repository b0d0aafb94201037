"""Notes: what people tell each other of a review or an exception. The ledger has their digests."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

LONGEST_NOTE = 4000


class NoteKind(StrEnum):
    """What a note is."""

    SAID = "said"
    ASKED = "asked"
    ANSWERED = "answered"
    HANDED_OVER = "handed over"
    ESCALATED = "escalated"
    SNOOZED = "snoozed"


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One note.

    Attributes:
        id: Its id.
        task: The review or the exception.
        kind: What it is.
        who: Who wrote it.
        to_whom: A person, a team, or whoever handed the case in; None: whoever reads it.
        text: Its words.
        at: When.
    """

    id: UUID
    task: UUID
    kind: NoteKind
    who: str
    to_whom: str | None
    text: str
    at: datetime

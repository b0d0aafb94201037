"""What callers send and get of outside events."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from interlock.api.bodies import Key, Name
from interlock.api.documents import Document


class EventBody(msgspec.Struct, frozen=True, kw_only=True):
    """An outside event for a case.

    Attributes:
        name: The event's name in the workflow's file.
        payload: What it says; checked against the event's contract.
        key: The idempotency key, within the case: the same key, name and payload are one event. It may come as
            Idempotency-Key instead.
    """

    name: Name
    payload: Any
    key: Key | None = None


class KeyedEventBody(msgspec.Struct, frozen=True, kw_only=True):
    """An outside event for the case that was submitted under a key.

    Attributes:
        workflow: The workflow of the case.
        case_key: The idempotency key under which the case was submitted.
        name: The event's name in the workflow's file.
        payload: What it says; checked against the event's contract.
        key: The idempotency key, within the case: the same key, name and payload are one event. It may come as
            Idempotency-Key instead.
    """

    workflow: Name
    case_key: Key
    name: Name
    payload: Any
    key: Key | None = None


class EventReceipt(Document, frozen=True, kw_only=True):
    """What became of an event that was sent.

    Attributes:
        id: The event; the first one of its key.
        case: The case that it is for.
        new: Whether this sending made it.
        follow: Where to see what becomes of the case.
    """

    id: UUID
    case: UUID
    new: bool
    follow: str


class EventDocument(Document, frozen=True, kw_only=True):
    """An outside event that came for a case.

    Attributes:
        id: Its id.
        name: Its name in the workflow's file.
        payload: What it says.
        sender: Who sent it.
        received_at: When it came.
        taken_at: When the case took it; null: it waits for the case to ask.
    """

    id: UUID
    name: str
    payload: Any
    sender: str
    received_at: datetime
    taken_at: datetime | None

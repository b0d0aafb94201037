"""Exceptions: cases that cannot go on, each with its captured state and an owner. Types."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class ExceptionState(StrEnum):
    """open -> resolved (the case goes on) | abandoned (it is cancelled)."""

    OPEN = "open"
    RESOLVED = "resolved"
    ABANDONED = "abandoned"


class CaseException(msgspec.Struct, frozen=True, kw_only=True):
    """One exception, as it is stored.

    Attributes:
        id: Its id.
        case_id: The case that cannot go on.
        workflow: Of the case.
        kind: The error's code: what kind of fact it is.
        fingerprint: The same for those of one cause.
        state: See ``ExceptionState``.
        priority: 0 is the highest.
        what: What happened, in a sentence.
        detail: The captured state, as canonical JSON.
        owner: Who answers for it.
        exposure_minor: The money at stake, in minor units.
        currency: Of the exposure.
        created_at: When it was opened.
        resolved_at: When it was resolved.
        resolved_by: Who resolved it.
        resolution: How.
    """

    id: UUID
    case_id: UUID | None
    workflow: str
    kind: str
    fingerprint: UUID
    state: ExceptionState
    priority: int
    what: str
    detail: bytes
    owner: str
    exposure_minor: int | None
    currency: str | None
    created_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    resolution: str | None

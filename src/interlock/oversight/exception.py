"""Exceptions: cases that cannot go on, each with its captured state and an owner, and groups of one cause. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from interlock.money import Money


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
        run: The run of its case in which it stopped.
        scope: The scope of the step at which it stopped, if it was at one.
        ordinal: The step's ordinal in that scope.
        action: The action that it is about, if it is about one.
        answer: The value that resolved it, if one did: canonical JSON.
        team: Whose task it is, if it was handed to a team.
        assigned_to: The one person who is to do it.
        snoozed_until: Until then it is in nobody's way.
        snoozed_by: Who put it off.
        asked_to: Who was asked back; while somebody is, it is parked.
        asked_by: Who asked.
        asked_at: Since when they wait for the answer.
        asked_question: What they asked.
        claimed_by: Who works on it.
        claimed_at: Since when they have held it.
        claimed_until: Until when the claim holds.
        due_at: When it should be resolved.
        urgency: The expected loss in minor units.
        row_version: Which version of its row this is; every change makes another. Empty: it was not read from its row.
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
    run: int | None = None
    scope: str | None = None
    ordinal: int | None = None
    action: UUID | None = None
    answer: bytes | None = None
    team: str | None = None
    assigned_to: str | None = None
    snoozed_until: datetime | None = None
    snoozed_by: str | None = None
    asked_to: str | None = None
    asked_by: str | None = None
    asked_at: datetime | None = None
    asked_question: str | None = None
    claimed_by: str | None = None
    claimed_at: datetime | None = None
    claimed_until: datetime | None = None
    due_at: datetime | None = None
    urgency: int = 0
    row_version: str = ""

    @property
    def safe_at(self) -> datetime | None:
        """From when on a person may say what became of its action: no request of it is under way any more."""
        return msgspec.json.decode(self.detail, type=_Captured).safe_at

    @property
    def exposure(self) -> Money | None:
        """The money at stake."""
        return Money.of_columns(self.exposure_minor, self.currency)


class _Captured(msgspec.Struct, frozen=True):
    safe_at: datetime | None = None


class CauseRow(msgspec.Struct, frozen=True, kw_only=True):
    """The open exceptions of one cause in one currency, counted: fields as in ``CauseGroup``."""

    fingerprint: UUID
    currency: str | None
    workflow: str
    kind: str
    owner: str
    what: str
    priority: int
    members: int
    exposure_minor: int
    oldest: datetime


class CauseGroup(msgspec.Struct, frozen=True, kw_only=True):
    """The open exceptions of one cause.

    Attributes:
        fingerprint: What they have in common: workflow, kind, and the shape of what happened.
        workflow: Of their cases.
        kind: What kind of fact it is.
        owner: Who answers for them; of several, the first by name.
        what: One of them, in a sentence.
        priority: The highest of theirs; 0 is the highest.
        members: How many.
        exposures: The money at stake in all of them, an amount for each currency.
        oldest: Since when the oldest is open.
    """

    fingerprint: UUID
    workflow: str
    kind: str
    owner: str
    what: str
    priority: int
    members: int
    exposures: tuple[Money, ...]
    oldest: datetime


def grouped(rows: Sequence[CauseRow]) -> tuple[CauseGroup, ...]:
    """The groups, from a row for each currency of theirs; in the rows' order."""
    found: dict[UUID, list[CauseRow]] = {}
    for row in rows:
        found.setdefault(row.fingerprint, []).append(row)
    return tuple(_group(fingerprint, parts) for fingerprint, parts in found.items())


def _group(fingerprint: UUID, parts: Sequence[CauseRow]) -> CauseGroup:
    first = parts[0]
    amounts = (Money.of_columns(part.exposure_minor, part.currency) for part in parts if part.currency)
    return CauseGroup(
        fingerprint=fingerprint,
        workflow=first.workflow,
        kind=first.kind,
        owner=min(part.owner for part in parts),
        what=first.what,
        priority=min(part.priority for part in parts),
        members=sum(part.members for part in parts),
        exposures=tuple(amount for amount in amounts if amount),
        oldest=min(part.oldest for part in parts),
    )

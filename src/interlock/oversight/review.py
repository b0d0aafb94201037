"""Reviews: a person's task on a decision. Types and pure rules."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from interlock.db.text import storable
from interlock.money import Money
from interlock.oversight.index import WHOLE

LONGEST_LINE = 300
WITHIN = timedelta(hours=24)
"""Within this time something is to be resolved of which nothing says when."""


class ReviewState(StrEnum):
    """open <-> claimed -> resolved; an open one is withdrawn when its case no longer needs it."""

    OPEN = "open"
    CLAIMED = "claimed"
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"


class Resolution(StrEnum):
    """What a person decides: the proposal as it is, another output, or no."""

    APPROVE = "approve"
    CHANGE = "change"
    REJECT = "reject"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What the reviewer sees.

    Attributes:
        why: Why the case came here: a sentence for each reason.
        input: What was to be decided on.
        proposal: What the last component proposed; None if none answered.
        proposed_by: Which component that was.
        confidence: How sure it was.
        confidence_needed: How sure it had to be; None: a person decides, however sure it is.
        evidence: What the proposal rests on.
        findings: What the checks found, each with its code.
        output_contract: What a changed output must satisfy.
        choices: What will happen on each choice, in a sentence.
    """

    why: tuple[str, ...]
    input: dict[str, Any]
    proposal: dict[str, Any] | None
    proposed_by: str
    confidence: float | None
    confidence_needed: float | None
    evidence: dict[str, Any]
    findings: tuple[dict[str, Any], ...]
    output_contract: str
    choices: dict[str, str]


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """One review, as it is stored.

    Attributes:
        id: Its id.
        case_id: The case that waits for it, if one does.
        decision_id: The decision that it is about, if there is one.
        workflow: Of the case.
        point: The decision point, or the name of the question.
        queue: Where it waits.
        state: See ``ReviewState``.
        question: A ``Question`` as canonical JSON.
        proposal: The output proposed, as canonical JSON.
        exposure_minor: The money at stake, in minor units.
        currency: Of the exposure.
        urgency: The expected loss in minor units; the queue's first order.
        due_at: When it should be resolved.
        claimed_by: Who works on it.
        claimed_at: Since when they have held it.
        claimed_until: Until when the claim holds.
        resolution: What was decided.
        output: What holds since, as canonical JSON.
        reason_code: Why, for counting.
        note: Why, in words.
        resolved_by: Who decided.
        created_at: When it was opened.
        resolved_at: When it was resolved.
        team: Whose task it is, if it was handed to a team.
        assigned_to: The one person who is to do it.
        snoozed_until: Until then it is in nobody's way.
        snoozed_by: Who put it off.
        asked_to: Who was asked back; while somebody is, it is parked.
        asked_by: Who asked.
        asked_at: Since when they wait for the answer.
        asked_question: What they asked.
        effective_at: When the last verdict takes effect; before that it can be taken back.
        held_verdict: The verdict that is held until then; None: none is.
        needed: How many people must say the same.
        decided_by: Whose verdicts stand; what they said is in ``review_verdict``, and theirs alone until it counts.
        disagreed: Whether two verdicts differ, so that somebody else settles it.
        row_version: Which version of its row this is; every change makes another. Empty: it was not read from its row.
    """

    id: UUID
    case_id: UUID | None
    decision_id: UUID | None
    workflow: str
    point: str
    queue: str
    state: ReviewState
    question: bytes
    proposal: bytes | None
    exposure_minor: int | None
    currency: str | None
    urgency: int
    due_at: datetime | None
    claimed_by: str | None
    claimed_at: datetime | None
    claimed_until: datetime | None
    resolution: Resolution | None
    output: bytes | None
    reason_code: str | None
    note: str | None
    resolved_by: str | None
    created_at: datetime
    resolved_at: datetime | None
    team: str | None = None
    assigned_to: str | None = None
    snoozed_until: datetime | None = None
    snoozed_by: str | None = None
    asked_to: str | None = None
    asked_by: str | None = None
    asked_at: datetime | None = None
    asked_question: str | None = None
    effective_at: datetime | None = None
    held_verdict: UUID | None = None
    needed: int = 1
    decided_by: tuple[str, ...] = ()
    disagreed: bool = False
    row_version: str = ""

    @property
    def asked(self) -> Question:
        """The question, read."""
        return msgspec.json.decode(self.question, type=Question)

    @property
    def exposure(self) -> Money | None:
        """The money at stake."""
        return Money.of_columns(self.exposure_minor, self.currency)


def urgency_of(exposure: Money | None, confidence: float | None) -> int:
    """The expected loss in minor units: what is at stake times the chance that the proposal is wrong.

    Without a proposal the whole exposure counts; what is less than nothing counts as much as its opposite. Where it is
    not known what is at stake, the chance itself is stored, in millionths: the queue's order takes a declared amount
    times that.
    """
    doubt = WHOLE - round((confidence or 0.0) * WHOLE)
    return doubt if exposure is None else abs(exposure.minor) * doubt // WHOLE


def line_of(text: str) -> str:
    """The first line of a text, short enough for a list."""
    return storable(text).strip().partition("\n")[0][:LONGEST_LINE]

"""A point whose automatic decisions are sampled: what its file declares of it. Types."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from interlock.autonomy.terms import AuditTerms, AutonomyTerms


class AuditedPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What is declared of a point whose automatic decisions are sampled.

    Attributes:
        workflow: Its workflow.
        name: The decision point.
        terms: Its autonomy.
        audit: The sample, as it is declared there.
        queue: Where people are asked.
        capacity: How many may wait there.
        due: How soon one should be resolved.
        team: Whose the reviews are; None: whoever works in the queue.
        output: The contract of an answer.
    """

    workflow: str
    name: str
    terms: AutonomyTerms
    audit: AuditTerms
    queue: str
    capacity: int
    due: timedelta
    team: str | None
    output: str

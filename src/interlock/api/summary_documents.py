"""What callers get of many cases at once: counts, and the age of decisions."""

from __future__ import annotations

from interlock.api.documents import CaseCountDocument, Document


class DecisionAgeDocument(Document, frozen=True, kw_only=True):
    """The age of the decisions of one point at the effects of one action, from the decision to the sending.

    Attributes:
        workflow: Of which workflow.
        action: The action's name.
        point: The decision point.
        actions: How many took effect.
        p50_ms: The median age, in milliseconds; where a person decided, it counts from that person's word.
        p95_ms: 19 of 20 were younger.
        max_ms: The greatest age.
        stale: How many ended unsent, for the decision no longer held, and were decided anew.
        held_days: What the delay cost: each amount times the days for which it waited, as "12.30 MYR"; null: no amount.
    """

    workflow: str
    action: str
    point: str
    actions: int
    p50_ms: int
    p95_ms: int
    max_ms: int
    stale: int
    held_days: str | None


class CaseSummary(Document, frozen=True, kw_only=True):
    """The counts of a tenant's cases, and how old decisions were when they took effect.

    Attributes:
        counts: By workflow, state, conclusion and currency.
        ages: By workflow, action, point and currency.
    """

    counts: tuple[CaseCountDocument, ...]
    ages: tuple[DecisionAgeDocument, ...]

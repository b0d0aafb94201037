"""How old decisions are when they take effect, how often they were stale, and what money waited meanwhile."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from interlock.db.queries import load_queries
from interlock.money import Money


class DecisionAge(msgspec.Struct, frozen=True, kw_only=True):
    """The age of the decisions of one point at the effects of one action, from the decision to the sending.

    Where a person decided, the age counts from that person's word.

    Attributes:
        workflow: Of which workflow.
        action: The action's name.
        point: The decision point.
        currency: In which currency the action moves money; None: it moves none.
        actions: How many took effect.
        p50_ms: The median age, in milliseconds.
        p95_ms: 19 of 20 were younger.
        max_ms: The greatest age.
        stale: How many ended unsent, for the decision no longer held, and were decided anew.
        held_minor_days: What the delay cost: each amount times the days for which it waited, in minor units.
    """

    workflow: str
    action: str
    point: str
    currency: str | None
    actions: int
    p50_ms: int
    p95_ms: int
    max_ms: int
    stale: int
    held_minor_days: Decimal

    @property
    def held(self) -> Money | None:
        """The money that waited, times the days for which it did, rounded to the minor unit; None: it moves none."""
        return Money.of_minor(round(self.held_minor_days), self.currency) if self.currency else None


_SQL = load_queries(__file__)
DECISION_AGES = _SQL.rows("decision_ages", DecisionAge)

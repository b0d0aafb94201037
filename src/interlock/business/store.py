"""The rows of the business view: tallies, how far they go, and what is read beside them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from interlock.business.drawn import CaseLoss, CaseOf
from interlock.business.tally import Counted, DrawnOf, HourOf, KnownOf, LossOf
from interlock.db.queries import load_queries
from interlock.decisions.costs import shown_usd
from interlock.money import Money


class CountedOf(Counted, frozen=True, kw_only=True):
    """A tally of a slice of time, and of which workflow."""

    workflow: str


class Stands(msgspec.Struct, frozen=True, kw_only=True):
    """How far a tenant's hours are counted.

    Attributes:
        began_at: What was before is not counted.
        counted_to: What came since is not counted yet.
    """

    began_at: datetime
    counted_to: datetime


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """One row behind a figure.

    Attributes:
        decision: The decision; None: its case came to none.
        case_id: Its case, if it has one.
        point: Where it was decided.
        loss_minor: What was lost, where that is on record.
        currency: Of the money.
        exposure_minor: What was at stake.
        cost: What it cost beside compute, in USD, where that is what is looked at.
        at: When.
        what: What it was, in words.
    """

    decision: UUID | None
    case_id: UUID | None
    point: str
    loss_minor: int | None
    currency: str | None
    exposure_minor: int | None
    at: datetime
    what: str
    cost: Decimal | None

    @property
    def exposure(self) -> Money | None:
        """What was at stake."""
        return Money.of_columns(self.exposure_minor, self.currency)

    @property
    def loss(self) -> Money | None:
        """What was lost, where that is on record."""
        return Money.of_columns(self.loss_minor, self.currency)

    @property
    def cost_shown(self) -> str:
        """What it cost, in USD."""
        return "" if self.cost is None else shown_usd(self.cost)


_SQL = load_queries(__file__)
BUSINESS_TENANTS = _SQL.rows("business_tenants", UUID)
FIRST_ENTRY_AT = _SQL.rows("first_entry_at", datetime)
BEGIN_COUNTING = _SQL.command("begin_counting")
TAKE_COUNTING = _SQL.rows("take_counting", Stands)
COUNTING_STANDS = _SQL.rows("counting_stands", Stands)
MOVE_COUNTING = _SQL.command("move_counting")
DECIDED_BETWEEN = _SQL.rows("decided_between", CountedOf)
ENDED_BETWEEN = _SQL.rows("ended_between", CountedOf)
ANSWERED_BETWEEN = _SQL.rows("answered_between", CountedOf)
ADD_HOURS = _SQL.bulk("add_business_hours", HourOf, distinct=("tenant", "workflow", "hour", "sort", "part", "currency"))
TALLIES_OF = _SQL.rows("tallies_of", Counted)
LOSSES_OF = _SQL.rows("losses_of", LossOf)
OUTCOMES_KNOWN = _SQL.rows("outcomes_known", KnownOf)
DRAWN_OF = _SQL.rows("drawn_of", DrawnOf)
STUCK_NOW = _SQL.rows("stuck_now", int)
BEHIND_LOSSES = _SQL.rows("behind_losses", Behind)
BEHIND_COSTS = _SQL.rows("behind_costs", Behind)
BEHIND_PEOPLE = _SQL.rows("behind_people", Behind)
BEHIND_EXCEPTIONS = _SQL.rows("behind_exceptions", Behind)
BEHIND_CASES = _SQL.rows("behind_cases", Behind)
BEHIND_CONTROL = _SQL.rows("behind_control", Behind)
DRAWN_CASES = _SQL.rows("drawn_cases", CaseOf)
DRAWN_LOSSES = _SQL.rows("drawn_losses", CaseLoss)

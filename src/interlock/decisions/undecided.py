"""What was spent on a question that nothing came of, as it is recorded. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from interlock.db.queries import load_queries
from interlock.db.work import Stamp, Write
from interlock.decisions.asked import Asked
from interlock.decisions.decision import ComponentAsked
from interlock.decisions.store import canonical


class UndecidedCost(msgspec.Struct, frozen=True, kw_only=True):
    """One question that was paid for in vain.

    Attributes:
        id: Its id; also that of its ledger entry.
        tenant: Whose.
        workflow: Whose decision point.
        point: The decision point.
        case_id: The case whose step it was, if any.
        attempts: Every ``ComponentAsked``, as JSON.
        cost: In USD, beside compute.
        at: When, UTC.
    """

    id: UUID
    tenant: UUID
    workflow: str
    point: str
    case_id: UUID | None
    attempts: bytes
    cost: Decimal
    at: datetime


ADD_UNDECIDED_COSTS = load_queries(__file__).bulk("add_undecided_costs", UndecidedCost, distinct=("id",))


def undecided_cost(asked: Asked, stamp: Stamp, attempts: Sequence[ComponentAsked], cost: Decimal) -> Write:
    """The row of one, in the unit whose first entry says so.

    Args:
        asked: What was asked.
        stamp: Of the unit.
        attempts: Who was asked.
        cost: What all of it cost together.
    """
    row = UndecidedCost(
        id=stamp.entry,
        tenant=asked.tenant,
        workflow=asked.workflow,
        point=asked.point.name,
        case_id=asked.case_id,
        attempts=canonical.encode(attempts),
        cost=cost,
        at=stamp.now,
    )
    return Write(ADD_UNDECIDED_COSTS, row)

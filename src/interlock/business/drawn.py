"""What is read of the cases that were drawn into the control group, and of those that were not. Pure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec


class CaseOf(msgspec.Struct, frozen=True, kw_only=True):
    """A case that was drawn; or a question without one, such as one that was answered by a no.

    Attributes:
        id: It; of a question, its decision.
        is_control: Whether people took its decisions.
        step: Since when the share counted by which it was drawn.
        state: Where it stands.
        conclusion: How it ended; empty: it has not.
        currency: Of its exposure.
        exposure_minor: What was at stake in it; None: it is not known.
        seconds: How long it took, or has been under way.
        cost: What its decisions cost beside compute, in USD.
        cpu_us: Processor time of its components.
        people_ms: People's time, as far as it is known.
        untimed: Of how many reviews it is not known.
        unknown: How many of its decisions no person took, whose outcome is not known.
    """

    id: UUID
    is_control: bool
    step: datetime
    state: str
    conclusion: str
    currency: str | None
    exposure_minor: int | None
    seconds: float
    cost: Decimal
    cpu_us: Decimal
    people_ms: Decimal
    untimed: int
    unknown: int


class CaseLoss(msgspec.Struct, frozen=True, kw_only=True):
    """A wrong decision that nobody corrected.

    Attributes:
        case_id: Of which case.
        point: Of which point.
        currency: Of its money.
        loss_minor: What was lost, if that is on record.
        exposure_minor: What was at stake.
        propensity: With which probability it was drawn, where only an audit sample tells; 1 elsewhere.
    """

    case_id: UUID
    point: str
    currency: str
    loss_minor: int | None
    exposure_minor: int | None
    propensity: float

"""The calls under way in the scope of a stop: dispatched before it, not settled yet. They are settled, never left."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.actions.action import ActionState
from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.money import Money

MOST = 500


class CallUnderWay(msgspec.Struct, frozen=True, kw_only=True):
    """An action that was dispatched and is not settled.

    Attributes:
        tenant: The name of the tenant whose it is.
        id: The action.
        case_id: Its case.
        workflow: The workflow of the case.
        name: The action's name.
        connector: Through which it goes.
        state: ``dispatching``, or ``in_doubt`` when its answer was lost.
        attempt: Which attempt it is, from 1.
        key: The idempotency key that the other side sees.
        exposure_minor: The money that it moves, in minor units.
        currency: Of the exposure.
        since: When the attempt was dispatched.
        deadline: When its request is dead on our side.
    """

    tenant: str
    id: UUID
    case_id: UUID
    workflow: str
    name: str
    connector: str
    state: ActionState
    attempt: int
    key: str
    exposure_minor: int | None
    currency: str | None
    since: datetime | None
    deadline: datetime | None

    @property
    def exposure(self) -> Money | None:
        """The money that it moves."""
        return Money.of_columns(self.exposure_minor, self.currency)


CALLS_UNDER_WAY = load_queries(__file__).rows("calls_under_way", CallUnderWay)


async def calls_under_way(database: Database, tenant: UUID | None, scope: str) -> list[CallUnderWay]:
    """The calls under way in a scope, those that went first before the others; at most ``MOST``.

    Args:
        database: Where they are.
        tenant: Whose; None: every tenant's.
        scope: As a stop names it.
    """
    async with database.installation() as connection:
        return await CALLS_UNDER_WAY.all(connection, {"scope": scope, "tenant": tenant, "most": MOST})

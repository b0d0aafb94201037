"""Limits: what each of them holds now."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get
from msgspec import Meta

from interlock.api.call import Call, answer
from interlock.api.documents import Document
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.cases.limited import limited
from interlock.guards.standing import Standing, read_standings


class LimitsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which limits.

    Attributes:
        workflow: Only of this workflow.
        case: Also what this case has used of the limits per case and of its budget.
    """

    workflow: Annotated[str, Meta(max_length=200)] = ""
    case: UUID | None = None


class LimitPage(Document, frozen=True, kw_only=True):
    """What the limits hold now.

    Attributes:
        limits: They, by workflow and action.
    """

    limits: tuple[Standing, ...]


@get(
    "/v1/limits",
    opt=says(Endpoint(needs=(Scope.READ, Scope.STOP), asks=LimitsQuery, gives={200: LimitPage}, refuses=(404,))),
)
async def read_limits(request: Call) -> Response[bytes]:
    """What each limit holds now: used, reserved, left, and when there is room again."""
    asked = request.query(LimitsQuery)
    node = request.node
    guarded = limited((entry.declaration for entry in node.registry.all), asked.workflow)
    found = await read_standings(node.database, request.tenant, guarded, case_id=asked.case)
    return answer(LimitPage(limits=tuple(found)))

"""What decisions cost."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, get
from msgspec import Meta

from interlock.api.call import Call, answer
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.decisions.cost_report import CostReport, Prices, shown
from interlock.decisions.costs import By, read_costs
from interlock.durations import parse_duration


class CostsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which costs.

    Attributes:
        since: How far back: a length of time up to 366d.
        by: What each line adds up: a point, a component, a workflow or a day (UTC).
    """

    since: Annotated[str, Meta(max_length=20)] = "7d"
    by: By = By.POINT


@get(
    "/v1/costs",
    opt=says(Endpoint(needs=(Scope.READ,), asks=CostsQuery, gives={200: CostReport})),
)
async def show_costs(request: Call) -> Response[bytes]:
    """What decisions cost: money, tokens, processor time and the time of people."""
    asked = request.query(CostsQuery)
    found = await read_costs(request.node.database, request.tenant, since=parse_duration(asked.since), by=asked.by)
    settings = request.node.settings
    return answer(shown(found, Prices(settings.prices_processor_hour, settings.prices_person_hour)))

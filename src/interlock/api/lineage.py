"""Where an action came from, and what a source led to."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from msgspec import Meta

from interlock.api.call import Call, answer
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.lineage.graph import Graph
from interlock.lineage.influence import LAST_LEAF, MOST_ON_A_PAGE, Influence, read_influence
from interlock.lineage.read import read_lineage
from interlock.lineage.source import read_source


class InfluenceQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Whose influence.

    Attributes:
        of: The source: its kind, a colon and its name, as in ``contract:receipt@1``.
        before: What the page before gave as ``next``.
        limit: The most items of a page.
    """

    of: Annotated[str, Meta(min_length=1, max_length=10_100)]
    before: Annotated[int, Meta(ge=0, le=LAST_LEAF)] | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_ON_A_PAGE)] = 50


@get("/v1/lineage/{subject:uuid}", opt=says(Endpoint(needs=(Scope.READ,), gives={200: Graph}, refuses=(404,))))
async def read_lineage_of(request: Call, subject: FromPath[UUID]) -> Response[bytes]:
    """The graph of an action, a decision or a case: every source behind it, and what came of it."""
    return answer(await read_lineage(request.node.database, request.tenant, subject))


@get(
    "/v1/lineage",
    opt=says(Endpoint(needs=(Scope.READ,), asks=InfluenceQuery, gives={200: Influence}, refuses=(404,))),
)
async def read_influence_of(request: Call) -> Response[bytes]:
    """Everything that a source influenced: decisions, cases and actions, with the money in them, page by page."""
    asked = request.query(InfluenceQuery)
    source = read_source(asked.of)
    return answer(
        await read_influence(request.node.database, request.tenant, source, before=asked.before, most=asked.limit)
    )

"""What a workflow's work is worth, costs and loses, and the decisions behind a figure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from msgspec import Meta

from interlock.api.call import Call, answer
from interlock.api.documents import Document
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.business.figures import Look
from interlock.business.read import MOST_BEHIND, read_behind, read_whole
from interlock.business.report import Report
from interlock.business.store import Behind
from interlock.business.terms import BusinessTerms, business_terms
from interlock.durations import parse_duration
from interlock.errors import NotFound
from interlock.node import Node

OF_PEOPLE = frozenset({Look.LOSSES, Look.PEOPLE})
"""What tells of wrong decisions, and who said what: for those who see quality or autonomy."""
OF_AUDITORS = frozenset({Look.CONTROL})
"""Which cases are in the control group: whoever reviews is blind to that. For those who read the ledger."""


class ValueQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Over which time.

    Attributes:
        since: How far back: a length of time up to 366d.
    """

    since: Annotated[str, Meta(max_length=20)] = "30d"


class BehindQuery(ValueQuery, frozen=True, kw_only=True):
    """Behind which figures.

    Attributes:
        take: How many rows.
    """

    take: Annotated[int, Meta(ge=1, le=MOST_BEHIND)] = 50


class BehindDocument(Document, frozen=True, kw_only=True):
    """One row behind a figure.

    Attributes:
        decision: The decision; null: its case came to none.
        case: Its case; null: it was asked in line.
        point: Where it was decided.
        at: When.
        what: What it was, in words.
        exposure: What was at stake.
        loss: What was lost, where that is on record.
        cost: What it cost beside compute, where that is looked at.
    """

    decision: UUID | None
    case: UUID | None
    point: str
    at: datetime
    what: str
    exposure: str | None
    loss: str | None
    cost: str | None


class BehindPage(Document, frozen=True, kw_only=True):
    """What is behind a figure.

    Attributes:
        behind: What was looked at.
        rows: The greatest losses, the dearest or slowest of the newest, else the newest.
    """

    behind: Look
    rows: tuple[BehindDocument, ...]


@get(
    "/v1/value/{workflow:str}",
    opt=says(Endpoint(needs=(Scope.READ,), asks=ValueQuery, gives={200: Report}, refuses=(404,))),
)
async def show_value(request: Call, workflow: FromPath[str]) -> Response[bytes]:
    """What the work of a workflow is worth, costs and loses, against its declared baseline."""
    asked, node = request.query(ValueQuery), request.node
    terms = terms_of(node, workflow)
    return answer(await read_whole(node.database, request.tenant, terms, parse_duration(asked.since)))


@get(
    "/v1/value/{workflow:str}/{behind:str}",
    opt=says(Endpoint(needs=(Scope.READ,), asks=BehindQuery, gives={200: BehindPage}, refuses=(404,))),
)
async def show_behind(request: Call, workflow: FromPath[str], behind: FromPath[str]) -> Response[bytes]:
    """The decisions behind a figure: losses, costs, people, exceptions, cases, straight, slowest or control."""
    asked, node = request.query(BehindQuery), request.node
    look, terms = look_of(behind), terms_of(node, workflow)
    if look in OF_PEOPLE:
        request.require("autonomy.see")
    if look in OF_AUDITORS:
        request.require("ledger.read")
    span = parse_duration(asked.since)
    found = await read_behind(node.database, request.tenant, terms, look, span, asked.take)
    return answer(BehindPage(behind=look, rows=tuple(behind_document(one) for one in found)))


def look_of(text: str) -> Look:
    """What is to be looked at.

    Raises:
        NotFound: there is no such thing behind figures.
    """
    try:
        return Look(text)
    except ValueError as cause:
        raise NotFound(f"nothing is called {text[:60]!r} behind figures", todo=f"one of {', '.join(Look)}") from cause


def terms_of(node: Node, workflow: str) -> BusinessTerms:
    """What is declared of a workflow that this process carries.

    Raises:
        NotFound: it carries none of that name.
    """
    settings, declaration = node.settings, node.registry.named(workflow).declaration
    return business_terms(declaration, settings.prices_processor_hour, settings.prices_person_hour, settings.rates)


def behind_document(one: Behind) -> BehindDocument:
    """A row as it is told outside."""
    return BehindDocument(
        decision=one.decision,
        case=one.case_id,
        point=one.point,
        at=one.at,
        what=one.what,
        exposure=None if one.exposure is None else str(one.exposure),
        loss=None if one.loss is None else str(one.loss),
        cost=one.cost_shown or None,
    )

"""Finding decisions: by field, version, person, amount and time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, post
from msgspec import Meta

from interlock.api.bodies import Limit, Name
from interlock.api.call import Call, allowed, answer
from interlock.api.documents import Document
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.api.personal import Purpose
from interlock.api.stored import as_text
from interlock.cases.finding import Finder, Search
from interlock.errors import Forbidden, PurposeRefused
from interlock.search.find import Page
from interlock.search.store import FoundDecision
from interlock.search.where import LONGEST, read_where


class FindQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which decisions, the newest first.

    Attributes:
        where: Conditions, all of which must hold, as ``total>=100 vendor="ACME SDN" since=7d``.
        point: Only of this workflow, or of this decision point, as ``workflow.point``.
        cursor: The ``next`` of an earlier page.
        limit: How many at most.
        purpose: For what personal values are looked for, as their contract names it; the key needs the scope personal,
            and the search is on the ledger. Without it, conditions on personal fields are refused.
    """

    where: Annotated[str, Meta(max_length=LONGEST)] = ""
    point: Name | None = None
    cursor: Annotated[str, Meta(max_length=100)] | None = None
    limit: Limit = 50
    purpose: Purpose | None = None


class FindBody(FindQuery, frozen=True, kw_only=True):
    """The same, for conditions that should stand in no address: those on personal values."""


class FoundDocument(Document, frozen=True, kw_only=True):
    """One decision that was found.

    Attributes:
        id: Its id; ``GET /v1/decisions/{decision_id}`` gives all of it.
        case: The case that it belongs to, if any.
        workflow: Whose decision point.
        point: The decision point.
        key: The caller's key, or the step of the case.
        route: automatic, review or reject.
        component: Whose output it is.
        contract: Which version of the contract its input passed.
        confidence: How sure the component was.
        exposure: The money at stake.
        review: The review that it went to.
        decided_at: When.
    """

    id: UUID
    case: UUID | None
    workflow: str
    point: str
    key: str
    route: str
    component: str
    contract: str | None
    confidence: float | None
    exposure: str | None
    review: UUID | None
    decided_at: datetime


class FoundPage(Document, frozen=True, kw_only=True):
    """A page of what was found.

    Attributes:
        decisions: The newest first.
        next: The cursor of the next page; null: there are no others. A page that took too long has one, too, and may
            then hold fewer than ``limit``, or none.
    """

    decisions: tuple[FoundDocument, ...]
    next: UUID | None


@get("/v1/decisions", opt=says(Endpoint(needs=(Scope.READ,), asks=FindQuery, gives={200: FoundPage})))
async def find_decisions(request: Call) -> Response[bytes]:
    """Decisions, the newest first, by what is known of them: fields that their contract declares searchable, and more.

    Names that every decision has: since, until, component, contract, caller, by (who claimed or resolved its review),
    key, case, route, confidence, exposure.
    """
    return await _find(request, request.query(FindQuery))


@post(
    "/v1/decisions/search",
    opt=says(Endpoint(needs=(Scope.READ,), act="view", takes=FindBody, gives={200: FoundPage})),
)
async def search_decisions(request: Call) -> Response[bytes]:
    """The same with its conditions in the body: addresses are logged on their way, and personal values must not be."""
    return await _find(request, await request.read(FindBody))


async def _find(request: Call, asked: FindQuery) -> Response[bytes]:
    node = request.node
    finder = Finder(node.database, node.writer, node.registry, node.vault)
    if asked.purpose is not None:
        allowed(request.caller, (Scope.PERSONAL,))
        request.require("personal.read")
    search = Search(read_where(asked.where), asked.point, asked.cursor, asked.limit, asked.purpose)
    try:
        return answer(_document(await finder.find(request.tenant, search, who=request.caller.name)))
    except PurposeRefused as cause:
        raise Forbidden(cause.what, where="/purpose", todo=cause.todo) from cause


def _document(page: Page) -> FoundPage:
    return FoundPage(decisions=tuple(map(_found, page.decisions)), next=page.next)


def _found(one: FoundDecision) -> FoundDocument:
    return FoundDocument(
        id=one.id,
        case=one.case_id,
        workflow=one.workflow,
        point=one.point,
        key=one.key,
        route=one.route,
        component=one.component,
        contract=one.contract,
        confidence=one.confidence,
        exposure=as_text(one.exposure),
        review=one.review,
        decided_at=one.decided_at,
    )

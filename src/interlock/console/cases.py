"""The cases of a tenant: by state and workflow, a page at a time; found by id or by the key they came under."""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get
from msgspec import Meta

from interlock.cases.events import find_case_by_key
from interlock.cases.explanation.reading import find_subject
from interlock.cases.store import LIST_CASES, CaseState
from interlock.console.asking import address, asked_of
from interlock.console.render import render
from interlock.console.store import COUNT_CASES_IN, EVER, MOST
from interlock.console.visit import Visit, needs
from interlock.errors import NotFound

PAGE = 50
PLACES = MappingProxyType(
    {
        "case": "/console/cases",
        "decision": "/console/decisions",
        "action": "/console/actions",
        "quarantine": "/console/quarantine",
        "review": "/console/reviews",
        "exception": "/console/exceptions",
    }
)
"""Where each kind of thing has its page."""


class CasesAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which cases.

    Attributes:
        workflow: Only of this workflow.
        state: Only in this state.
        before: Only those that came before this one.
        find: The id of anything, or the key under which a case came.
    """

    workflow: Annotated[str, Meta(max_length=200)] | None = None
    state: CaseState | None = None
    before: UUID | None = None
    find: Annotated[str, Meta(max_length=400)] | None = None


@get("/console/cases", opt=needs("view"))
async def show_cases(request: Visit) -> Response[bytes]:
    """Cases, the newest first; or the one that is looked for."""
    asked, node = asked_of(request, CasesAsked), request.node
    if asked.find is not None and (there := await _found(request, asked.find.strip(), asked.workflow)):
        return Response(b"", status_code=HTTPStatus.SEE_OTHER, headers={"Location": there})
    wanted = {"workflow": asked.workflow, "state": asked.state, "before": asked.before, "most": PAGE + 1}
    async with node.database.tenant(request.tenant) as connection:
        found = await LIST_CASES.all(connection, wanted)
        states = {"workflow": asked.workflow, "states": list(CaseState), "since": EVER, "most": MOST}
        counts = await COUNT_CASES_IN.all(connection, states)
    more = address("/console/cases", workflow=asked.workflow, state=asked.state, before=found[PAGE - 1].id)\
        if len(found) > PAGE else ""  # fmt: skip
    return render(
        request, "cases.html", cases=found[:PAGE], asked=asked, counts=counts, most=MOST, next=more,
        workflows=[entry.workflow.name for entry in node.registry.all],
    )  # fmt: skip


async def _found(visit: Visit, text: str, workflow: str | None) -> str:
    """Where the thing of an id, or the case of a key, has its page; empty: nowhere."""
    node = visit.node
    try:
        identity = UUID(text)
    except ValueError:
        identity = None
    if identity is not None:
        try:
            return f"{PLACES[(await find_subject(node.database, visit.tenant, identity)).kind]}/{identity}"
        except NotFound:
            pass
    for name in [workflow] if workflow else [entry.workflow.name for entry in node.registry.all]:
        try:
            return f"/console/cases/{await find_case_by_key(node.database, visit.tenant, name, text)}"
        except NotFound:
            continue
    return ""


ROUTES = (show_cases,)

"""Actions: what is under way or in doubt first; one of them with every attempt; and how the connectors stand."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from msgspec import Meta

from interlock.actions.standing import read_standings
from interlock.actions.store import ATTEMPTS_OF_ACTION, FIND_ACTION
from interlock.api.bodies import Utc
from interlock.console.asking import address, asked_of
from interlock.console.in_ledger import places_about
from interlock.console.render import render
from interlock.console.store import (
    FAILED_ACTIONS,
    NEWEST_ACTIONS,
    PAUSED_ACTIONS,
    UNDO_OF_ACTION,
    UNFINISHED_ACTIONS,
    ListedAction,
)
from interlock.console.stored import as_lines
from interlock.console.visit import Visit, needs
from interlock.errors import NotFound

PAGE = 50
COUNTED = 1000
"""Up to where is counted what waits for a connector."""
FIRST = UUID(int=0)
LAST = UUID(int=2**128 - 1)
Shown = Literal["open", "paused", "failed", "newest"]


class ActionsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which actions.

    Attributes:
        show: Those under way, in doubt or waiting for a person; those that pause; those that failed; the newest.
        workflow: Of the failed ones, of this workflow.
        after: Of open and paused ones: only those that were intended after this one.
        before: Of the newest: only those of cases before this one.
        until: Of the failed: only those that ended before.
    """

    show: Shown = "open"
    workflow: Annotated[str, Meta(max_length=200)] | None = None
    after: UUID | None = None
    before: UUID | None = None
    until: Utc | None = None


@get("/console/actions", opt=needs("view"))
async def show_actions(request: Visit) -> Response[bytes]:
    """Actions, and the connectors that they go through."""
    asked, node = asked_of(request, ActionsAsked), request.node
    workflows = [entry.workflow.name for entry in node.registry.all]
    found = await _list(request, asked, workflows)
    return render(
        request, "actions.html", asked=asked, found=found[:PAGE], workflows=workflows,
        next=_next(asked, found) if len(found) > PAGE else "",
    )  # fmt: skip


@get("/console/connectors", opt=needs("view"))
async def show_connectors(request: Visit) -> Response[bytes]:
    """How the outside systems stand; the page of actions asks for it by itself, since what waits is added up."""
    node = request.node
    connectors = await read_standings(node.database, request.tenant, node.settings.connectors, most=COUNTED)
    template = "connectors.html" if request.wants_part else "connectors_page.html"
    return render(request, template, connectors=connectors, counted=COUNTED)


async def _list(visit: Visit, asked: ActionsAsked, workflows: list[str]) -> list[ListedAction]:
    now: datetime = visit.node.database.clock.now()
    async with visit.node.database.tenant(visit.tenant) as connection:
        match asked.show:
            case "open":
                return await UNFINISHED_ACTIONS.all(connection, {"after": asked.after or FIRST, "most": PAGE + 1})
            case "paused":
                return await PAUSED_ACTIONS.all(connection, {"after": asked.after or FIRST, "most": PAGE + 1})
            case "newest":
                return await NEWEST_ACTIONS.all(connection, {"before": asked.before or LAST, "most": PAGE + 1})
            case "failed":
                found: list[ListedAction] = []
                for name in [asked.workflow] if asked.workflow else workflows:
                    wanted = {"workflow": name, "before": asked.until or now, "most": PAGE + 1}
                    found += await FAILED_ACTIONS.all(connection, wanted)
                return sorted(found, key=lambda one: one.ended_at or one.created_at, reverse=True)[: PAGE + 1]


def _next(asked: ActionsAsked, found: list[ListedAction]) -> str:
    last = found[PAGE - 1]
    match asked.show:
        case "newest":
            return address("/console/actions", show=asked.show, before=last.case_id)
        case "failed":
            until = last.ended_at.isoformat() if last.ended_at else None
            return address("/console/actions", show=asked.show, workflow=asked.workflow, until=until)
        case _:
            return address("/console/actions", show=asked.show, after=last.id)


@get("/console/actions/{action_id:uuid}", opt=needs("view"))
async def show_action(request: Visit, action_id: FromPath[UUID]) -> Response[bytes]:
    """One action with every attempt, what was asked and answered, and what it rests on."""
    node = request.node
    async with node.database.tenant(request.tenant) as connection:
        action = await FIND_ACTION.one(connection, {"id": action_id})
        if action is None:
            raise NotFound(f"there is no action {action_id}", todo="see the list of actions")
        attempts = await ATTEMPTS_OF_ACTION.all(connection, {"action_id": action_id})
        undo = await UNDO_OF_ACTION.one(connection, {"id": action_id})
    carried = node.registry.find(action.workflow)
    return render(
        request, "action.html", action=action, attempts=attempts, undo=undo,
        terms=carried.declaration.actions.get(action.name) if carried else None,
        payload=as_lines(action.payload), answered=as_lines(action.response), facts=as_lines(action.facts),
        places=await places_about(node.database, request.tenant, action_id),
    )  # fmt: skip


ROUTES = (show_actions, show_connectors, show_action)

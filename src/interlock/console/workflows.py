"""The workflows of this process, and each by itself: who answers for it, what its file says in words, and its graph."""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from interlock.actions.action import ActionState
from interlock.cases.limited import limited
from interlock.cases.registry import Registered
from interlock.cases.store import CaseState
from interlock.clock import first_id
from interlock.console.asking import asked_of
from interlock.console.render import render
from interlock.console.stops import scope_of
from interlock.console.store import (
    ACTIONS_NOW,
    COUNT_CASES_IN,
    EVER,
    MOST,
    POINTS_NOW,
    VERSIONS_OF,
    ActionsNow,
    PointNow,
)
from interlock.console.visit import Visit, needs
from interlock.console.workflow_code import steps_of
from interlock.console.workflow_graph import Counts, draw, ordered
from interlock.console.workflow_words import in_words
from interlock.db.queries import encode_rows
from interlock.decisions.cost_report import Prices, shown
from interlock.decisions.costs import By, read_costs
from interlock.durations import parse_duration
from interlock.guards.standing import read_standings
from interlock.guards.stops import list_stops

SINCE = timedelta(hours=24)
MOST_READ = 2_000
"""Decisions, actions, and unfinished cases of each state, that are read to be counted."""
_UNDER_WAY = (ActionState.READY, ActionState.DISPATCHING, ActionState.UNDOING)
SPANS = ("1h", "24h", "7d", "30d")


class CostsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """How far back costs are added up."""

    since: str = "24h"


class _PointRow(msgspec.Struct, frozen=True, kw_only=True):
    point: str
    queue: str


@get("/console/workflows", opt=needs("view"))
async def show_workflows(request: Visit) -> Response[bytes]:
    """Every workflow that is carried here: who answers for it, and where its cases are."""
    node = request.node
    rows: list[tuple[Registered, dict[CaseState, int]]] = []
    async with node.database.tenant(request.tenant) as connection:
        for entry in node.registry.all:
            found = await COUNT_CASES_IN.all(connection, _every_state(entry.workflow.name))
            rows.append((entry, {one.state: one.cases for one in found if one.cases}))
    stops = {one.scope: one for one in await list_stops(node.database, request.tenant)}
    return render(request, "workflows.html", rows=rows, stops=stops, most=MOST, states=tuple(CaseState))


@get("/console/workflows/{name:str}", opt=needs("view"))
async def show_workflow(request: Visit, name: FromPath[str]) -> Response[bytes]:
    """One workflow."""
    node, tenant = request.node, request.tenant
    entry = node.registry.named(name)
    declaration = entry.declaration
    since = first_id(node.database.clock.now() - SINCE)
    points = encode_rows(_PointRow(point=one.name, queue=one.queue.name) for one in declaration.decisions.values())
    async with node.database.tenant(tenant) as connection:
        asked = {"workflow": name, "points": points, "since": since, "most": MOST, "newest": MOST_READ}
        counted = await POINTS_NOW.all(connection, asked)
        actions = await ACTIONS_NOW.all(connection, {"workflow": name, "since": since, "most": MOST_READ})
        cases = [one for one in await COUNT_CASES_IN.all(connection, _every_state(name)) if one.cases]
        versions = await VERSIONS_OF.all(connection, {"workflow": name, "most": MOST_READ})
    stops = await list_stops(node.database, tenant)
    steps = ordered(declaration, steps_of(entry.workflow))
    scope = f"workflow:{name}"
    return render(
        request, "workflow.html", entry=entry, declaration=declaration, dossier=declaration.dossier, words=in_words(
            declaration), graph=draw(declaration, steps, counts_of(counted, actions)), cases=cases, most=MOST,
        versions=versions, most_read=MOST_READ, carried=set(node.registry.codes), scope=scope,
        limits=await read_standings(node.database, tenant, limited([declaration], name)),
        stops=[one for one in stops if one.scope in ("everything", scope) or name in one.scope.partition(":")[2]],
        may_stop=request.may("stop.set", scope_of(node, tenant, scope)), spans=SPANS,
        quoted=functools.partial(quote, safe=""),
    )  # fmt: skip


@get("/console/workflows/{name:str}/costs", opt=needs("view"))
async def show_workflow_costs(request: Visit, name: FromPath[str]) -> Response[bytes]:
    """What its decisions cost; asked for by itself, since all decisions of that time are added up."""
    node = request.node
    node.registry.named(name)
    asked = asked_of(request, CostsAsked)
    costs = await read_costs(node.database, request.tenant, since=parse_duration(asked.since), by=By.POINT)
    report = shown(costs, Prices(node.settings.prices_processor_hour, node.settings.prices_person_hour))
    lines = [one for one in report.lines if one.name.startswith(f"{name}.")]
    template = "costs.html" if request.wants_part else "costs_page.html"
    return render(request, template, name=name, report=report, lines=lines, asked=asked, spans=SPANS)


def _every_state(workflow: str) -> dict[str, Any]:
    return {"workflow": workflow, "states": list(CaseState), "since": EVER, "most": MOST}


def counts_of(points: list[PointNow], actions: list[ActionsNow]) -> dict[str, Counts]:
    """What stands at each node of the graph. Pure."""
    found = {
        f"decide:{one.point}": Counts(
            waiting=_up_to(one.waiting), done=f"{one.decided:,}" + ("+" if one.read >= MOST_READ else "")
        )
        for one in points
    }
    by_name: dict[str, dict[ActionState, int]] = {}
    for one in actions:
        by_name.setdefault(one.name, {})[one.state] = one.actions
    for name, states in by_name.items():
        found[f"act:{name}"] = Counts(
            done=_up_to(states.get(ActionState.DONE, 0)),
            under_way=sum(states.get(one, 0) for one in _UNDER_WAY),
            failed=states.get(ActionState.FAILED, 0) + states.get(ActionState.EXCEPTION, 0),
            doubtful=states.get(ActionState.IN_DOUBT, 0),
        )
    return found


def _up_to(number: int) -> str:
    return f"{number:,}" + ("+" if number >= MOST else "")


ROUTES = (show_workflows, show_workflow, show_workflow_costs)

"""Value: what the work is worth, costs and loses, against what was before; and the decisions behind every figure."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from msgspec import Meta

from interlock.api.value import OF_AUDITORS, OF_PEOPLE, terms_of
from interlock.business.figures import Look
from interlock.business.read import read_behind, read_business, read_compared
from interlock.console.asking import address, asked_of
from interlock.console.render import render
from interlock.console.visit import Visit, needs
from interlock.durations import parse_duration

PATH = "/console/value"
SPANS = ("24h", "7d", "30d", "90d")
ROWS = 50
TITLES = {
    Look.LOSSES: "What was lost by wrong decisions, the greatest of each currency first",
    Look.COSTS: "The dearest of the newest decisions",
    Look.PEOPLE: "What people answered last",
    Look.EXCEPTIONS: "What stopped cases that ended in that time, or stops them now",
    Look.CASES: "The cases that ended in that time, those that came last first",
    Look.STRAIGHT: "The cases that went straight through, those that came last first",
    Look.SLOWEST: "The slowest of the cases that ended in that time",
    Look.CONTROL: "The cases that were drawn, for the control group or not, the newest first",
}


class ValueAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Over which time, and what is looked at.

    Attributes:
        since: How far back.
        behind: Behind which figures.
    """

    since: Annotated[str, Meta(max_length=20)] = "30d"
    behind: Look | None = None


@get(PATH, opt=needs("view"))
async def show_values(request: Visit) -> Response[bytes]:
    """Every workflow in a line."""
    asked, node = asked_of(request, ValueAsked), request.node
    span = parse_duration(asked.since)
    reports = [
        await read_business(node.database, request.tenant, terms_of(node, entry.workflow.name), span)
        for entry in node.registry.all
    ]
    rows = [(one, {figure.name: figure for figure in one.figures}) for one in reports]

    def leads(workflow: str, look: Look) -> str:
        return _leads(request, workflow, asked.since, look)

    return render(request, "values.html", rows=rows, asked=asked, spans=SPANS, leads=leads)


@get(PATH + "/{name:str}", opt=needs("view"))
async def show_value(request: Visit, name: FromPath[str]) -> Response[bytes]:
    """One workflow: its figures, each leading to the decisions behind it."""
    asked, node = asked_of(request, ValueAsked), request.node
    terms, span = terms_of(node, name), parse_duration(asked.since)
    report = await read_business(node.database, request.tenant, terms, span)
    behind = None
    if asked.behind is not None:
        if not _may(request, asked.behind):
            request.require("ledger.read" if asked.behind in OF_AUDITORS else "quality.see")
        behind = await read_behind(node.database, request.tenant, terms, asked.behind, span, ROWS)
    here = f"{PATH}/{quote(name, safe='')}"

    def leads(look: Look) -> str:
        return _leads(request, name, asked.since, look)

    return render(
        request, "value.html", report=report, asked=asked, spans=SPANS, behind=behind, leads=leads, here=here,
        title=TITLES[asked.behind] if asked.behind else "", rows=ROWS, entry=node.registry.named(name),
    )  # fmt: skip


@get(PATH + "/{name:str}/control", opt=needs("view"))
async def show_compared(request: Visit, name: FromPath[str]) -> Response[bytes]:
    """The control group beside the other cases: a part of the page, or a page of its own."""
    asked, node = asked_of(request, ValueAsked), request.node
    compared = await read_compared(node.database, request.tenant, terms_of(node, name), parse_duration(asked.since))
    here = f"{PATH}/{quote(name, safe='')}"
    template = "value_control.html" if request.wants_part else "value_control_page.html"
    behind = _leads(request, name, asked.since, Look.CONTROL)
    return render(request, template, compared=compared, name=name, here=here, asked=asked, behind=behind)


def _leads(visit: Visit, workflow: str, since: str, look: Look) -> str:
    """Where the decisions behind a figure are shown; empty: not to this person."""
    if not _may(visit, look):
        return ""
    here = f"{PATH}/{quote(workflow, safe='')}"
    return f"{address(here, since=since, behind=look)}#behind"


def _may(visit: Visit, look: Look) -> bool:
    """Whether somebody may look behind such figures."""
    if look in OF_AUDITORS:
        return visit.may("ledger.read")
    return look not in OF_PEOPLE or visit.may("quality.see") or visit.may("autonomy.see")


ROUTES = (show_values, show_value, show_compared)

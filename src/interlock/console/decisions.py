"""Decisions, found by what is known of them: fields, versions, persons, amounts and time."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, get
from msgspec import Meta

from interlock.cases.finding import Finder, Search, searchable_points
from interlock.console.asking import address, asked_of
from interlock.console.render import render
from interlock.console.visit import Visit, needs
from interlock.errors import InterlockError, Refused
from interlock.search.find import Page
from interlock.search.where import LONGEST, read_where

PAGE = 50
NAMES = ("since", "until", "component", "contract", "caller", "by", "key", "case", "route", "confidence", "exposure")
"""What every decision can be found by."""


class DecisionsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which decisions.

    Attributes:
        where: Conditions, all of which must hold.
        point: Only of this workflow, or of this decision point, as ``workflow.point``.
        cursor: Where an earlier page ended.
    """

    where: Annotated[str, Meta(max_length=LONGEST)] | None = None
    point: Annotated[str, Meta(max_length=400)] | None = None
    cursor: Annotated[str, Meta(max_length=100)] | None = None


@get("/console/decisions", opt=needs("view"))
async def show_decisions(request: Visit) -> Response[bytes]:
    """Decisions for which every condition holds, the newest first."""
    asked, node = asked_of(request, DecisionsAsked), request.node
    finder = Finder(node.database, node.writer, node.registry, node.vault)
    refused: InterlockError | None = None
    page = Page(decisions=(), complete=True, next=None)
    try:
        search = Search(read_where(asked.where or ""), asked.point, asked.cursor, PAGE)
        page = await finder.find(request.tenant, search, who=request.actor.name)
    except Refused as cause:  # said beside the field, so that it can be mended there
        refused = cause
    more = address("/console/decisions", where=asked.where, point=asked.point, cursor=page.next) if page.next else ""
    points = {name: [field.name for field in fields] for name, fields in searchable_points(node.registry,
        request.tenant).items()}  # fmt: skip
    return render(
        request, "decisions.html", found=page.decisions, asked=asked, refused=refused, next=more, points=points,
        names=NAMES,
    )  # fmt: skip


ROUTES = (show_decisions,)

"""Breaks of the reconciliations: what is open, how old, why, and the money that it holds up; and what was closed."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from msgspec import Meta

from interlock.console.asking import asked_of
from interlock.console.case import as_file
from interlock.console.render import render
from interlock.console.visit import Visit, needs
from interlock.errors import NotFound
from interlock.packs.reconciliation.breaks.cause import Cause
from interlock.packs.reconciliation.breaks.store import COUNT_BREAKS, LIST_BREAKS
from interlock.packs.reconciliation.closing.amounts import amount_text
from interlock.packs.reconciliation.closing.store import LIST_CLOSES, CloseRow
from interlock.packs.reconciliation.configured import settings_of

PAGE = 100
MOST_CLOSES = 1000


class BreaksAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which breaks: of which reconciliation, cause, account; whether only those that somebody was reminded of."""

    name: Annotated[str, Meta(max_length=63)] | None = None
    cause: Cause | None = None
    account: Annotated[str, Meta(max_length=200)] | None = None
    due: bool = False


@get("/console/breaks", opt=needs("view"))
async def show_breaks(request: Visit) -> Response[bytes]:
    """Breaks, the oldest first, counted by cause with the money that they hold up."""
    asked, node = asked_of(request, BreaksAsked), request.node
    known = tuple(sorted(node.settings.reconciliation))
    if not known:
        return render(request, "breaks.html", asked=asked, names=(), name="", found=[], counts=[], closes=[],
                      causes=tuple(Cause), amount=amount_text, more=False)  # fmt: skip
    mine = settings_of(node.settings, asked.name or known[0])
    wanted = {
        "reconciliation": mine.name, "due": asked.due, "cause": asked.cause, "state": None, "account": asked.account,
        "most": PAGE + 1,
    }  # fmt: skip
    async with node.database.tenant(request.tenant) as connection:
        found = await LIST_BREAKS.all(connection, wanted)
        counts = await COUNT_BREAKS.all(connection, wanted)
        closes = await LIST_CLOSES.all(connection, {"reconciliation": mine.name, "account": None, "most": MOST_CLOSES})
    return render(
        request, "breaks.html", asked=asked, names=known, name=mine.name, found=found[:PAGE], counts=counts,
        closes=sorted(closes, key=lambda one: one.closed_at, reverse=True)[:PAGE], causes=tuple(Cause),
        amount=amount_text, more=len(found) > PAGE,
    )  # fmt: skip


@get("/console/breaks/closes/{close_id:uuid}", opt=needs("view"))
async def download_close(request: Visit, close_id: FromPath[UUID]) -> Response[bytes]:
    """The report of a close, byte for byte as it was signed."""
    node = request.node
    async with node.database.tenant(request.tenant) as connection:
        for name in node.settings.reconciliation:
            wanted = {"reconciliation": name, "account": None, "most": MOST_CLOSES}
            closes: list[CloseRow] = await LIST_CLOSES.all(connection, wanted)
            if found := next((one for one in closes if one.id == close_id), None):
                return as_file(found.report, f"close-{close_id}.json")
    raise NotFound(f"there is no close {close_id}", todo="see the list of closes")


ROUTES = (show_breaks, download_close)

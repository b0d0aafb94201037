"""Capacity: what comes, what people answer, what waits, when that breaks its promise, and who would be needed."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

import msgspec
from litestar import Response, get, post
from msgspec import Meta

from interlock.cases.queues import queues_told
from interlock.console.chart import backlog_chart, flow_chart
from interlock.console.render import render
from interlock.console.visit import Visit, needs
from interlock.oversight.capacity.outlook import SHOWN_H
from interlock.oversight.capacity.read import Capacity, read_capacity
from interlock.oversight.capacity.respond import LONGEST_WHY, declare

PATH = "/console/capacity"


class CapacityAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which queue.

    Attributes:
        queue: Only this one, in full.
    """

    queue: Annotated[str, Meta(max_length=200)] | None = None


class HoldForm(msgspec.Struct, frozen=True, kw_only=True):
    """Saying that a queue is too full, or is not.

    Attributes:
        queue: Which.
        hold: Whether nothing more is taken in: yes or no.
        why: Why.
    """

    queue: Annotated[str, Meta(max_length=200)]
    hold: Annotated[str, Meta(pattern="^(yes|no)$")]
    why: Annotated[str, Meta(max_length=LONGEST_WHY)]


@get(PATH, opt=needs("capacity.see"))
async def show_capacity(request: Visit) -> Response[bytes]:
    """Every queue with its figures; one of them in full."""
    asked = request.query(CapacityAsked)
    found, now = await queues_of(request, asked.queue), request.node.database.clock.now()
    if asked.queue is None and len(found) != 1:
        return render(request, "capacity.html", queues=found, one=None, flow=None, backlog=None, hours=())
    if not found:
        return render(request, "capacity.html", queues=(), one=None, flow=None, backlog=None, hours=())
    one = found[0]
    waiting = one.outlook.standing.waiting if one.outlook.standing else 0
    moments = one.outlook.course.moments if one.outlook.course else ()
    return render(
        request, "capacity.html", queues=found, one=one,
        flow=flow_chart(one.tallies, now, SHOWN_H),
        backlog=backlog_chart(one.tallies, waiting, moments, one.outlook.told.capacity, now),
        hours=tuple(reversed(one.tallies[-SHOWN_H:])),
    )  # fmt: skip


@post(f"{PATH}/hold", opt=needs("queue.lead"))
async def hold_queue(request: Visit) -> Response[None]:
    """Say that a queue is too full, until somebody says otherwise; or that it is not."""
    form, node = await request.read_form(HoldForm), request.node
    request.require("queue.lead")
    await declare(
        node.database, node.writer, request.tenant, form.queue,
        hold=form.hold == "yes", who=request.actor.name, why=form.why,
        known=[one.outlook.told.name for one in await queues_of(request, form.queue)],
    )  # fmt: skip
    return Response(
        None, status_code=HTTPStatus.SEE_OTHER, headers={"Location": f"{PATH}?queue={quote(form.queue, safe='')}"}
    )


async def queues_of(request: Visit, queue: str | None = None) -> list[Capacity]:
    """The queues of the visitor's tenant."""
    node = request.node
    told = queues_told(entry.declaration for entry in node.registry.all)
    return await read_capacity(node.database, request.tenant, told, node.database.clock.now(), queue)


ROUTES = (show_capacity, hold_queue)

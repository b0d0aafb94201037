"""The queue: what needs a person's decision, where a minute of work takes the most expected loss away first.

The address is the filter, so that a view is a link. The list is the same for all who have the same filter, and is made
once for those who ask at the same moment; see ``shared.py``.
"""

from __future__ import annotations

import asyncio
from typing import Annotated
from urllib.parse import parse_qsl, urlencode
from weakref import WeakKeyDictionary

import msgspec
from litestar import Response, get, post
from markupsafe import Markup
from msgspec import Meta

from interlock.authority.actor import Actor, ActorKind
from interlock.cases.finding import searchable_points
from interlock.console.hub import Hub
from interlock.console.item.read import desk_of
from interlock.console.live import hub_of
from interlock.console.queue_about import about
from interlock.console.queue_asked import PATH, QueueAsked, read_asked, read_typed, to_path
from interlock.console.queue_decided import ROUTES as DECIDED_ROUTES
from interlock.console.queue_decided import last_decided
from interlock.console.queue_from import within
from interlock.console.queue_views import ROUTES as VIEW_ROUTES
from interlock.console.queue_views import tabs_of
from interlock.console.render import render, templates
from interlock.console.shared import KEEP_LIST_S, Shared
from interlock.console.visit import WATCHING, Visit, needs
from interlock.errors import Refused
from interlock.oversight.listing import list_work
from interlock.oversight.pulling import find_own, pull_next
from interlock.oversight.work import WorkItem, WorkKind, WorkState
from interlock.oversight.work_filter import KEYS, query_of, read_filter

STATES = (
    (WorkState.FREE, "Free"),
    (WorkState.CLAIMED, "Taken"),
    (WorkState.ASSIGNED, "Assigned"),
    (WorkState.AWAITS_SECOND, "Awaits a second"),
    (WorkState.SETTLE, "Two disagree"),
    (WorkState.SNOOZED, "Snoozed"),
    (WorkState.ASKED_BACK, "Asked back"),
    (WorkState.HELD, "Decided, can be undone"),
)
_TOLD = {
    "nothing": "There is nothing here now that you may decide.",
    "again": "That place in the list is gone: here is its beginning.",
}
_lists: WeakKeyDictionary[Hub, Shared[Markup]] = WeakKeyDictionary()


class NextForm(msgspec.Struct, frozen=True, kw_only=True):
    """Of which filter the next one is taken."""

    query: Annotated[str, Meta(max_length=4000)] = ""


@get(PATH, opt=needs("view"))
async def show_queue(request: Visit) -> Response[bytes]:
    """The queue, or what a filter leaves of it."""
    asked = read_typed(request)
    try:
        listed, views, decided = await asyncio.gather(
            _listed(request, asked) if asked.wrong is None else _nothing(),
            tabs_of(request, asked),
            last_decided(request),
        )
    except Refused as cause:
        if cause.where != "after":
            raise
        return to_path(asked.address(PATH, told="again"))
    given = dict.fromkeys(KEYS, "") | dict(parse_qsl(asked.query))
    workflows = sorted({entry.declaration.workflow for entry in request.node.registry.all})
    return render(
        request,
        "queue.html",
        status=asked.wrong.status if asked.wrong else 200,
        wrong=asked.wrong,
        listed=listed,
        decided=decided,
        empty="data-list" not in listed,
        views=views,
        asked_again="" if asked.wrong else asked.query,
        given=given,
        filtered=bool(asked.query) and asked.wrong is None,
        said=[f"{name.replace('_', ' ')} {value}" for name, value in parse_qsl(asked.query)],
        query=asked.query,
        states=STATES,
        workflows=workflows,
        told=_TOLD.get(asked.told, ""),
    )


@get(f"{PATH}/list", opt=needs("view") | WATCHING)
async def show_list(request: Visit) -> Response[bytes]:
    """The list alone, as pages ask for it when there is news."""
    return render(request, "queue_part.html", listed=await _listed(request, read_asked(request)))


@post(f"{PATH}/next", opt=needs("queue.work"))
async def take_next(request: Visit) -> Response[bytes]:
    """Take the next item that this person may decide, of what they look at, and go to it."""
    work = read_filter((await request.read_form(NextForm)).query)
    desk, terms = desk_of(request), request.node.work_terms
    item = await pull_next(desk, request.actor, work, terms=terms)
    item = item or await find_own(desk, request.actor, work, terms=terms)
    if item is None:
        return to_path(f"{PATH}?{urlencode([*parse_qsl(query_of(work)), ('told', 'nothing')])}")
    return to_path(within(path_of(item), query_of(work)))


def path_of(item: WorkItem) -> str:
    """The page of an item."""
    return f"/console/{'reviews' if item.kind is WorkKind.REVIEW else 'exceptions'}/{item.id}"


async def _nothing() -> Markup:
    """No list, of a filter that cannot be read: everything that waits would be taken for what it finds."""
    return Markup("")


async def _listed(visit: Visit, asked: QueueAsked) -> Markup:
    """The list, rendered once for all who ask for the same now."""
    hub, work = hub_of(visit), asked.work
    whose = visit.actor if work.mine or work.my_team else None
    turn = hub.turn(visit.tenant, "reviews", "exceptions", "presence")
    question = (visit.tenant, asked.query, asked.after, whose, turn)

    async def make() -> Markup:
        node, tenant = visit.node, visit.tenant
        nobody = Actor(kind=ActorKind.PERSON, name="", tenant=tenant, roles=(), teams=())
        page = await list_work(node.database, tenant, work, whose or nobody, after=asked.after, terms=node.work_terms)
        fields = searchable_points(node.registry, tenant)
        text = (
            templates()
            .get_template("queue_list.html")
            .render(
                page=page,
                view=within("", asked.query),
                about={one.id: about(one.question, one.key, fields.get(one.title, ())) for one in page.items},
                names={item.id: hub.names(tenant, item.id) for item in page.items},
                now=node.database.clock.now(),
                again=asked.address(f"{PATH}/list", after=asked.after),
                first=asked.address(PATH),
                further=asked.address(PATH, after=page.after),
                after=asked.after,
                filtered=bool(asked.query),
            )
        )
        return Markup(text)  # noqa: S704 - our own template, which escapes

    return await _lists.setdefault(hub, Shared(KEEP_LIST_S)).get(question, make)


ROUTES = (show_queue, show_list, take_next, *DECIDED_ROUTES, *VIEW_ROUTES)

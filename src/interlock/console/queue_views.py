"""The views of the queue as tabs: those that are shipped, shared ones and a person's own, each with its count."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID
from weakref import WeakKeyDictionary

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta

from interlock.authority.actor import Actor, ActorKind
from interlock.console.hub import Hub
from interlock.console.live import hub_of
from interlock.console.queue_asked import PATH, QueueAsked, read_asked, to_path
from interlock.console.render import render
from interlock.console.shared import KEEP_NUMBERS_S, Shared
from interlock.console.visit import WATCHING, Visit, needs
from interlock.oversight.views import WorkView, count_views, forget_view, list_views, save_view
from interlock.oversight.work import Bounded
from interlock.oversight.work_filter import query_of, read_filter

_numbers: WeakKeyDictionary[Hub, Shared[Sequence[tuple[WorkView, Bounded]]]] = WeakKeyDictionary()


class Tab(msgspec.Struct, frozen=True, kw_only=True):
    """A view as it is shown.

    Attributes:
        name: What it is called.
        to: Its address.
        current: Whether it is the one that is looked at.
        count: How many it finds.
        saved: Its id, if somebody saved it.
        shared: Whether somebody shared it with all.
        forgettable: Whether whoever looks may take it away.
    """

    name: str
    to: str
    current: bool
    count: Bounded
    saved: UUID | None
    shared: bool
    forgettable: bool


class ViewForm(msgspec.Struct, frozen=True, kw_only=True):
    """A filter to be kept under a name."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    query: Annotated[str, Meta(max_length=4000)] = ""
    shared: Annotated[str, Meta(max_length=3)] = ""


async def tabs_of(visit: Visit, asked: QueueAsked) -> list[Tab]:
    """All views of a person, counted; the one that they look at is marked."""
    database, actor = visit.node.database, visit.actor
    terms = visit.node.work_terms
    views = await list_views(database, visit.tenant, actor, terms=terms)
    counted = await _counted(visit, views)
    may_share = visit.may("view.share")
    current = next((view for view in views if query_of(view.asked) == asked.query), None)
    return [
        Tab(
            name=view.name,
            to=f"{PATH}?{view.query}" if view.query else PATH,
            current=view is current,
            count=count,
            saved=view.id,
            shared=view.id is not None and view.shared,
            forgettable=view.id is not None and (not view.shared or may_share),
        )
        for view, count in counted
    ]


async def _counted(visit: Visit, views: Sequence[WorkView]) -> list[tuple[WorkView, Bounded]]:
    """What each view holds: what is the same for all is counted once for all who heard the same news."""
    own = [view for view in views if view.asked.mine or view.asked.my_team]
    rest = [view for view in views if view not in own]
    mine, all_of_them = await asyncio.gather(_count(visit, own, visit.actor), _count(visit, rest, None))
    counted = dict([*mine, *all_of_them])
    return [(view, counted[view]) for view in views]


async def _count(visit: Visit, views: Sequence[WorkView], whose: Actor | None) -> Sequence[tuple[WorkView, Bounded]]:
    node, tenant, hub = visit.node, visit.tenant, hub_of(visit)
    turn = hub.turn(tenant, "reviews", "exceptions")
    nobody = Actor(kind=ActorKind.PERSON, name="", tenant=tenant, roles=(), teams=())

    async def make() -> Sequence[tuple[WorkView, Bounded]]:
        return await count_views(node.database, tenant, views, whose or nobody, terms=node.work_terms)

    numbers = _numbers.setdefault(hub, Shared(KEEP_NUMBERS_S))
    return await numbers.get((tenant, tuple(views), whose, turn), make)


@get(f"{PATH}/views", opt=needs("view") | WATCHING)
async def show_views(request: Visit) -> Response[bytes]:
    """The views alone, counted again."""
    asked = read_asked(request)
    return render(request, "queue_views.html", views=await tabs_of(request, asked), asked_again=asked.query)


@post(f"{PATH}/views", opt=needs("view"))
async def keep_view(request: Visit) -> Response[bytes]:
    """Keep a filter as a view, one's own or everybody's."""
    form = await request.read_form(ViewForm)
    work, node = read_filter(form.query), request.node
    await save_view(node.database, node.authority, request.actor, form.name, work, shared=form.shared == "yes")
    return to_path(f"{PATH}?{query_of(work)}")


@post(f"{PATH}/views/{{view:uuid}}/forget", opt=needs("view"))
async def drop_view(request: Visit, view: FromPath[UUID]) -> Response[bytes]:
    """Take a view away."""
    await request.fields()
    await forget_view(request.node.database, request.node.authority, request.actor, view)
    return to_path(PATH)


ROUTES = (show_views, keep_view, drop_view)

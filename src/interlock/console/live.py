"""Live pages: what a person sees follows what happens, without asking for it.

See ``hub.py`` for how news travels. A page names its topics in ``data-live``; at each of them, its parts that have
``hx-trigger="live"`` are asked for again and morphed into place, so that focus, caret and open details stay.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from litestar.response import Stream as StreamedResponse

from interlock.authority.judge import everything
from interlock.console.cookies import COOKIE, cookie_name
from interlock.console.hub import Hub, follow
from interlock.console.render import render
from interlock.console.visit import WATCHING, Visit, needs
from interlock.errors import Refused
from interlock.identity.sessions import find_visitor

SESSION_EVERY_S = 30.0
"""How often an open stream asks whether its session still holds."""
MOST_TOPICS = 32
_TOPIC = re.compile(r"[a-z]{1,20}(:[0-9a-f-]{36})?\Z")
_HEADERS = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}


class Listening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a page listens to.

    Attributes:
        topics: Apart by spaces.
        here: The item that it shows.
        since: When the page was made, at its first stream: what came since is told at once.
    """

    topics: str
    here: UUID | None = None
    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


def hub_of(visit: Visit) -> Hub:
    """The process's hub."""
    return visit.app.state["hub"]


@get("/console/live", opt=needs("view") | WATCHING | {"seconds": None})
async def stream_news(request: Visit) -> StreamedResponse:
    """The news of a page's topics as server-sent events, as long as the page is open and its session holds.

    Raises:
        Refused: no topic, too many, or one that is none.
        LimitReached: too many pages are open.
    """
    asked = request.query(Listening)
    topics = asked.topics.split()
    wrong = next((one for one in topics if not _TOPIC.match(one)), None)
    if wrong is not None or not 0 < len(topics) <= MOST_TOPICS:
        raise Refused("the page listens to what is no topic", where="topics", todo="load the page anew")
    hub_of(request).require_room(request.visitor.session)  # here: once the stream has begun, nothing can be refused
    return StreamedResponse(_messages(request, topics, asked), media_type="text/event-stream", headers=_HEADERS)


async def _messages(request: Visit, topics: list[str], asked: Listening) -> AsyncGenerator[bytes]:
    visitor = request.visitor
    secret = request.cookies.get(cookie_name(request.node.settings, COOKIE), "")

    async def valid() -> bool:
        now = await find_visitor(request.node.database, secret)
        return now is not None and request.node.authority.judge(now.actor, "view", everything(now.tenant)).allowed

    opened = hub_of(request).streaming(
        visitor.tenant, visitor.session, topics, item=asked.here, name=visitor.name, made_at=asked.since
    )
    async with opened as stream, aclosing(follow(stream, valid=valid, every_s=SESSION_EVERY_S)) as following:
        async for message in following:
            yield message


@get("/console/live/session", opt=needs("view") | WATCHING)
async def check_session() -> Response[None]:
    """Whether the session still holds: a page whose stream ended asks. If not, the guard leads to sign in."""
    return Response(None, status_code=204)


@get("/console/present/{item:uuid}", opt=needs("view") | WATCHING)
async def show_present(request: Visit, item: FromPath[UUID]) -> Response[bytes]:
    """Who else has an item open."""
    return render(request, "present.html", item=item)


@get("/console/strip", opt=needs("view") | WATCHING)
async def show_strip(request: Visit) -> Response[bytes]:
    """The strip of the stops in force, which is seen on every page."""
    await request.node.tools.decider.watch.look()
    return render(request, "strip.html")


ROUTES = (stream_news, check_session, show_present, show_strip)

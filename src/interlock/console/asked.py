"""What somebody was asked back, and answering it: GET /console/asked."""

from __future__ import annotations

from litestar import Response, get

from interlock.authority.actor import known_as
from interlock.console.item.store import ASKED_OF
from interlock.console.render import render
from interlock.console.visit import Visit, needs


@get("/console/asked", opt=needs("view"))
async def show_asked(request: Visit) -> Response[bytes]:
    """What waits for the visitor's answer, the oldest question first."""
    name = request.actor.name
    names = list({name, known_as(name), f"cli:{known_as(name)}"})
    async with request.node.database.tenant(request.tenant) as connection:
        asked = await ASKED_OF.all(connection, {"names": names})
    return render(request, "asked.html", asked=asked)


ROUTES = (show_asked,)

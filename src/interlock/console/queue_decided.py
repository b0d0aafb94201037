"""What somebody decided last, beside the queue: so that an empty one shows it, with what can still be taken back."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import Response, get

from interlock.console.queue_asked import PATH
from interlock.console.render import render
from interlock.console.store import LAST_DECIDED, LastDecided
from interlock.console.visit import WATCHING, Visit, needs

MOST = 5


async def last_decided(visit: Visit) -> Sequence[LastDecided]:
    """A person's own last verdicts, the newest first."""
    async with visit.node.database.tenant(visit.tenant) as connection:
        return await LAST_DECIDED.all(connection, {"who": visit.actor.name, "most": MOST})


@get(f"{PATH}/decided", opt=needs("view") | WATCHING)
async def show_decided(request: Visit) -> Response[bytes]:
    """The same alone, as pages ask for it when there is news."""
    return render(request, "queue_decided.html", decided=await last_decided(request))


ROUTES = (show_decided,)

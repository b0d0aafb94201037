"""Live pages: what a person sees follows what happens, without asking for it.

See ``hub.py`` for how news travels. A page names its topics in ``data-live``; at each of them, its parts that have
``hx-trigger="live"`` are asked for again and morphed into place, so that focus, caret and open details stay.
"""

from __future__ import annotations

from litestar import Response, get

from interlock.console.render import render
from interlock.console.visit import Visit, needs


@get("/console/strip", opt=needs("view"))
async def show_strip(request: Visit) -> Response[bytes]:
    """The strip of the stops in force, which is seen on every page."""
    return render(request, "strip.html")


ROUTES = (show_strip,)

"""One more server in a process of its own, on a port that all share; by itself, that of the API without the console.

`interlock up --servers N` starts ``server_process``, which serves the console, too, or this where it is told
`--no-console`. It speaks over its pipes: see ``serving``. It dies with its parent; requests under way then are asked
again with their keys, and nothing is done twice.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from interlock.api.app import Front, create_app
from interlock.api.serve import serving
from interlock.cli.serving import Ready, serve_as_child
from interlock.config import Settings
from interlock.node import Node, open_node


def serve_with(create: Callable[[Node], Front]) -> None:
    """Serve until SIGTERM, or the parent's end.

    Args:
        create: Makes what is served.
    """

    async def serve(settings: Settings, ended: asyncio.Event, ready: Ready) -> None:
        async with (
            open_node(settings) as node,
            node.sealing(),
            serving(create(node), settings.api_host, int(sys.argv[2]), shared=True) as url,
        ):
            ready(url)
            await ended.wait()

    serve_as_child(serve)


if __name__ == "__main__":
    serve_with(create_app)

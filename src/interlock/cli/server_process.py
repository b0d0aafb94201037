"""One more server of the API and the console in a process of its own, on a port that they share.

`interlock up --servers` starts it.

Speaks over its pipes: see ``serving``. It dies with its parent; requests under way then are asked again with their
keys, and nothing is done twice.
"""

from __future__ import annotations

import asyncio
import sys

from interlock.api.serve import serving
from interlock.cli.serving import Ready, serve_as_child
from interlock.config import Settings
from interlock.console.app import create_site
from interlock.node import open_node


def main() -> None:
    """Serve until SIGTERM, or the parent's end."""
    serve_as_child(_serve)


async def _serve(settings: Settings, ended: asyncio.Event, ready: Ready) -> None:
    async with (
        open_node(settings) as node,
        node.sealing(),
        serving(create_site(node), settings.api_host, int(sys.argv[2]), shared=True) as url,
    ):
        ready(url)
        await ended.wait()


if __name__ == "__main__":
    main()

"""One worker in a process of its own, as `interlock up` starts it: what hangs here, hangs here alone.

Speaks over its pipes: see ``serving``; it says under which number it works. SIGTERM lets it give its cases back. A
SIGKILL loses nothing.
"""

from __future__ import annotations

import asyncio

from interlock.cli.serving import Ready, serve_as_child
from interlock.config import Settings
from interlock.node import open_node


def main() -> None:
    """Work until SIGTERM, or the parent's end."""
    serve_as_child(_work)


async def _work(settings: Settings, ended: asyncio.Event, ready: Ready) -> None:
    async with open_node(settings) as node, node.sealing(), node.worker() as worker:
        ready(worker.number)
        await ended.wait()


if __name__ == "__main__":
    main()

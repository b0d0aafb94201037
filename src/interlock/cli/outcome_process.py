"""The feeds of outcomes in a process of its own, as `interlock up` starts it: a slow one holds up nobody's work.

It dies with its parent; a SIGKILL loses nothing: what is not on record is read again.
"""

from __future__ import annotations

import asyncio
import os

from interlock.cli.outcomes_pulled import keep_pulling
from interlock.cli.serving import Ready, serve_as_child
from interlock.config import Settings
from interlock.node import open_node


def main() -> None:
    """Pull until SIGTERM, or the parent's end."""
    serve_as_child(_pull)


async def _pull(settings: Settings, ended: asyncio.Event, ready: Ready) -> None:
    async with open_node(settings) as node:
        pulling = asyncio.create_task(keep_pulling(node, os.environ), name="interlock-outcomes")
        end = asyncio.create_task(ended.wait())
        ready(len(settings.outcomes))
        await asyncio.wait((pulling, end), return_when=asyncio.FIRST_COMPLETED)
        for task in (pulling, end):
            task.cancel()
        results = await asyncio.gather(pulling, end, return_exceptions=True)
        if isinstance(results[0], Exception):
            raise results[0]


if __name__ == "__main__":
    main()

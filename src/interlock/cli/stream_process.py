"""One stream in a process of its own, as `interlock up` starts it; it speaks over its pipes as a worker does.

It dies with its parent; a SIGKILL loses nothing, since what was not acknowledged is delivered again.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable

from interlock.cli.serving import Ready, serve_as_child
from interlock.config import Settings
from interlock.errors import NotFound
from interlock.node import open_node
from interlock.spelling import meant
from interlock.stream_settings import StreamSettings
from interlock.streams.run import StreamRun


def main() -> None:
    """Run the stream until SIGTERM, or the parent's end."""
    serve_as_child(_run)


async def _run(settings: Settings, ended: asyncio.Event, ready: Ready) -> None:
    name = sys.argv[2]
    await serve_stream(settings, find_stream(settings, name), ended, lambda: ready(name))


def find_stream(settings: Settings, name: str) -> StreamSettings:
    """A stream of the settings.

    Raises:
        NotFound: they have none of that name.
    """
    if name not in settings.streams:
        todo = (
            meant(name, settings.streams) if settings.streams else "set one up under [streams.NAME] in interlock.toml"
        )
        raise NotFound(f"the settings have no stream {name[:60]!r}", where="NAME", todo=todo)
    return settings.streams[name]


async def serve_stream(
    settings: Settings, terms: StreamSettings, ended: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Open a node and run a stream in it until ``ended`` is set; ``ready`` is called when its messages can be decided.

    Raises:
        ConfigInvalid: the stream is not there or would lose messages, or nothing here speaks to its broker.
        NotFound: this process does not carry what the messages are to become.
    """
    async with open_node(settings) as node, node.sealing():
        run = StreamRun(node.tools, node.registry, node.tenant, terms, os.environ)
        ready()
        await run.run(ended)


if __name__ == "__main__":
    main()

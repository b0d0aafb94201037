"""One stream in a process of its own, as `interlock up` starts it; it speaks over its pipes as a worker does.

It dies with its parent; a SIGKILL loses nothing, since what was not acknowledged is delivered again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from interlock.cli.screen import tell_error
from interlock.cli.session import begin_logging, read_settings, run_loop
from interlock.cli.worker_process import die_with, end_with_pipe
from interlock.config import Settings
from interlock.errors import InterlockError, NotFound
from interlock.node import open_node
from interlock.spelling import meant
from interlock.stream_settings import StreamSettings
from interlock.streams.run import StreamRun


def main() -> None:
    """Run the stream until SIGTERM, or the parent's end."""
    die_with(int(sys.argv[1]))
    flags: dict[str, Any] = msgspec.json.decode(sys.stdin.buffer.readline())
    try:
        settings = read_settings(flags)
        begin_logging(settings)
        run_loop(lambda: _work(settings, sys.argv[2]))
    except InterlockError as cause:
        tell_error(cause)
        sys.exit(cause.exit_code)


async def _work(settings: Settings, name: str) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_reader(sys.stdin.fileno(), end_with_pipe, loop, ended)
    await serve_stream(settings, find_stream(settings, name), ended, lambda: print(name, flush=True))  # noqa: T201 - the parent reads it


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

"""One more server of the API in a process of its own, as `interlock up --servers` starts it, on a port that they share.

Speaks over its pipes as a worker does: see ``worker_process``. It dies with its parent; requests under way then are
asked again with their keys, and nothing is done twice.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import msgspec

from interlock.api.app import create_app
from interlock.api.serve import serving
from interlock.cli.screen import tell_error
from interlock.cli.session import begin_logging, read_settings, run_loop
from interlock.cli.worker_process import die_with, end_with_pipe
from interlock.config import Settings
from interlock.errors import InterlockError
from interlock.node import open_node


def main() -> None:
    """Serve until SIGTERM, or the parent's end."""
    die_with(int(sys.argv[1]))
    flags: dict[str, Any] = msgspec.json.decode(sys.stdin.buffer.readline())
    try:
        settings = read_settings(flags)
        begin_logging(settings)
        run_loop(lambda: _serve(settings, int(sys.argv[2])))
    except InterlockError as cause:
        tell_error(cause)
        sys.exit(cause.exit_code)


async def _serve(settings: Settings, port: int) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_reader(sys.stdin.fileno(), end_with_pipe, loop, ended)
    async with (
        open_node(settings) as node,
        node.sealing(),
        serving(create_app(node), settings.api_host, port, shared=True) as url,
    ):
        print(url, flush=True)  # noqa: T201 - the parent reads it
        await ended.wait()


if __name__ == "__main__":
    main()

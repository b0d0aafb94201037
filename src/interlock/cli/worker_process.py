"""One worker in a process of its own, as `interlock up` starts it: what hangs here, hangs here alone.

Speaks over its pipes: the first line of standard input holds the settings of the command line as JSON, and the end of
that pipe is the end; one line on standard output says under which number it works. SIGTERM lets it give its cases back.
It dies with its parent, whatever ends that one; a SIGKILL loses nothing.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from typing import Any

import msgspec

from interlock.cli.screen import tell_error
from interlock.cli.session import begin_logging, read_settings, run_loop
from interlock.config import Settings
from interlock.errors import InterlockError
from interlock.node import open_node

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Work until SIGTERM, or the parent's end."""
    die_with(int(sys.argv[1]))
    flags: dict[str, Any] = msgspec.json.decode(sys.stdin.buffer.readline())
    try:
        settings = read_settings(flags)
        begin_logging(settings)
        run_loop(lambda: _work(settings))
    except InterlockError as cause:
        tell_error(cause)
        sys.exit(cause.exit_code)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies. It also works on one that is stopped or hangs.

    Source: prctl(2), PR_SET_PDEATHSIG.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # it died before the line above
        sys.exit(1)


async def _work(settings: Settings) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_reader(sys.stdin.fileno(), end_with_pipe, loop, ended)
    async with open_node(settings) as node, node.sealing(), node.worker() as worker:
        print(worker.number, flush=True)  # noqa: T201 - the parent reads it
        await ended.wait()


def end_with_pipe(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    """End when the parent has closed the pipe."""
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        ended.set()


if __name__ == "__main__":
    main()

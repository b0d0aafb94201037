"""Serving until somebody ends it: as a child of `interlock up`, which speaks over its pipes, or in a terminal.

A child's first line of standard input holds the settings of the command line as JSON, and the end of that pipe is its
end; one line on standard output says that it works. It dies with its parent, whatever ends that one.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from interlock.cli.screen import tell_error
from interlock.cli.session import begin_logging, read_settings, run_loop
from interlock.config import Settings
from interlock.errors import InterlockError

_PR_SET_PDEATHSIG = 1
Ready = Callable[[object], None]
"""Called once with what the parent is told."""


def serve_as_child(serve: Callable[[Settings, asyncio.Event, Ready], Awaitable[None]]) -> None:
    """Serve until SIGTERM, or the parent's end.

    Args:
        serve: Given the settings, what is set when it is to end, and how it says that it works.
    """
    die_with(int(sys.argv[1]))
    flags: dict[str, Any] = msgspec.json.decode(sys.stdin.buffer.readline())
    try:
        settings = read_settings(flags)
        begin_logging(settings)
        run_loop(lambda: _until_told(settings, serve))
    except InterlockError as cause:
        tell_error(cause)
        sys.exit(cause.exit_code)


async def _until_told(settings: Settings, serve: Callable[[Settings, asyncio.Event, Ready], Awaitable[None]]) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_reader(sys.stdin.fileno(), _end_with_pipe, loop, ended)
    await serve(settings, ended, lambda told: print(told, flush=True))  # noqa: T201 - the parent reads it


def _end_with_pipe(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    """End when the parent has closed the pipe."""
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        ended.set()


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies. It also works on one that is stopped or hangs.

    Source: prctl(2), PR_SET_PDEATHSIG.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # it died before the line above
        sys.exit(1)


def serve_in_terminal(serve: Callable[[asyncio.Event], Awaitable[None]]) -> bool:
    """Serve until SIGTERM or Ctrl-C; whether it was Ctrl-C."""
    numbers: list[int] = []

    async def run() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()

        def end(number: int) -> None:
            numbers.append(number)
            ended.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end, number)
        await serve(ended)

    run_loop(run)
    return signal.SIGINT in numbers

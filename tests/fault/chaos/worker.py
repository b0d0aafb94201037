"""A worker process of the chaos test: the real one, with three things changed that chaos turns.

Its wall clock is moved by what stands in a file. It stops itself, for the test to let it go on, between the commit that
says "this is being sent" and the sending, when the test has left a token. Its kernel timer gives it less grace, so that
the test is over sooner; what it proves is the same.

python worker.py PARENT, with CHAOS_CLOCK and CHAOS_TOKEN the two files and CHAOS_GRACE the seconds.
"""

# the moments at which it stops lie inside what is private
# pyright: reportPrivateUsage=false

from __future__ import annotations

import mmap
import os
import re
import signal
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import interlock.clock
from interlock.actions import dispatch_commit, sender
from interlock.actions.connector import Request, Sent
from interlock.cli import worker_process
from interlock.connectors.http import wire
from interlock.connectors.http.connector import HttpConnector

BEFORE_CHECKS, LAST_INSTRUCTION = "ask", "wire"
"""Where it stops: before the connector looks at the deadline for the last time, or at the very last instruction."""


class WallClock:
    """The module ``time``, with a wall clock that jumps; what no jump moves, the kernel's other clocks, goes on.

    Args:
        file: Eight bytes: by how many nanoseconds it is off.
    """

    def __init__(self, file: Path) -> None:
        with file.open("rb") as opened:
            self._shift = mmap.mmap(opened.fileno(), 8, access=mmap.ACCESS_READ)

    def time_ns(self) -> int:
        """The wall clock."""
        return time.time_ns() + int.from_bytes(self._shift[:8], "little", signed=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


class Token:
    """What the test leaves to have this process stop: where, and on its way to whom.

    Args:
        file: Its path: the moment, and the ``host:port`` of a provider.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def stop_at(self, moment: str, place: str) -> None:
        """Stop here, if that is what the token says; it holds once."""
        try:
            if self._file.read_text().split() != [moment, place]:
                return
            self._file.rename(self._file.with_suffix(f".taken-{os.getpid()}"))
        except OSError:
            return
        os.kill(os.getpid(), signal.SIGSTOP)


def change(token: Token) -> None:
    """Put the two stops around what they belong to."""
    ask, write = HttpConnector.send, wire._Connection.write

    async def send(self: HttpConnector, request: Request) -> Sent:
        token.stop_at(BEFORE_CHECKS, self._terms.url.removeprefix("http://"))
        return await ask(self, request)

    def write_last(self: wire._Connection, data: bytes) -> None:
        if data.startswith(b"POST /payments "):
            token.stop_at(LAST_INSTRUCTION, _host(data))
        write(self, data)

    HttpConnector.send = send
    wire._Connection.write = write_last


def _host(request: bytes) -> str:
    found = re.search(rb"(?i)\r\nhost: ([^\r]+)", request)
    return found[1].decode() if found else ""


def main() -> None:
    """Change what is to be changed, then be a worker."""
    grace = timedelta(seconds=float(os.environ["CHAOS_GRACE"]))
    for module in (sender, dispatch_commit):
        setattr(module, "GRACE", grace)  # noqa: B010 - a constant to everybody else
    setattr(interlock.clock, "time", WallClock(Path(os.environ["CHAOS_CLOCK"])))  # noqa: B010 - a module to everybody else
    change(Token(Path(os.environ["CHAOS_TOKEN"])))
    worker_process.main()


if __name__ == "__main__":
    main()

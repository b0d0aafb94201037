"""A NATS server with JetStream for one test: the real one, on loopback, with its data in the test's folder."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

import nats
import pytest
from nats.js import JetStreamContext
from tests.dying import dying

PROGRAM = shutil.which("nats-server") or "/usr/sbin/nats-server"
MISSING = "nats-server is not here: apt-get install nats-server"
_PATIENCE_S = 10.0


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class NatsServer:
    """One server, which can be killed and started again on the same data.

    Args:
        folder: Where its data are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"nats://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = dying(PROGRAM, "-js", "-sd", str(self._folder), "-a", "127.0.0.1", "-p", str(self._port))
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.02)
        self.kill()
        raise AssertionError("the NATS server does not listen")

    def kill(self) -> None:
        """Kill it."""
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(timeout=_PATIENCE_S)
            self._process = None


@contextmanager
def nats_server(folder: Path) -> Generator[NatsServer]:
    """A server for as long as this is open; skips the test where there is none."""
    if not Path(PROGRAM).exists():
        pytest.skip(MISSING)
    server = NatsServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@asynccontextmanager
async def jetstream(
    server: NatsServer, stream: str = "CLAIMS", subject: str = "claims.in"
) -> AsyncGenerator[JetStreamContext]:
    """A client of a server that has made a stream of one subject."""
    library = cast("Any", nats)  # its options are untyped
    client = await library.connect(server.url)
    try:
        context: Any = JetStreamContext(client)
        await context.add_stream(name=stream, subjects=[subject])
        yield context
    finally:
        await client.close()

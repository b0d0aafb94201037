"""Listening: uvicorn in the node's own event loop, so that requests and the writer share it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import socket
from collections.abc import AsyncGenerator, Generator
from functools import partial
from typing import cast

import uvicorn
from litestar.types import ASGIApp

from interlock.api.doorway import Doorway
from interlock.api.front import Front
from interlock.errors import ConfigInvalid

BACKLOG = 1024
KEEP_ALIVE_S = 15
DRAIN_S = 10


class _Server(uvicorn.Server):
    """A server that says when it listens, and leaves the signals to whoever runs the process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int, *, shared: bool = False) -> AsyncGenerator[str]:
    """Listen as long as this is open; gives the URL. On leaving, requests under way have ten seconds to end.

    Args:
        app: What answers.
        host: The address to listen on.
        port: 0 takes a free one.
        shared: Whether other processes of this user may listen there too; the kernel then deals connections out
            (``SO_REUSEPORT``, socket(7)).

    Raises:
        ConfigInvalid: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=shared)
        # asyncio sees to this only where the socket names its protocol; an answer's body would wait 40 ms for the
        # caller's acknowledgement of its head
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as cause:
        raise _not_ours(host, port, cause) from cause
    server = _Server(_settings(app))
    running = asyncio.create_task(server.serve(sockets=[listening]), name="interlock-http")
    begun = asyncio.create_task(server.listens.wait())
    try:
        await asyncio.wait((running, begun), return_when=asyncio.FIRST_COMPLETED)
        if not server.listens.is_set():
            running.result()
            raise ConfigInvalid(f"the server on {host}:{port} ended before it listened", where="api_port")
        name = f"[{host}]" if family == socket.AF_INET6 else host
        # What was made until now stays as long as the process serves. A full search for garbage goes through all that
        # is not set aside: 140 ms, every second or two under load, in which every request waits.
        gc.freeze()
        yield f"http://{name}:{listening.getsockname()[1]}"
    finally:
        gc.unfreeze()
        begun.cancel()
        for end in app.at_end if isinstance(app, Front) else ():
            end()
        server.should_exit = True
        await running  # also says why it did not begin
        listening.close()


def see_free(host: str, port: int) -> None:
    """See that nobody listens at an address yet, another installation of this user neither.

    What shares a port (``serving``) would else share it with that one, and the kernel deal out the calls to both.

    Args:
        host: The address.
        port: 0 is always free.

    Raises:
        ConfigInvalid: somebody does, or it cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as cause:
        raise _not_ours(host, port, cause) from cause


def _not_ours(host: str, port: int, cause: OSError) -> ConfigInvalid:
    why = os.strerror(cause.errno) if cause.errno and cause.errno > 0 else str(cause)  # of a name it is negative
    where = "api_host" if isinstance(cause, socket.gaierror) or cause.errno == errno.EADDRNOTAVAIL else "api_port"
    todo = "name another port or address, or stop what listens there"
    if cause.errno == errno.EACCES:
        todo = "name a port from 1024 on, or let this user listen on lower ones"
    elif where == "api_host":
        todo = "name an address that this machine has; 127.0.0.1 is itself, 0.0.0.0 is all of them"
    return ConfigInvalid(f"{host}:{port} cannot be listened on: {why}", where=where, todo=todo)


def _settings(app: ASGIApp) -> uvicorn.Config:
    doorway = partial(Doorway, app.admission if isinstance(app, Front) else None)  # uvicorn calls it, and asks no more
    return uvicorn.Config(
        app,
        lifespan="off",
        loop="none",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        http=cast("type[asyncio.Protocol]", doorway),
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )

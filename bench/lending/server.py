"""The server under the load: the API that ships, in one process, with the benchmarks' workflow and a bare echo."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import uvloop
from litestar import Request, Response, post
from litestar.datastructures import State
from workflow import lending

from interlock.api.app import create_app
from interlock.api.keys import Scope, make_key
from interlock.api.serve import serving
from interlock.cases.registry import Registry, register
from interlock.config import Settings
from interlock.node import open_node


@post("/echo")
async def echo(request: Request[None, None, State]) -> Response[bytes]:
    """What was sent, sent back: the floor of this server."""
    return Response(await request.body(), media_type="application/json")


async def main(url: str, made: Path, port: int) -> None:
    """Serve until standard input ends; the first line of output is the URL, the second an API key, or empty.

    Args:
        url: The database.
        made: Where the model and the table are.
        port: Of the server that listens already, to listen beside it; 0: this is the first.
    """
    registry = Registry([register(lending, roots=(made,))])
    async with open_node(Settings(database_url=url), registry=registry) as node:
        key = "" if port else await make_key(node.database, node.writer, node.tenant, name="load", scopes=[Scope.ADMIN])
        async with serving(create_app(node, more=[echo]), "127.0.0.1", port, shared=True) as listening:
            print(listening, flush=True)
            print(key, flush=True)
            await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    read = argparse.ArgumentParser()
    read.add_argument("--url", required=True)
    read.add_argument("--made", type=Path, required=True)
    read.add_argument("--port", type=int, default=0)
    terms = read.parse_args()
    uvloop.run(main(terms.url, terms.made, terms.port))

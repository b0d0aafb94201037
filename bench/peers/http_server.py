"""The outside system of the benchmark: it answers a POST with an id, and nothing else."""

from __future__ import annotations

import asyncio
import itertools
import sys

NUMBERS = itertools.count(1)


class Answers(asyncio.Protocol):
    """One connection; HTTP/1.1 with bodies of a stated length."""

    def __init__(self) -> None:
        self._read = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it to answer on."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._read += data
        while (head := self._read.find(b"\r\n\r\n")) >= 0:
            end = head + 4 + _length(bytes(self._read[:head]))
            if len(self._read) < end:
                return
            del self._read[:end]
            body = b'{"id":"p-%d","state":"done"}' % next(NUMBERS)
            answer = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            if isinstance(self._transport, asyncio.Transport):
                self._transport.write(answer + body)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


async def serve() -> None:
    """Serve on loopback until standard input ends; the first line of output is the port."""
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())

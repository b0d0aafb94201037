"""The wire between workers and PostgreSQL, which breaks when it is told to: a process of its own, one door a worker.

python proxy.py SOCKET_OF_POSTGRESQL DOOR...

One command a line on standard input: ``cut DOOR``, ``lose_commit DOOR``, ``lose_answer DOOR`` or ``blackhole DOOR S``.
One line on standard output for each when it has happened: the word and the door. It ends when the input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import Counter

COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""``CommandComplete`` with the tag COMMIT. Source: PostgreSQL's frontend/backend protocol, version 3.0."""
_CHUNK = 65536


class Door:
    """What one worker's connections go through.

    Args:
        name: Its socket's path.
        upstream: The socket of PostgreSQL.
    """

    def __init__(self, name: str, upstream: str) -> None:
        self.name = name
        self._upstream = upstream
        self._open: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._losing: Counter[str] = Counter()
        self._clear = asyncio.Event()
        self._clear.set()

    async def listen(self) -> asyncio.Server:
        """Take connections."""
        return await asyncio.start_unix_server(self._carry, self.name)

    def order(self, what: str, seconds: float) -> None:
        """Break, now or at the next chance."""
        match what:
            case "cut" if self._open:
                for pair in tuple(self._open):
                    _abort(pair)
                self._happened(what)
            case "blackhole":
                self._clear.clear()
                asyncio.get_running_loop().call_later(seconds, self._clear.set)
                self._happened(what)
            case "lose_commit" | "lose_answer":
                self._losing[what] += 1
            case _:
                pass  # nothing was open to be cut

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._clear.wait()
            there, back = await asyncio.open_unix_connection(self._upstream)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, back)
        self._open.add(pair)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._copy(reader, back, pair, answers=False))
                both.create_task(self._copy(there, writer, pair, answers=True))
        except* OSError:
            pass
        finally:
            self._open.discard(pair)
            _abort(pair)

    async def _copy(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        *,
        answers: bool,
    ) -> None:
        """Hand on what comes, one way, unless it is to be lost; the end of either way is the end of both."""
        while data := await reader.read(_CHUNK):
            await self._clear.wait()
            if answers and (lost := self._loses(data)):
                self._happened(lost)
                break
            writer.write(data)
            await writer.drain()
        _abort(pair)

    def _loses(self, data: bytes) -> str:
        """Which loss, if any, these bytes from the server are the moment for."""
        for what, fits in (("lose_commit", COMMITTED in data), ("lose_answer", True)):
            if fits and self._losing[what]:
                self._losing[what] -= 1
                return what
        return ""

    def _happened(self, what: str) -> None:
        sys.stdout.write(f"{what} {self.name}\n")
        sys.stdout.flush()


def _abort(pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
    for writer in pair:
        with contextlib.suppress(RuntimeError):
            writer.transport.abort()


async def main() -> None:
    """Carry until the input ends."""
    upstream, *names = sys.argv[1:]
    doors = {name: Door(name, upstream) for name in names}
    servers = [await door.listen() for door in doors.values()]
    sys.stdout.write("ready -\n")
    sys.stdout.flush()
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := (await orders.readline()).decode().split():
        what, name, *seconds = line
        doors[name].order(what, float(*seconds or ["0"]))
    for server in servers:
        server.close()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())

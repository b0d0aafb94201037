"""A wire before a PostgreSQL server that loses a commit on its way there, or its answer on the way back."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pg.test_writer_lost_answers import Wire

COMMIT = b"commit\x00"


class CommitWire(Wire):
    """The proxy of the writer's tests, which can also cut before a commit reaches the server.

    Attributes:
        cut_before_commits: So many requests to commit never arrive; the connection is cut instead.
        hold: While it is cleared, requests to commit wait on the wire.
        held: Set once one waits.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.cut_before_commits = 0
        self.hold = asyncio.Event()
        self.hold.set()
        self.held = asyncio.Event()

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        *,
        answers: bool,
    ) -> None:
        if answers:
            await super()._pass(reader, writer, pair, answers=True)
            return
        while data := await reader.read(65536):
            if COMMIT in data:
                if self.cut_before_commits:
                    self.cut_before_commits -= 1
                    self._cut(pair)
                    return
                if not self.hold.is_set():
                    self.held.set()
                    await self.hold.wait()
            writer.write(data)
            await writer.drain()
        writer.transport.abort()

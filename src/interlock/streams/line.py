"""Waiting in line: what cannot be done now is tried again by one at a time, in order, until it can be done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waits:
    """Nothing became of it yet.

    Attributes:
        line: Whose turn it has to wait for.
        why: In a sentence.
        pause_s: When to try again.
    """

    line: str
    why: str
    pause_s: float


class Line:
    """Everybody who waits for the same thing: a stop's end, room in a queue, the database.

    Whoever is first waits out the pause and tries; the next one tries at once if that went well. So a long line costs
    one attempt for each pause, and is worked off at full speed as soon as the way is free.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._until = 0.0
        self.why = ""
        self.waiting = 0

    def close(self, why: str, pause_s: float) -> None:
        """Nobody is to try for a while."""
        self.why = why
        self._until = max(self._until, time.monotonic() + pause_s)

    def open(self) -> None:
        """Somebody has got through."""
        self._until = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait until it is our turn, in order of arrival."""
        self.waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self.waiting -= 1

    async def pause(self) -> None:
        """Wait out what is left of the pause."""
        await asyncio.sleep(max(0.0, self._until - time.monotonic()))
